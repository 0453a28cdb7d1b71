"""Whose a run is: said beside it, and asked before somebody else's is changed."""

from __future__ import annotations

import streamlit as st

from relaxdesign.library import RunRecord, UnknownRun
from relaxdesign.people import named
from relaxdesign.ui import server, visitor
from relaxdesign.ui.text import escape

_ASKED = "asked-to-stop"


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


def may_change(run: RunRecord) -> bool:
    return visitor.viewer().may_change(run.author)


def is_another_s(run: RunRecord) -> bool:
    """Whether a run is known to be somebody else's."""
    return visitor.viewer().is_asked_before(run.author)


def told(run: RunRecord) -> str:
    """Whose a run is, to be added to a line about it; nothing where that says nothing."""
    private = " · private" if run.private else ""
    if visitor.viewer().owns(run.author):
        return f" · yours{private}"
    return f" · of {escape(named(run.author))}{private}" if run.author else private


def warn(run: RunRecord, consequence: str = "") -> None:
    """Says that a run is somebody else's."""
    if is_another_s(run):
        st.warning(f"This run is of {escape(named(run.author))}. {consequence}", icon=":material/person_alert:")


def choose_private(run: RunRecord) -> bool | None:
    """A switch for whether others see a run; None where there is no login, and all is shared."""
    if not visitor.viewer().known:
        return None
    return st.toggle("Private", run.private, key="describe-private", help="Seen by its owner and administrators only")


def stop(run_id: str) -> None:
    """Stops a run, or asks first if it is somebody else's. Raises UnknownRun and NotYours."""
    visit = server.visit()
    if visit.may_change(run_id) and visit.is_asked_before(run_id):
        st.session_state[_ASKED] = run_id
    else:
        visit.cancel(run_id)


def ask_before_stopping(run_id: str) -> None:
    """The question that `stop` has raised. Drawn in the page: a dialog would close as the page redraws itself."""
    if st.session_state.get(_ASKED) != run_id:
        return
    try:
        run = server.store().run(run_id)
    except UnknownRun:
        return
    with st.container(border=True, key="ask-to-stop"):
        text, keep, end = st.columns([4, 1.1, 1.1], vertical_alignment="center")
        text.markdown(f":material/person_alert: This run is of **{escape(named(run.author))}**. Stop it all the same?")
        keep.button("Let it run", key=f"let-run-{run_id}", width="stretch", on_click=_answer)
        end.button("Stop it", key=f"stop-another-s-{run_id}", width="stretch", on_click=_answer, args=(run_id,))


def _answer(run_id: str | None = None) -> None:
    """run_id: of the run that shall be stopped."""
    st.session_state.pop(_ASKED, None)
    if run_id is not None:
        server.visit().cancel(run_id)
