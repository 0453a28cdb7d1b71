"""The page "Campaigns": many designs at once, started, watched and searched."""

import importlib.util

import streamlit as st

from relaxdesign.ui import server

server.wait()

from relaxdesign.ui.errors import guard  # noqa: E402  (loads torch, see server.wait)

NEEDED = ("distributed", "pyarrow", "yaml")


def draw() -> None:
    """The list of campaigns, or the one of the address (``?campaign=ID``)."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        st.markdown("## Campaigns")
        st.info(
            'Campaigns need some more packages: `pip install "relaxdesign[campaign]"`, then start the app again.',
            icon=":material/download:",
        )
        return
    from relaxdesign.ui.components import campaign_list, campaign_view

    campaign_id = st.query_params.get("campaign")
    if campaign_id:
        campaign_view.draw(campaign_id)
    else:
        campaign_list.draw()


with guard("the campaigns"):
    draw()
