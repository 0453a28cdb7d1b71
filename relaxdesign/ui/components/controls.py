"""The request in the sidebar: every setting of a run, checked while it is set.

Beside a run it is a fragment: moving a slider redraws the sidebar only, however much is streamed there.
"""

from __future__ import annotations

import streamlit as st
from pydantic import ValidationError
from streamlit.delta_generator import DeltaGenerator

from relaxdesign.microstructure import FAMILIES
from relaxdesign.server import JobLimit
from relaxdesign.study.methods import METHODS
from relaxdesign.study.presets import PRESETS
from relaxdesign.study.request import DesignRequest, problems, read_request, request_file
from relaxdesign.ui import navigation, server
from relaxdesign.ui.components import begun, catalogues, materials_form, objectives, settings, together
from relaxdesign.ui.errors import guard
from relaxdesign.ui.text import NOTE_2D, asked, duration, escape

DEFAULT = DesignRequest.model_validate({"target_bulk": 120.0})

LONGEST_PROBLEM = 300


def load(request: DesignRequest) -> None:
    """Sets all controls to a request, e.g. of a reopened run. Call it before ``render``."""
    st.session_state["kept"] = request
    settings.fill(request)
    catalogues.load(request.materials_csv)
    materials_form.load_phases(request.phases)
    objectives.load(request)


def render(*, alone: bool) -> None:
    """Draws the controls; "Design" queues the run and puts its id into the address.

    alone: a change redraws the sidebar only, else the page too.
    """
    prepare()
    with st.sidebar:
        (_form_alone if alone else _form)()


def prepare() -> None:
    """Sets the controls to the default request where nothing has set them yet."""
    if "kept" not in st.session_state:
        load(DEFAULT)


def _kept() -> DesignRequest:
    """The request that was loaded; what it set beyond these controls is kept."""
    return st.session_state["kept"]


@st.fragment
def _form_alone() -> None:
    _form()


def _form() -> None:
    with guard("the settings"):
        _draw()


def _draw() -> None:
    catalogues.refresh()
    dimensions = server.dimensions()
    if not dimensions:
        st.error(
            "No trained prior is installed, so nothing can be designed. Put one into `models/` "
            "(`relaxdesign train` makes one), then reload the page.",
            icon=":material/model_training:",
        )
    _presets()
    settings.draw("cell", special={"dim": {"choices": {dim: f"{dim}D" for dim in dimensions}}})
    begun.draw()
    chart = _objectives()
    conflict = st.container()
    settings.draw("sampling")
    with st.expander("Materials", icon=":material/category:"):
        materials_form.draw()
    with st.expander("Advanced", icon=":material/settings:"):
        _advanced()
    request, problem = _request(chart)
    if problem:
        chart.warning(problem, icon=":material/info:")
    elif request is not None:
        with conflict:
            together.conflict(request)
    pressed = st.button(
        "Design",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=request is None or not dimensions,
        key="design",
    )
    _below(request)
    if pressed and request is not None:
        _submit(request)


def _objectives() -> DeltaGenerator:
    """The controls of the objectives; returns the place for the chart of the first one."""
    objectives.first_target()
    chart = st.container()
    objectives.low_density()
    if entries := objectives.entries():
        objectives.whole_stiffness(entries)
    rows = [row for row in st.session_state["rows"] if row not in entries]
    title = f"Further objectives ({len(rows)})" if rows else "Further objectives"
    with st.expander(title, icon=":material/tune:", expanded=bool(rows)):
        objectives.further(rows)
    return chart


def _submit(request: DesignRequest) -> None:
    """Queues the run and shows it, or says why it has to wait."""
    try:
        st.query_params["run"] = server.submit(request)
    except JobLimit as limit:
        st.warning(str(limit), icon=":material/front_hand:")
    else:
        st.rerun()


def _below(request: DesignRequest | None) -> None:
    """How long it will take, what 2D means, and the request as a file."""
    if request is not None and (estimate := server.estimated(request)) is not None:
        st.caption(f"Takes about **{duration(round(estimate.seconds))}** on this machine, when it is not busy.")
    st.caption(NOTE_2D if st.session_state["dim"] == 2 else "3D unit cell, periodic.")
    if request is not None:
        st.download_button(
            "Request as a file",
            request_file(request),
            file_name="request.json",
            mime="application/json",
            icon=":material/download:",
            width="stretch",
            key="request_file",
            help="All settings; a colleague opens it here, or runs: relaxdesign design --request request.json",
        )
        st.page_link(
            navigation.CAMPAIGNS,
            label="Vary this in a campaign",
            icon=":material/grid_view:",
            query_params={"from": "settings"},
        )


def _presets() -> None:
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    chosen = st.session_state.get("preset")
    # Closed by a choice: what is open would cover the page that shows it.
    with left.popover(chosen or "Start from a preset …", width="stretch", key=f"presets-{chosen}"):
        st.radio(
            "Start from",
            list(PRESETS),
            index=None,
            captions=[preset.about for preset in PRESETS.values()],
            key="preset",
            on_change=_use_preset,
            label_visibility="collapsed",
        )
    turn = st.session_state.get("opened_files", 0)  # what was read closes the list and empties it
    title, key = "Open a request file", f"icon-open-request-{turn}"
    with right.popover(title, icon=":material/upload_file:", help=title, key=key):
        file = st.file_uploader(
            "Request file (JSON)", type="json", key=f"request_upload-{turn}",
            max_upload_size=materials_form.LARGEST_UPLOAD_MB,
        )  # fmt: skip
        if file is not None:
            try:
                request = st.session_state["to_load"] = _read(file.getvalue())
            except ValueError as error:
                st.error(f"This request cannot be used: {escape(_told(error))}")
            else:
                st.session_state["opened_files"] = turn + 1
                st.toast(f"{escape(file.name)} is open: {escape(asked(request))}", icon=":material/check:")
                st.rerun()
    if chosen:
        about = PRESETS[chosen].about
        st.caption(f"{about[:1].upper()}{about[1:]}.")
        if lacking := st.session_state.get("preset_lacks"):
            st.warning(f"The shipped materials are used: yours have no {escape(lacking)}.", icon=":material/category:")


def _read(content: bytes) -> DesignRequest:
    """A request file. Raises ValueError, also for categories and materials that do not exist."""
    request = read_request(content)
    own = request.materials_csv
    materials = server.catalogue() if own is None else server.own_catalogue(own)
    materials.select(categories=request.categories, flagged=request.flagged, exclude=request.exclude)
    return request


def _told(error: ValueError) -> str:
    """What is wrong with a request, short: what it quotes may be a whole file."""
    texts = problems(error) if isinstance(error, ValidationError) else [str(error)]
    return "; ".join(text if len(text) <= LONGEST_PROBLEM else f"{text[:LONGEST_PROBLEM]} …" for text in texts[:3])


def load_waiting() -> None:
    """Takes over a request that was opened from a file; to be called before any widget is drawn."""
    if (request := st.session_state.pop("to_load", None)) is not None:
        load(request)


def _use_preset() -> None:
    """Takes over a preset; own materials stay in use if they have all that it names."""
    if not (chosen := st.session_state["preset"]):
        return
    state = st.session_state
    request = DesignRequest.model_validate({"dim": state["dim"]} | PRESETS[chosen].fields)
    state["preset_lacks"] = "" if state["materials_csv"] is None else catalogues.lacks(request)
    own = None if state["preset_lacks"] else state["materials_csv"]
    load(request.model_copy(update={"materials_csv": own}))


def _advanced() -> None:
    methods = {name: f"{name}: {method.description}" for name, method in METHODS.items()}
    families = {name: family.title for name, family in FAMILIES.items()}
    settings.draw("search", special={"method": {"choices": methods}, "family": {"choices": families}})
    if METHODS[st.session_state["method"]].guidance:
        settings.draw("guidance")
    settings.draw("finishing")
    elsewhere = {"materials_csv", "start_cell", "start_noise"}  # told with the materials, and by `begun`
    kept = [name for name in settings.kept(_kept(), DEFAULT) if name not in elsewhere]
    if kept:
        st.caption(f"As in the opened request: {', '.join(kept)}.")


def _request(chart: DeltaGenerator) -> tuple[DesignRequest | None, str]:
    """The request as set, or None and what is wrong with it."""
    with chart:
        try:
            objectives.distribution(objectives.quantity(), "target_chart")
        except ValueError as error:
            return None, str(error)
    try:
        request = current()
    except ValidationError as error:
        return None, _told(error)
    refusal = server.refusal(request)
    return (None, refusal) if refusal else (request, "")


def current() -> DesignRequest:
    """The request as it is set, whichever page is shown. Raises pydantic.ValidationError."""
    if "kept" not in st.session_state:
        return DEFAULT
    special = {"objectives": objectives.current(), "materials_csv": st.session_state["materials_csv"]}
    return DesignRequest.model_validate(settings.fields(_kept()) | special)
