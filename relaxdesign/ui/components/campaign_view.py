"""One campaign: how far it is, its map, and what can be taken along."""

from __future__ import annotations

import contextlib

import streamlit as st

from relaxdesign.campaign import resume, stop
from relaxdesign.library import CampaignRecord, Campaigns, NotYours, RunSearch, UnknownCampaign
from relaxdesign.ui import navigation, server
from relaxdesign.ui.components import campaign_list, campaign_map, ownership
from relaxdesign.ui.errors import guard
from relaxdesign.ui.text import STATES, duration, escape, plural

POLL_S = 2.0


def draw(campaign_id: str) -> None:
    """The whole page; redrawn by itself while the campaign runs."""
    st.button(
        "All campaigns",
        key="all-campaigns",
        icon=":material/arrow_back:",
        type="tertiary",
        on_click=st.query_params.clear,
    )
    try:
        record = Campaigns(server.store()).get(campaign_id)
    except UnknownCampaign:
        st.warning("There is no such campaign in this library; it may have been removed.", icon=":material/search_off:")
        return
    running = record.status == "running"
    st.fragment(_head, run_every=POLL_S if running else None)(campaign_id, running)
    if record.failed:
        _failures(record)
    # The map is redrawn less often: a brush must have time to be drawn.
    st.fragment(_map, run_every=10.0 if running else None)(campaign_id)


def _map(campaign_id: str) -> None:
    with guard("the map"):
        campaign_map.draw(Campaigns(server.store()).get(campaign_id))


def _head(campaign_id: str, was_running: bool) -> None:
    with guard("the campaign"):
        try:
            record = Campaigns(server.store()).get(campaign_id)
        except UnknownCampaign:
            st.rerun()
        if was_running and record.status != "running":
            st.rerun()  # what is below changes too, and the polling ends
        label, colour, icon = STATES[record.status]
        title, actions = st.columns([3, 1.4], vertical_alignment="center")
        title.markdown(f"## {escape(record.name)} :{colour}-badge[{icon} {label}]")
        with actions:
            _actions(record)
        if record.status == "running":
            ownership.question(record, _stop)
        st.progress(campaign_list.progress(record), f"{_pace(record)}{ownership.told(record)}")
        if record.error:
            st.error(escape(record.error), icon=":material/error:")
        if record.status == "interrupted":
            st.warning(
                "Its process has given no sign of life for a while. What was finished is kept; **Go on** computes the "
                "rest.",
                icon=":material/power_off:",
            )


def _pace(record: CampaignRecord) -> str:
    """Numbers under the bar: throughput and what is left."""
    ended = record.done + record.failed
    parts = [f"{ended} of {plural(record.total, 'request')}", plural(record.designs, "verified design")]
    if ended and record.seconds:
        parts.append(f"{60 * ended / record.seconds:.3g} requests a minute")
        if record.status == "running":
            parts.append(f"about {duration(round((record.total - ended) * record.seconds / ended))} left")
    elif record.status == "running":
        parts.append("workers are starting")
    return " · ".join(parts)


def _actions(record: CampaignRecord) -> None:
    fixed = not ownership.may_change(record)
    with st.container(horizontal=True, horizontal_alignment="right"):
        ownership.switch_private(record, _show)
        if record.status == "running":
            if record.dashboard:
                st.link_button(
                    "Dashboard",
                    record.dashboard,
                    icon=":material/monitoring:",
                    help="Dask's own pages about workers and memory, on the machine that computes",
                )
            st.button(
                "Stop",
                icon=":material/stop:",
                key="campaign-stop",
                disabled=fixed,
                on_click=ownership.ask if ownership.is_another_s(record) else _stop,
                args=(record.id,),
            )
            return
        if record.done + record.failed < record.total:
            st.button(
                "Go on",
                icon=":material/play_arrow:",
                key="campaign-resume",
                disabled=fixed,
                on_click=_resume,
                args=(record.id, False),
            )
        if record.failed:
            st.button(
                "Try failed again",
                icon=":material/replay:",
                key="campaign-retry",
                disabled=fixed,
                on_click=_resume,
                args=(record.id, True),
            )
        if st.button("Remove", icon=":material/delete:", type="tertiary", key="campaign-remove", disabled=fixed):
            _confirm(record)


def _stop(campaign_id: str) -> None:
    with contextlib.suppress(UnknownCampaign, NotYours):
        stop(campaign_id, server.store())
        st.toast("It stops as soon as the steps at hand are done.", icon=":material/stop:")


def _resume(campaign_id: str, retry_failed: bool) -> None:
    with contextlib.suppress(UnknownCampaign, NotYours):
        resume(campaign_id, server.store(), retry_failed=retry_failed)


def _show(campaign_id: str, private: bool) -> None:
    with contextlib.suppress(UnknownCampaign, NotYours):
        Campaigns(server.store()).show(campaign_id, private=private)


@st.dialog("Remove this campaign?", icon=":material/delete_forever:")
def _confirm(record: CampaignRecord) -> None:
    ownership.warn(record)
    st.markdown(
        f"**{escape(record.name)}** with {plural(record.designs, 'verified design')} will be removed from the library. "
        "This cannot be undone; the files in its folder stay."
    )
    keep, drop = st.columns(2)
    if keep.button("Keep", width="stretch", key="campaign-keep"):
        st.rerun()
    if drop.button("Remove", type="primary", width="stretch", key="campaign-really-remove"):
        with contextlib.suppress(UnknownCampaign, NotYours):
            Campaigns(server.store()).delete(record.id)
        st.switch_page(navigation.CAMPAIGNS)


def _failures(record: CampaignRecord) -> None:
    with st.expander(f"{plural(record.failed, 'request')} without a result", icon=":material/error:"):
        runs = server.store().list_runs(100, 0, RunSearch(campaign=record.id, status=("failed",)))
        for run in runs:
            st.caption(f"**{escape(run.name)}**, seed {run.request.seed}: {escape(run.error)}")
