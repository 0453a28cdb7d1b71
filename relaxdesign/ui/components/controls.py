"""The request in the sidebar: every setting of a run, checked while it is set.

Beside a run it is a fragment: moving a slider redraws the sidebar only, however much is streamed there.
"""

from __future__ import annotations

from typing import Any, get_args

import streamlit as st
from pydantic import ValidationError
from streamlit.delta_generator import DeltaGenerator

from relaxdesign.materials import decode_table
from relaxdesign.materials.catalogue import Catalogue, CatalogueError
from relaxdesign.physics.quantities import format_value
from relaxdesign.server import JobLimit
from relaxdesign.study.methods import DESCRIPTIONS
from relaxdesign.study.request import DesignRequest, SamplerChoice, Schedule, problems, request_file
from relaxdesign.ui import navigation, server
from relaxdesign.ui.components import ashby, objectives, offer
from relaxdesign.ui.errors import guard
from relaxdesign.ui.text import NOTE_2D, duration, escape, plural, significant

DEFAULT = DesignRequest.model_validate({"target_bulk": 120.0})

# The largest whole number that a browser holds exactly.
LARGEST_SEED = 2**53 - 1
LARGEST_UPLOAD_MB = 1
MOST_PROBLEMS = 10
LONGEST_PROBLEM = 300

# Session keys of the widgets; the values stay when another page is visited.
_FIELDS = ("dim", "count", "steps", "seed", "categories", "exclude", "flagged", "method", "family", "boundary")
_SWITCHES = ("refine", "distinct")
_GUIDANCE = ("sampler", "mean", "variance", "schedule", "recurrence")


def load(request: DesignRequest) -> None:
    """Sets all controls to a request, e.g. of a reopened run. Call it before ``render``."""
    state = st.session_state
    for name in (*_FIELDS, *_SWITCHES):
        value = getattr(request, name)
        state[name] = list(value or ()) if name in ("categories", "exclude") else value
    for name in _GUIDANCE:
        state[name] = getattr(request.guidance, name)
    state["seed"] = min(request.seed, LARGEST_SEED)
    state["materials_csv"], state["reading_warnings"] = request.materials_csv, ()
    state["kept"] = request
    objectives.load(request)


def render(*, alone: bool) -> None:
    """Draws the controls; "Design" queues the run and puts its id into the address.

    alone: a change redraws the sidebar only, else the page too.
    """
    if "kept" not in st.session_state:
        load(DEFAULT)
    with st.sidebar:
        (_form_alone if alone else _form)()


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
    dimensions = server.dimensions()
    if not dimensions:
        st.error(
            "No trained prior is installed, so nothing can be designed. Put one into `models/` "
            "(`relaxdesign train` makes one), then reload the page.",
            icon=":material/model_training:",
        )
    _presets()
    if len(dimensions) > 1:
        st.segmented_control(
            "Dimension", dimensions, format_func="{}D".format, key="dim", required=True, persist_state="session"
        )
    objectives.first_target()
    chart = st.container()
    objectives.low_density()
    rows = len(st.session_state["rows"])
    title = f"Further objectives ({rows})" if rows else "Further objectives"
    with st.expander(title, icon=":material/tune:", expanded=rows > 0):
        objectives.further()
    left, middle, right = st.columns(3)
    left.number_input("Candidates", 1, 64, step=1, key="count", persist_state="session")
    middle.number_input(
        "Steps",
        2,
        1000,
        step=5,
        key="steps",
        persist_state="session",
        help="Denoising steps. 30 is a good default; fewer are quicker and a little less precise.",
    )
    right.number_input(
        "Seed", 0, LARGEST_SEED, step=1, key="seed", persist_state="session", help="Same seed, same designs."
    )
    with st.expander("Materials", icon=":material/category:"):
        _materials()
    with st.expander("Advanced", icon=":material/settings:"):
        _advanced()
    request, problem = _request(chart)
    if problem:
        chart.warning(problem, icon=":material/info:")
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
        try:
            st.query_params["run"] = server.submit(request)
        except JobLimit as limit:
            st.warning(str(limit), icon=":material/front_hand:")
        else:
            st.rerun()


def _below(request: DesignRequest | None) -> None:
    """How long it will take, what 2D means, and the request as a file."""
    if request is not None and (seconds := server.estimated_seconds(request)) is not None:
        st.caption(f"Takes about **{duration(round(seconds))}** on this machine, when it is not busy.")
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
    left.selectbox(
        "Start from",
        list(objectives.PRESETS),
        index=None,
        placeholder="a preset …",
        key="preset",
        on_change=_use_preset,
        label_visibility="collapsed",
    )
    with right.popover(
        "Open a request file", icon=":material/upload_file:", help="Open a request file", key="icon-open-request"
    ):
        file = st.file_uploader(
            "Request file (JSON)", type="json", key="request_upload", max_upload_size=LARGEST_UPLOAD_MB
        )
        if file is not None and st.session_state.get("opened_file") != file.file_id:
            st.session_state["opened_file"] = file.file_id
            try:
                st.session_state["to_load"] = _read(file.getvalue())
            except ValueError as error:
                st.error(f"This request cannot be used: {escape(_told(error))}")
            else:
                st.rerun()


def _read(content: bytes) -> DesignRequest:
    """A request file. Raises ValueError, also for categories and materials that do not exist."""
    request = DesignRequest.model_validate_json(content)
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
    preset = objectives.PRESETS.get(st.session_state["preset"] or "")
    if preset is not None:
        values = {"dim": st.session_state["dim"]} | preset
        load(DesignRequest.model_validate(values))


def _materials() -> None:
    materials = offer.catalogue()
    st.multiselect(
        "Material categories",
        materials.categories,
        format_func=str.capitalize,
        placeholder="All categories",
        key="categories",
        persist_state="session",
    )
    names = {material.id: material.name for material in materials.materials}
    st.multiselect(
        "Not these materials",
        list(names),
        format_func=names.__getitem__,
        placeholder="None left out",
        key="exclude",
        persist_state="session",
    )
    flagged = sum(bool(material.flag) for material in materials.materials)
    st.toggle(
        "Include flagged materials",
        key="flagged",
        persist_state="session",
        disabled=flagged == 0,
        help=f"{flagged} of {len(materials)} materials are flagged, as toxic or exotic for instance. "
        "They are left out unless you include them.",
    )
    _own_materials()


def _own_materials() -> None:
    if st.session_state["materials_csv"] is not None:
        materials = offer.catalogue()
        st.caption(f"Your own catalogue of {plural(len(materials), 'material')} is used.")
        for warning in st.session_state.get("reading_warnings") or materials.warnings:
            st.warning(escape(warning))
        st.button("Use the shipped materials", on_click=_offer_materials, args=(None,), key="drop_own", width="stretch")
        return
    file = st.file_uploader(
        "Own materials (CSV)",
        type=["csv", "tsv", "txt"],
        key="materials_upload",
        max_upload_size=LARGEST_UPLOAD_MB,
        on_change=_take_own,
        help="Columns id, name, E_GPa, nu, rho_g_cm3; optional: category, kind, K_GPa, G_GPa, k_W_mK, cte_1e-6_K, "
        "price_per_kg, flag, source, url. Other units in headings: E (MPa), rho (kg/m3).",
    )
    if file is not None and (wrong := st.session_state.get("wrong_rows")):
        first = f" The first {MOST_PROBLEMS}:" if len(wrong) > MOST_PROBLEMS else ""
        st.error(f"{plural(len(wrong), 'problem')} in {escape(file.name)}; nothing was changed.{first}")
        st.table({"What is wrong": [escape(text) for text in wrong[:MOST_PROBLEMS]]}, hide_index=True)


def _take_own() -> None:
    """Offers the uploaded materials, or keeps what is wrong with them to be shown."""
    state = st.session_state
    state["wrong_rows"] = ()
    if (file := state["materials_upload"]) is None:
        return
    with guard("your own materials"):
        try:
            text, warnings = decode_table(file.getvalue())
            materials = Catalogue.from_text(text, warnings)
        except CatalogueError as error:
            state["wrong_rows"] = error.problems
        else:
            _offer_materials(text, materials.warnings)


def _offer_materials(csv: str | None, warnings: tuple[str, ...] = ()) -> None:
    """Own materials, None: the shipped ones. A callback, since what is ticked was of the other materials."""
    state = st.session_state
    state["materials_csv"], state["reading_warnings"] = csv, warnings
    state["categories"], state["exclude"] = [], []


def _advanced() -> None:
    st.selectbox(
        "Method",
        list(DESCRIPTIONS),
        format_func=lambda name: f"{name}: {DESCRIPTIONS[name]}",
        key="method",
        persist_state="session",
        help="How designs are found. Guided diffusion is the default; the others are what it is compared with.",
    )
    st.segmented_control(
        "Family",
        ("particles", "free-form"),
        key="family",
        required=True,
        persist_state="session",
        help="Particles: equal ones, placed anew. Free form: the sampled phase map itself, for properties that "
        "depend on direction.",
    )
    st.segmented_control(
        "Boundary condition", ("periodic", "kubc"), key="boundary", required=True, persist_state="session"
    )
    if st.session_state["method"] == "guided":
        st.selectbox(
            "Sampler",
            get_args(SamplerChoice),
            format_func=lambda name: "by the number of steps" if name == "auto" else name,
            key="sampler",
            persist_state="session",
        )
        left, right = st.columns(2)
        left.number_input("On the estimate", 0.0, 2.0, step=0.1, key="mean", persist_state="session",
                          help="Weight of the step on the clean estimate (mean guidance).")  # fmt: skip
        right.number_input("Through the net", 0.0, 2.0, step=0.1, key="variance", persist_state="session",
                           help="Weight of the step on the noisy sample, through the network.")  # fmt: skip
        left, right = st.columns(2)
        left.selectbox("Both weights", get_args(Schedule), key="schedule", persist_state="session",
                       help="Over the steps: the same, rising from 0, or falling to 0.")  # fmt: skip
        right.number_input("Recurrences", 1, 8, step=1, key="recurrence", persist_state="session",
                           help="How often each noise level is repeated.")  # fmt: skip
    st.toggle("Refine onto the targets", key="refine", persist_state="session")
    st.toggle(
        "Different materials in every design",
        key="distinct",
        persist_state="session",
        help="No two designs are of the same two materials; kinds that no other design has come first.",
    )
    kept = [name for name in ("prior", "start") if getattr(_kept(), name) != getattr(DEFAULT, name)]
    if kept:
        st.caption(f"As in the opened request: {', '.join(kept)}.")


def _request(chart: DeltaGenerator) -> tuple[DesignRequest | None, str]:
    """The request as set, or None and what is wrong with it."""
    name = objectives.quantity()
    try:
        offered, reachable = offer.selected(), offer.reachable(name)
    except ValueError as error:
        return None, str(error)
    with chart:
        if (scale := offer.scale(name)) and name in ashby.AXES:
            figure = ashby.strip(name, offered, offer.catalogue(), scale, reachable, objectives.intervals()[name])
            low, high = (format_value(name, end) for end in reachable)
            alt = f"Materials by {objectives.QUANTITIES[name].label}; reachable are {low} to {high}"
            st.plotly_chart(figure, key="target_chart", config={"displayModeBar": False}, alt=alt)
        st.caption(f"{_interval(name, reachable)}, {len(offered)} materials")
    try:
        request = current()
    except ValidationError as error:
        return None, _told(error)
    refusal = server.refusal(request)
    return (None, refusal) if refusal else (request, "")


def current() -> DesignRequest:
    """The request as it is set, whichever page is shown. Raises pydantic.ValidationError."""
    state = st.session_state
    if "kept" not in state:
        return DEFAULT
    settings: dict[str, Any] = {field: state.get(field) for field in (*_FIELDS, *_SWITCHES)}
    guidance = _kept().guidance.model_dump() | {field: state[field] for field in _GUIDANCE if field in state}
    values = _kept().model_dump() | settings
    values |= {
        "objectives": objectives.current(),
        "categories": tuple(state["categories"]) or None,
        "exclude": tuple(state["exclude"]),
        "materials_csv": state["materials_csv"],
    }
    return DesignRequest.model_validate(values | {"guidance": guidance})


def _interval(name: str, reachable: tuple[float, float]) -> str:
    low, high = (significant(value, 3) for value in reachable)
    unit = objectives.QUANTITIES[name].unit
    return f"Reachable: **{low} – {high}{' ' + unit if unit else ''}**"
