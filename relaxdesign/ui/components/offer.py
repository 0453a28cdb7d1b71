"""What the settings in the sidebar put on offer: materials, and what composites of them can have."""

from __future__ import annotations

import numpy as np
import streamlit as st

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.compatibility import Makeable
from relaxdesign.materials.material import VOID
from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import GivenThird
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study import selection as pairs
from relaxdesign.study.objective import Objective
from relaxdesign.ui import server
from relaxdesign.ui.text import span

MOST_RATIO = 1000.0
"""Beyond which the end of what a ratio can be says nothing to a reader."""


def catalogue() -> Catalogue:
    """The materials to choose from: the shipped ones or the visitor's own."""
    own = st.session_state.get("materials_csv")
    return server.catalogue() if own is None else server.own_catalogue(own)


def selected() -> Catalogue:
    """Those of them that the settings leave. Raises ValueError if there are none."""
    categories, flagged, exclude, of_all = _selection()
    if of_all:
        return catalogue().of_phases(of_all)
    chosen = catalogue().select(categories=categories, flagged=flagged, exclude=exclude)
    return chosen.combinable(_makeable(), st.session_state["dim"])


def reachable(quantity: str) -> tuple[float, float]:
    """What composites of the selected materials can have. Raises ValueError if that is unknown of them."""
    return _reachable(quantity, *_selection(), _makeable())


def scale(quantity: str) -> tuple[float, float] | None:
    """Ends of a scale: what composites of all materials to choose from can have, whatever is left out.

    None where that is unknown or unlimited, not positive though the quantity is, or hardly more than one value.
    """
    try:
        low, high = _reachable(quantity, None, True, (), given(), "any")
    except ValueError:
        return None
    wide = 0 < 1.1 * low < high if QUANTITIES[quantity].positive else low + 0.1 * abs(low) < high < np.inf
    return (low, high) if wide else None


def in_words(quantity: str, ends: tuple[float, float], of: str) -> str:
    """What can be had of a quantity, and of what: of a ratio without limits worth a number just that."""
    described = QUANTITIES[quantity]
    if np.isinf(ends[0]):
        return f"No bounds are known for the {described.label} of {of}"
    if np.isinf(ends[1]):
        return f"Reachable: **{described.with_unit('from 0 on')}**, {of}"
    if not described.unit and described.positive and ends[1] > MOST_RATIO * max(ends[0], 1 / MOST_RATIO):
        return f"Reachable: **any ratio** that bounds allow, {of}"
    return f"Reachable: **{described.with_unit(span(*ends))}**, {of}"


def known(quantity: str) -> bool:
    """Whether the materials to choose from have the quantity: conductivities and prices are known of some only.

    A solid fraction is one beside voids.
    """
    if QUANTITIES[quantity].physics == "solid":
        return VOID.id in phases()
    try:
        pairs.with_known_properties(catalogue(), [Objective(quantity=quantity, sense="minimise")])
    except pairs.UnknownPropertyError:
        return False
    return True


def phases() -> tuple[str, ...]:
    """Those that are given now, complete or not."""
    return tuple(st.session_state.get("phases") or ())


def given() -> tuple[str, ...]:
    """The two or three phases, if so many are given."""
    return phases() if len(phases()) > 1 else ()


def third_amount() -> str:
    """What the amount of the third phase is, and what is usual of it; empty if the chosen family has none."""
    family = FAMILIES[st.session_state["family"]]
    if not isinstance(family, GivenThird):
        return ""
    amount = family.amount
    return f"{amount.label.capitalize()}, {amount.unit} (0: {family.usual:g})"


def third_phase() -> str:
    """What the third phase of the chosen family is called, of which the user gives the material; empty if none is."""
    family = FAMILIES.get(st.session_state.get("family", ""))
    return family.phases[family.given] if isinstance(family, GivenThird) else ""


def settle_shapes() -> None:
    """Chooses the family of shapes where phases are given; without phases nothing is asked of shapes. A callback."""
    if given():
        st.session_state["family"] = "free-form"
    else:
        st.session_state.update(shape="", min_feature=0.0, symmetry="none", open_voids=False)


def _makeable() -> Makeable:
    """How sure it must be that pairs can be made, as it is set now."""
    return st.session_state.get("makeable") or "any"


def _selection() -> tuple[tuple[str, ...] | None, bool, tuple[str, ...], tuple[str, ...]]:
    """(categories or None for all, flagged, exclude, phases) as they are set now."""
    state = st.session_state
    categories, exclude = tuple(state.get("categories") or ()) or None, tuple(state.get("exclude") or ())
    return categories, bool(state.get("flagged")), exclude, given()


def _reachable(
    quantity: str,
    categories: tuple[str, ...] | None,
    flagged: bool,
    exclude: tuple[str, ...],
    of_all: tuple[str, ...],
    makeable: Makeable,
) -> tuple[float, float]:
    state = st.session_state
    third = state.get("third_phase", ""), state.get("third_amount", 0.0)
    return server.reachable(
        quantity,
        categories,
        flagged,
        state["dim"],
        state["family"],
        state["materials_csv"],
        exclude,
        of_all,
        makeable,
        third,
    )
