"""Whose a run, a campaign or a catalogue is: said beside it, and asked before somebody else's is changed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import streamlit as st

from relaxdesign.library import CampaignRecord, CatalogueRecord, RunRecord, UnknownRun
from relaxdesign.people import named
from relaxdesign.ui import server, visitor
from relaxdesign.ui.text import escape

_ASKED = "asked-to-stop"
_PRIVATE = "Seen by its owner and administrators only"
_KINDS = {RunRecord: "run", CampaignRecord: "campaign", CatalogueRecord: "catalogue"}
Owned = RunRecord | CampaignRecord | CatalogueRecord


def say_who_sees() -> None:
    """One line: who else sees and changes what is in this library."""
    viewer = visitor.viewer()
    if not viewer.known:
        st.caption(
            ":material/group: This library is shared: everybody who can open this app sees its runs, and can stop, "
            "change and discard them."
        )
    elif viewer.admin:
        st.caption(":material/shield_person: You are an administrator: you see and change the runs of all.")
    else:
        st.caption(":material/lock: You see your runs and those that others share. Only yours can be changed by you.")


def limited() -> bool:
    """Whether some runs may not be changed by the visitor."""
    return visitor.viewer().limited


def may_change(one: Owned) -> bool:
    return visitor.viewer().may_change(one.author)


def is_another_s(one: Owned) -> bool:
    """Whether it is known to be somebody else's."""
    return visitor.viewer().is_asked_before(one.author)


def told(one: Owned) -> str:
    """Whose it is, to be added to a line about it; nothing where that says nothing."""
    private = " · private" if one.private else ""
    if visitor.viewer().owns(one.author):
        return f" · yours{private}"
    return f" · of {escape(named(one.author))}{private}" if one.author else private


def warn(one: Owned, consequence: str = "") -> None:
    """Says that it is somebody else's."""
    if is_another_s(one):
        text = f"This {_KINDS[type(one)]} is of {escape(named(one.author))}. {consequence}"
        st.warning(text, icon=":material/person_alert:")


def choose_private(run: RunRecord) -> bool | None:
    """A switch for whether others see a run; None where there is no login, and all is shared."""
    if not visitor.viewer().known:
        return None
    return st.toggle("Private", run.private, key="describe-private", help=_PRIVATE)


def switch_private(one: Owned, show: Callable[[str, bool], None]) -> None:
    """A switch that acts at once, where there is a login. show: called with the id and whether it is private."""
    if not visitor.viewer().known:
        return
    key = f"private-{one.id}"
    st.session_state[key] = one.private  # another page may have changed it
    st.toggle(
        "Private",
        key=key,
        disabled=not may_change(one),
        help=_PRIVATE,
        on_change=lambda: show(one.id, st.session_state[key]),
    )


def stop(run_id: str) -> None:
    """Stops a run, or asks first if it is somebody else's. Raises UnknownRun and NotYours."""
    visit = server.visit()
    if visit.may_change(run_id) and visit.is_asked_before(run_id):
        ask(run_id)
    else:
        visit.cancel(run_id)


def ask_before_stopping(run_id: str) -> None:
    """The question that `stop` has raised."""
    if st.session_state.get(_ASKED) == run_id:
        with contextlib.suppress(UnknownRun):
            question(server.store().run(run_id), server.visit().cancel)


def ask(one_id: str) -> None:
    """Has `question` drawn. A callback."""
    st.session_state[_ASKED] = one_id


def question(one: Owned, stop: Callable[[str], None]) -> None:
    """Whether to stop what is somebody else's, if that was asked.

    Drawn in the page: a dialog would close as the page redraws itself.
    """
    if st.session_state.get(_ASKED) != one.id:
        return
    with st.container(border=True, key="ask-to-stop"):
        text, keep, end = st.columns([4, 1.1, 1.1], vertical_alignment="center")
        whose = f"This {_KINDS[type(one)]} is of **{escape(named(one.author))}**"
        text.markdown(f":material/person_alert: {whose}. Stop it all the same?")
        keep.button("Let it run", key=f"let-run-{one.id}", width="stretch", on_click=_answer)
        end.button("Stop it", key=f"stop-another-s-{one.id}", width="stretch", on_click=_answer, args=(one.id, stop))


def _answer(one_id: str = "", stop: Callable[[str], None] | None = None) -> None:
    """stop: with the id, unless it shall go on."""
    st.session_state.pop(_ASKED, None)
    if stop is not None:
        stop(one_id)
