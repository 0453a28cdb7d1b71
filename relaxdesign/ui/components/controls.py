"""The request in the sidebar: every setting of a run, checked while it is set.

Beside a run it is a fragment: moving a slider redraws the sidebar only, however much is streamed there.
"""

from __future__ import annotations

import numpy as np
import streamlit as st
from pydantic import ValidationError
from streamlit.delta_generator import DeltaGenerator

from relaxdesign.catalogue import Catalogue
from relaxdesign.request import DesignRequest
from relaxdesign.ui import server
from relaxdesign.ui.components import ashby
from relaxdesign.ui.errors import explain, guard
from relaxdesign.ui.text import NOTE_2D, gpa, significant

DEFAULT = DesignRequest.model_validate({"target_bulk": 120.0})
DENSITY_WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)

# The largest whole number that a browser holds exactly.
LARGEST_SEED = 2**53 - 1

# Session keys of the widgets; the values stay when another page is visited.
_FIELDS = ("dim", "target_bulk", "density_weight", "count", "steps", "seed", "categories", "flagged")


def load(request: DesignRequest) -> None:
    """Sets all controls to a request, e.g. of a reopened run. Call it before ``render``."""
    for name in _FIELDS:
        value = getattr(request, name)
        st.session_state[name] = list(value or ()) if name == "categories" else value
    st.session_state["seed"] = min(request.seed, LARGEST_SEED)
    st.session_state["kept"] = request


def render(*, alone: bool) -> None:
    """Draws the controls; "Design" queues the run and puts its id into the address.

    alone: a change redraws the sidebar only, else the page too.
    """
    if "kept" not in st.session_state:
        load(DEFAULT)
    with st.sidebar:
        (_form_alone if alone else _form)()


def chosen_materials() -> tuple[tuple[str, ...] | None, bool, int]:
    """(categories or None for all, flagged, dim) as they are set now."""
    state = st.session_state
    return tuple(state.get("categories") or ()) or None, bool(state.get("flagged")), state.get("dim") or DEFAULT.dim


def target() -> float:
    """The target bulk modulus as it is set now, GPa."""
    value = st.session_state.get("target_bulk")
    return float(value) if value else DEFAULT.target_bulk


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
    catalogue = server.catalogue()
    dimensions = server.dimensions()
    if not dimensions:
        st.error(
            "No trained prior is installed, so nothing can be designed. Put one into `models/` "
            "(`relaxdesign train` makes one), then reload the page.",
            icon=":material/model_training:",
        )
    if len(dimensions) > 1:
        st.segmented_control(
            "Dimension", dimensions, format_func="{}D".format, key="dim", required=True, persist_state="session"
        )
    chart = _target(catalogue)
    left, right = st.columns(2)
    with left:
        st.number_input("Candidates", 1, 64, step=1, key="count", persist_state="session")
        st.number_input(
            "Seed", 0, LARGEST_SEED, step=1, key="seed", persist_state="session", help="Same seed, same designs."
        )
    with right:
        st.number_input(
            "Steps",
            2,
            1000,
            step=5,
            key="steps",
            persist_state="session",
            help="Denoising steps. 50 is a good default; fewer are quicker and a little less precise.",
        )
        _density_weight()
    st.multiselect(
        "Material categories",
        catalogue.categories,
        format_func=str.capitalize,
        placeholder="All categories",
        key="categories",
        persist_state="session",
    )
    flagged = sum(bool(material.flag) for material in catalogue.materials)
    st.toggle(
        "Include flagged materials",
        key="flagged",
        persist_state="session",
        disabled=flagged == 0,
        help=f"{flagged} of {len(catalogue)} materials are flagged, as toxic or exotic for instance. "
        "They are left out unless you include them.",
    )
    kept = [name for name in ("exclude", "prior", "guidance") if getattr(_kept(), name) != getattr(DEFAULT, name)]
    if kept:
        st.caption(f"As in the opened run: {', '.join(kept)}.")
    request, problem = _request(catalogue, chart)
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
    st.caption(NOTE_2D if st.session_state["dim"] == 2 else "3D unit cell, periodic.")
    if pressed and request is not None:
        st.query_params["run"] = server.jobs().submit(request)
        st.rerun()


def _target(catalogue: Catalogue) -> DeltaGenerator:
    """Slider in equal ratios, exact number beside it, and room for the chart under both."""
    low, high = server.reachable_bulk(None, True, st.session_state["dim"])
    value = target()
    exact = float(significant(value, 6))
    options = sorted({float(significant(v, 2)) for v in np.geomspace(low, high, 160)} | {min(max(exact, low), high)})
    # The slider follows the number, whoever set it.
    st.session_state["target_slider"] = min(options, key=lambda option: abs(np.log(option / exact)))
    st.number_input(
        "Target bulk modulus K, GPa",
        min_value=0.001,
        max_value=600.0,
        step=1.0,
        format="%.5g",
        key="target_bulk",
        persist_state="session",
    )
    st.select_slider(
        "Target on a logarithmic scale, GPa",
        options,
        key="target_slider",
        format_func=significant,
        label_visibility="collapsed",
        on_change=_follow_slider,
    )
    return st.container()


def _follow_slider() -> None:
    st.session_state["target_bulk"] = float(st.session_state["target_slider"])


def _density_weight() -> None:
    current = float(st.session_state["density_weight"])
    st.select_slider(
        "Low density",
        sorted({*DENSITY_WEIGHTS, current}),
        key="density_weight",
        format_func=significant,
        persist_state="session",
        help="Weight of a low density against the target's weight of 1. 0: density does not matter.",
    )


def _request(catalogue: Catalogue, chart: DeltaGenerator) -> tuple[DesignRequest | None, str]:
    """The request as set, or None and what is wrong with it."""
    categories, flagged, dim = chosen_materials()
    try:
        offered = catalogue.select(categories=categories, flagged=flagged)
        reachable = server.reachable_bulk(categories, flagged, dim)
    except ValueError as error:
        return None, str(error)
    limits = server.reachable_bulk(None, True, dim)
    with chart:
        figure = ashby.strip(offered, catalogue, limits, reachable, target())
        alt = f"Materials by bulk modulus and density; reachable are {gpa(reachable[0])} to {gpa(reachable[1])}"
        st.plotly_chart(figure, key="target_chart", config={"displayModeBar": False}, alt=alt)
        st.caption(
            f"Reachable: **{significant(reachable[0], 3)} – {gpa(float(significant(reachable[1], 3)))}**, "
            f"{len(offered)} materials"
        )
    values = {name: st.session_state.get(name) for name in _FIELDS} | {"categories": categories}
    try:
        request = DesignRequest(**{**_kept().model_dump(), **values})
    except ValidationError as error:
        return None, explain(error)
    if not reachable[0] <= request.target_bulk <= reachable[1]:
        return None, (
            f"K = {gpa(request.target_bulk)} cannot be reached with these materials. "
            f"Choose a target from {significant(reachable[0], 3)} to {significant(reachable[1], 3)} GPa, "
            "or offer more materials."
        )
    return request, ""
