"""All campaigns, and the form for a new one."""

from __future__ import annotations

import streamlit as st

from relaxdesign.library import CampaignRecord, Campaigns
from relaxdesign.ui import navigation, server
from relaxdesign.ui.components import campaign_form, ownership
from relaxdesign.ui.text import STATES, escape, moment, plural

WIDTHS = [2.6, 1.2, 1.1, 2.2, 0.9]


def draw() -> None:
    """Form and list."""
    st.markdown("## Campaigns")
    campaigns = Campaigns(server.store()).list()
    with st.expander("New campaign", icon=":material/add:", expanded=not campaigns or "from" in st.query_params):
        campaign_form.draw()
    if not campaigns:
        st.caption(
            "A campaign computes a map: many targets, materials and seeds from one base. It goes on when this page "
            "is closed, and after a restart where it was."
        )
    for record in campaigns:
        _row(record)


def progress(record: CampaignRecord) -> float:
    return min(1.0, (record.done + record.failed) / max(1, record.total))


def _row(record: CampaignRecord) -> None:
    label, colour, icon = STATES[record.status]
    failed = f" · {record.failed} failed" if record.failed else ""
    about = f"{plural(record.designs, 'verified design')}{ownership.told(record)}"
    with st.container(border=True, key=f"campaign-{record.id}"):
        columns = st.columns(WIDTHS, vertical_alignment="center")
        columns[0].markdown(f"**{escape(record.name)}**  \n:gray[{about}]")
        columns[1].markdown(moment(record.created, st.context.timezone))
        columns[2].markdown(f":{colour}-badge[{icon} {label}]")
        columns[3].progress(progress(record), f"{record.done} of {plural(record.total, 'request')}{failed}")
        if columns[4].button("Open", key=f"open-{record.id}", icon=":material/open_in_new:", width="stretch"):
            st.switch_page(navigation.CAMPAIGNS, query_params={"campaign": record.id})
