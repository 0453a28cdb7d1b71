"""The page "Campaigns": many designs at once, started, watched and searched."""

import streamlit as st

from relaxdesign.ui import server

server.wait()

from relaxdesign.ui.errors import guard  # noqa: E402  (loads torch, see server.wait)


def draw() -> None:
    """The list of campaigns, or the one of the address (``?campaign=ID``)."""
    try:
        from relaxdesign.ui.components import campaign_list, campaign_view
    except ModuleNotFoundError as error:
        st.markdown("## Campaigns")
        st.info(f"Not ready yet: {error}. Install them, then start the app again.", icon=":material/download:")
        return
    campaign_id = st.query_params.get("campaign")
    if campaign_id:
        campaign_view.draw(campaign_id)
    else:
        campaign_list.draw()


with guard("the campaigns"):
    draw()
