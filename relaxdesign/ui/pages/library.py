"""The page "Library": every run to be found, reopened, repeated or discarded, and designs to be compared."""

import streamlit as st

from relaxdesign.ui import server

server.wait()

from relaxdesign.ui.components import design_search, ownership, run_bin, run_list  # noqa: E402  (torch, see server.wait)
from relaxdesign.ui.errors import guard  # noqa: E402

VIEWS = {
    "Runs": (":material/folder_open:", run_list.draw),
    "Designs": (":material/grain:", design_search.draw),
    "Bin": (":material/delete:", run_bin.draw),
}


def draw() -> None:
    """The whole page."""
    title, views = st.columns([2, 1.2], vertical_alignment="bottom")
    title.markdown("## Library")
    view = views.segmented_control(
        "View",
        list(VIEWS),
        format_func=lambda name: f"{VIEWS[name][0]} {name}",
        default="Runs",
        required=True,
        key="library_view",
        label_visibility="collapsed",
        width="stretch",
    )
    ownership.say_who_sees()
    VIEWS[view][1]()


with guard("the library"):
    draw()
