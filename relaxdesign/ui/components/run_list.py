"""The runs of the library: search, filters, and what can be done with each."""

from __future__ import annotations

import contextlib

import streamlit as st

from relaxdesign.library import LIVE_STATES, NotYours, RunRecord, RunSearch, UnknownRun
from relaxdesign.library.searching import RunOrder
from relaxdesign.study.result import Design
from relaxdesign.ui import navigation, server
from relaxdesign.ui.colours import ModulusScale
from relaxdesign.ui.components import ownership, paging, pictures
from relaxdesign.ui.text import STATES, duration, escape, moment, percent, plural

PAGE_SIZE = 20
OF_ONE_VALUE = "Of runs that ask for one value of K; a word of the name finds the others"
WIDTHS = [0.45, 2.6, 1.1, 1.1, 1.3, 0.8, 1.5]
FAVOURITE = "favourite"
"""The tag of runs that were starred."""

_ORDERS: dict[RunOrder, str] = {"newest": "Newest first", "oldest": "Oldest first", "error": "Smallest error first"}


def draw() -> None:
    """Search, rows and pages."""
    _undo()
    if server.store().count_runs() == 0 and not server.store().count_runs(RunSearch(deleted=True)):
        with st.container(border=True, horizontal_alignment="center"):
            st.markdown("**No runs yet**  \nEvery run is kept here with its designs, from the moment you press Design.")
            st.page_link(navigation.DESIGN, label="Start a design", icon=":material/play_arrow:")
        return
    search = _search()
    count = server.store().count_runs(search)
    first = paging.position("runs_first", count, PAGE_SIZE, search)
    runs = server.store().list_runs(PAGE_SIZE, first, search)
    if not runs:
        st.info("No run matches. Fewer words or a wider target usually help.", icon=":material/search_off:")
        return
    for column, title in zip(
        st.columns(WIDTHS), ("", plural(count, "run"), "Started", "State", "Designs", "Best error", ""), strict=True
    ):
        column.caption(title)
    for run in runs:
        _row(run)
    paging.buttons("runs_first", first, count, PAGE_SIZE)


def _search() -> RunSearch:
    text, order, filters = st.columns([3, 1.2, 1], vertical_alignment="bottom")
    words = text.text_input(
        "Search", placeholder="Words of a name, note, tag or material", key="runs_text", icon=":material/search:"
    )
    chosen = order.selectbox("Order", list(_ORDERS), format_func=_ORDERS.__getitem__, key="runs_order")
    with filters.popover("Filters", icon=":material/tune:", width="stretch"):
        status = st.multiselect("State", list(STATES), format_func=lambda state: STATES[state][0], key="runs_status")
        tags = st.multiselect("Tags", list(server.store().tags()), key="runs_tags", placeholder="Any")
        material = st.text_input("Material", placeholder="Part of its name", key="runs_material")
        low, high = st.columns(2)
        target = (
            low.number_input(
                "K wanted from, GPa", 0.0, value=None, key="runs_low", placeholder="any", help=OF_ONE_VALUE
            ),
            high.number_input("to, GPa", 0.0, value=None, key="runs_high", placeholder="any"),
        )
    return RunSearch(words, tuple(status), tuple(tags), material, target, order=chosen)


def _row(run: RunRecord) -> None:
    label, colour, icon = STATES[run.status]
    request = run.request
    best = "–" if run.best_error is None else percent(run.best_error).lstrip("+")
    computed = "" if run.seconds is None else f" :gray[in {duration(run.seconds)}]"
    tags = " ".join(f":blue-badge[{escape(tag)}]" for tag in run.tags if tag != FAVOURITE)
    notes = f"  \n:small[{escape(run.notes[:160])}]" if run.notes else ""
    with st.container(border=True, key=f"run-{run.id}"):
        thumbnail, *columns = st.columns(WIDTHS, vertical_alignment="center")
        if run.design_count and run.status not in LIVE_STATES and (design := _first(run.id, run.design_count)):
            with thumbnail.container(key=f"thumbnail-{run.id}"):
                pictures.show(design, f"card-{run.id}-{design.index}", ModulusScale.of(request))
        told = f"{_request(run)} · seed {request.seed}{ownership.told(run)}"
        columns[0].markdown(f"**{escape(run.name)}** {tags}  \n:gray[{told}]{notes}")
        columns[1].markdown(moment(run.created, st.context.timezone))
        columns[2].markdown(f":{colour}-badge[{icon} {label}]")
        columns[3].markdown(f"{run.design_count} of {request.count}{computed}")
        columns[4].markdown(best)
        # As wide as their texts: a narrow column would cut them.
        with columns[5].container(horizontal=True, horizontal_alignment="right", gap="small"):
            _star(run)
            if st.button("Open", key=f"open-{run.id}", icon=":material/open_in_new:"):
                st.switch_page(navigation.DESIGN, query_params={"run": run.id})
            _menu(run)


@st.cache_data(show_spinner=False, max_entries=200)
def _first(run_id: str, count: int) -> Design | None:
    """The first verified design of a run."""
    return next((design for design in server.store().designs(run_id) if design.ok), None)


def _star(run: RunRecord) -> None:
    starred = FAVOURITE in run.tags
    st.button(
        "No favourite any more" if starred else "Favourite", key=f"icon-star-{run.id}", type="tertiary",
        icon=":material/star:" if starred else ":material/star_border:", disabled=not ownership.may_change(run),
        help=f"{'Takes away' if starred else 'Gives'} the tag “{FAVOURITE}”, which can be searched for",
        on_click=_toggle_star, args=(run,),
    )  # fmt: skip


def _toggle_star(run: RunRecord) -> None:
    tags = [tag for tag in run.tags if tag != FAVOURITE]
    with contextlib.suppress(UnknownRun, NotYours):
        server.store().describe(run.id, tags=tags if FAVOURITE in run.tags else [*tags, FAVOURITE])


def _request(run: RunRecord) -> str:
    """What was asked for, as far as the name does not say it."""
    request = run.request
    asked = "" if request.title in run.name else f"{escape(request.title)}, {request.dim}D · "
    return f"{asked}{plural(request.count, 'candidate')} · {request.steps} steps"


def _menu(run: RunRecord) -> None:
    live, another_s = run.status in LIVE_STATES, ownership.is_another_s(run)
    with st.popover("More", icon=":material/more_vert:", help="Repeat, describe, discard", key=f"icon-menu-{run.id}"):
        if st.button(
            "Re-run with changes",
            key=f"again-{run.id}",
            icon=":material/replay:",
            type="tertiary",
            help="Opens the design page with the settings of this run",
        ):
            st.switch_page(navigation.DESIGN, query_params={"from": run.id})
        if st.button(
            "Name, tags, notes",
            key=f"describe-{run.id}",
            icon=":material/edit:",
            type="tertiary",
            disabled=not ownership.may_change(run),
        ):
            _describe(run)
        pressed = st.button(
            "Discard",
            key=f"discard-{run.id}",
            icon=":material/delete:",
            type="tertiary",
            help="Stop the run before you discard it" if live else "Into the bin, from where it can be taken back",
            disabled=live or not ownership.may_change(run),
            on_click=None if another_s else _discard,
            args=(run,),
        )
    if pressed and another_s:
        _confirm_discarding(run)


@st.dialog("Describe this run", icon=":material/edit:")
def _describe(run: RunRecord) -> None:
    ownership.warn(run, "What you write here is read by its owner, too.")
    name = st.text_input("Name", run.name, max_chars=200, key="describe-name")
    tags = st.multiselect(
        "Tags",
        sorted({*server.store().tags(), *run.tags}),
        list(run.tags),
        accept_new_options=True,
        key="describe-tags",
        placeholder="Choose or write tags",
    )
    notes = st.text_area("Notes", run.notes, max_chars=10_000, key="describe-notes")
    private = ownership.choose_private(run)
    if st.button("Save", type="primary", key="describe-save", width="stretch"):
        with contextlib.suppress(UnknownRun, NotYours):  # somebody removed it meanwhile
            server.store().describe(run.id, name=name, notes=notes, tags=tags, private=private)
        st.rerun()


@st.dialog("Discard this run?", icon=":material/delete:")
def _confirm_discarding(run: RunRecord) -> None:
    """Asks before somebody else's run goes into the bin."""
    ownership.warn(run, "It will be in the bin, from where anybody can take it back.")
    keep, drop = st.columns(2)
    if keep.button("Keep", width="stretch", key="keep-another-s"):
        st.rerun()
    if drop.button("Discard", type="primary", width="stretch", key="discard-another-s"):
        _discard(run)
        st.rerun()


def _discard(run: RunRecord) -> None:
    with contextlib.suppress(UnknownRun, NotYours):
        server.store().discard(run.id)
        st.session_state["discarded"] = (run.id, run.name)


def _undo() -> None:
    """Says what was discarded last, and takes it back."""
    if "discarded" not in st.session_state:
        return
    run_id, name = st.session_state["discarded"]

    def restore() -> None:
        del st.session_state["discarded"]
        with contextlib.suppress(UnknownRun, NotYours):
            server.store().restore(run_id)

    with st.container(border=True, key="undo"):
        text, button = st.columns([5, 1], vertical_alignment="center")
        text.markdown(f":material/delete: **{escape(name)}** was put into the bin.")
        button.button("Undo", key="undo-discard", icon=":material/undo:", width="stretch", on_click=restore)
