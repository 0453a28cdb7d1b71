"""The page "Server": who runs what, how full the disks are, which versions serve; administrators stop all."""

from __future__ import annotations

import contextlib
import platform
import shutil

import streamlit as st

from relaxdesign.ui import server, visitor

server.wait()

from relaxdesign.library import (  # noqa: E402  (torch, see server.wait)
    LIVE_STATES,
    CampaignRecord,
    Campaigns,
    RunRecord,
    RunSearch,
    UnknownCampaign,
    UnknownRun,
)
from relaxdesign.people import named  # noqa: E402
from relaxdesign.ui import navigation  # noqa: E402
from relaxdesign.ui.errors import guard  # noqa: E402
from relaxdesign.ui.text import STATES, escape, moment, plural  # noqa: E402
from relaxdesign.version import __version__  # noqa: E402

MOST_SHOWN = 200


def draw() -> None:
    """The whole page."""
    st.markdown("## Server")
    runs = server.store().list_runs(MOST_SHOWN, search=RunSearch(status=LIVE_STATES, order="oldest"))
    campaigns = [campaign for campaign in Campaigns(server.store()).list(MOST_SHOWN) if campaign.status == "running"]
    _head(runs, campaigns)
    for campaign in campaigns:
        _row(campaign, navigation.CAMPAIGNS, "campaign")
    for run in runs:
        _row(run, navigation.DESIGN, "run")
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("#### Disks")
        _disks()
    with right:
        st.markdown("#### Limits and versions")
        _facts()


def _head(runs: list[RunRecord], campaigns: list[CampaignRecord]) -> None:
    text, button = st.columns([4, 1], vertical_alignment="center")
    waiting = sum(run.status == "queued" for run in runs)
    mapped = f"; {plural(len(campaigns), 'campaign')} running" if campaigns else ""
    text.markdown(f"**{plural(len(runs) - waiting, 'run')}** computed, **{waiting}** waiting{mapped}.")
    viewer = visitor.viewer()
    if viewer.admin:
        nothing = not runs and not campaigns
        if button.button("Stop all", icon=":material/stop:", key="stop-all", width="stretch", disabled=nothing):
            _confirm(runs, campaigns)
    elif viewer.known:
        st.caption("Private runs of others are not listed. Administrators stop the runs of all.")
    else:
        st.caption(
            "Without a login nobody is an administrator: `RELAXDESIGN_LOGIN` and `RELAXDESIGN_ADMINS` set one up "
            "(docs/server.md). On the machine itself: `relaxdesign runs --status running`."
        )


def _row(one: RunRecord | CampaignRecord, page: str, parameter: str) -> None:
    """One line. page, parameter: where it is opened, and what its id is called there."""
    label, colour, icon = STATES[one.status]
    name, whose, since, state, link = st.columns([3, 1.6, 1.6, 1.1, 0.9], vertical_alignment="center")
    name.markdown(f"**{escape(one.name)}**")
    whose.markdown(f":gray[{escape(named(one.author)) or 'of the command line'}]")
    since.markdown(moment(one.created, st.context.timezone))
    state.markdown(f":{colour}-badge[{icon} {label}]")
    if link.button("Open", key=f"server-open-{one.id}", icon=":material/open_in_new:"):
        st.switch_page(page, query_params={parameter: one.id})


@st.dialog("Stop all?", icon=":material/stop:")
def _confirm(runs: list[RunRecord], campaigns: list[CampaignRecord]) -> None:
    users = len({one.author for one in (*runs, *campaigns)})
    both = f"{plural(len(runs), 'run')} and {plural(len(campaigns), 'campaign')}"
    st.markdown(f"{both} of {plural(users, 'user')} will be stopped. What is finished is kept.")
    keep, end = st.columns(2)
    if keep.button("Let them run", width="stretch", key="let-all-run"):
        st.rerun()
    if end.button(
        "Stop all",
        type="primary",
        width="stretch",
        key="really-stop-all",
        on_click=_stop_all,
        args=(runs, campaigns),
    ):
        st.rerun()


def _stop_all(runs: list[RunRecord], campaigns: list[CampaignRecord]) -> None:
    for run in runs:
        with contextlib.suppress(UnknownRun):  # removed meanwhile
            server.visit().cancel(run.id)
    for campaign in campaigns:
        from relaxdesign.campaign import stop  # its packages are an extra

        with contextlib.suppress(UnknownCampaign):
            stop(campaign.id, server.store())


def _disks() -> None:
    """Free space where the library and its replays lie."""
    folders = {"Library": server.store().folder, "Replays": server.jobs().replays.folder}
    for name, folder in folders.items():
        if folder is None:
            st.markdown(f"{name}: in a database on a server")
            continue
        while not folder.exists():
            folder = folder.parent
        total, _, free = shutil.disk_usage(folder)
        st.progress(1 - free / total, f"{name}: {free / 1e9:,.1f} GB of {total / 1e9:,.0f} GB free")


def _facts() -> None:
    limits = server.jobs().limits
    engine = server.store().engine
    database = ".".join(map(str, engine.dialect.server_version_info or ()))
    st.markdown(
        f"- At once: {limits.running} computed, {limits.paused} paused\n"
        f"- Waiting: {limits.queued} of one user, {limits.queued_total} of all\n"
        f"- RelaxDesign {__version__}, Python {platform.python_version()}, Streamlit {st.__version__}\n"
        f"- Library in {engine.dialect.name} {database}"
    )


with guard("the server"):
    draw()
