"""The objectives in the sidebar: one target with its slider, low density, and any number of further objectives."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from relaxdesign.physics.quantities import QUANTITIES, format_value
from relaxdesign.physics.voigt_reuss import COUPLINGS
from relaxdesign.study.objective import Objective
from relaxdesign.study.request import DesignRequest
from relaxdesign.ui.components import ashby, offer
from relaxdesign.ui.text import escape, significant

OFFERED = tuple(sorted((name for name in QUANTITIES if name not in COUPLINGS), key=lambda n: QUANTITIES[n].directional))
"""What no direction counts in comes first; entries of C that symmetric cells do not have are not offered."""
SENSES = {
    "value": "exactly",
    "low": "at least",
    "high": "at most",
    "between": "between",
    "minimise": "as small as possible",
    "maximise": "as large as possible",
}
MOST_ENTRIES = 3
"""Of a wanted stiffness, beside the first target, that have rows of their own in the sidebar."""
WEIGHTS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
DENSITY_WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)


def label(name: str) -> str:
    """A quantity as it is chosen from: its name, after its symbol if it has one."""
    quantity = QUANTITIES[name]
    symbol = (len(name) <= 2 or name[0].isupper()) and not quantity.label.endswith(name)
    text = f"{name}: {quantity.label}" if symbol else quantity.label
    return f"{text[:1].upper()}{text[1:]}"


def _with_unit(text: str, name: str) -> str:
    unit = QUANTITIES[name].unit
    return f"{text}, {unit}" if unit else text


# ---- session state ----


def load(request: DesignRequest) -> None:
    """Sets the widgets to the objectives of a request."""
    state = st.session_state
    first = next((t for t in request.targets if t.quantity == "K"), request.targets[0])
    rest = [o for o in request.objectives if o is not first]
    low_density = next((o for o in rest if (o.quantity, o.sense) == ("density", "minimise")), None)
    rest = [o for o in rest if o is not low_density]
    state["density_weight"] = 0.0 if low_density is None else low_density.weight
    state["quantity"], state["sense"] = first.quantity, _sense(first)
    state["target"] = first.low if first.low is not None else first.high
    state["target_high"] = first.high if first.high is not None else first.low
    state["target_weight"], state["target_scale"] = first.weight, first.scale
    state["rows"] = []
    for objective in rest:
        _add(objective)


def current() -> list[dict]:
    """The objectives as they are set, as fields of a request."""
    state = st.session_state
    found = [
        _fields(state["quantity"], state["sense"], state["target"], state.get("target_high"), state["target_weight"])
        | _scale("target_scale")
    ]
    for row in state["rows"]:
        low, high = state.get(f"low-{row}"), state.get(f"high-{row}")
        fields = _fields(state[f"quantity-{row}"], state[f"sense-{row}"], low, high, state[f"weight-{row}"])
        found.append(fields | _scale(f"scale-{row}"))
    if state["density_weight"]:
        weight = float(state["density_weight"])
        found.append({"quantity": "density", "sense": "minimise", "weight": weight})
    return found


def intervals() -> dict[str, tuple[float | None, float | None]]:
    """What is wanted of each quantity with a target, (at least, at most), as it is set now: possible or not."""
    return {o["quantity"]: (o.get("low"), o.get("high")) for o in current() if "sense" not in o}


def take(values: dict[str, float]) -> None:
    """Moves targets to values by quantity: a value becomes it, an interval is widened until it holds it. A callback."""
    state = st.session_state
    rows = [("quantity", "sense", "target", "target_high")]
    rows += [(f"quantity-{row}", f"sense-{row}", f"low-{row}", f"high-{row}") for row in state["rows"]]
    for name, sense, first, last in rows:
        value = values.get(state[name])
        if value is None or state[sense] in ("minimise", "maximise"):
            continue
        if state[sense] == "value":
            state[first] = float(significant(value, 3))
        else:  # rounded to the side on which the value lies within
            low, high = (float(significant(value * (1 + off), 3)) for off in (-0.005, 0.005))
            low, high = min(low, high), max(low, high)
            if state[sense] in ("low", "between"):
                state[first] = min(state[first], low)
            if state[sense] == "high":
                state[first] = max(state[first], high)
            if state[sense] == "between":
                state[last] = max(state[last], high)


def quantity() -> str:
    """The first target's quantity as it is set now."""
    return st.session_state.get("quantity") or "K"


def _sense(objective: Objective) -> str:
    if objective.sense != "reach":
        return objective.sense
    if objective.value is not None:
        return "value"
    return "low" if objective.high is None else "high" if objective.low is None else "between"


def _fields(name: str, sense: str, low: float | None, high: float | None, weight: float) -> dict:
    fields: dict[str, Any] = {"quantity": name, "weight": weight or 1.0}
    if sense in ("minimise", "maximise"):
        return fields | {"sense": sense}
    if sense in ("value", "low", "between"):
        fields["low"] = low
    if sense in ("value", "high"):
        fields["high"] = low
    if sense == "between":
        fields["high"] = high
    return fields


def _scale(key: str) -> dict[str, Any]:
    """What misses of an objective of an opened request count relative to, if it said so."""
    scale = st.session_state.get(key)
    return {} if scale is None else {"scale": scale}


def _add(objective: Objective | None = None) -> None:
    state = st.session_state
    row = state["next_row"] = state.get("next_row", 0) + 1
    state["rows"] = [*state["rows"], row]
    objective = objective or Objective(quantity="G", low=20.0, high=20.0)
    low = objective.low if objective.low is not None else objective.high
    state[f"quantity-{row}"], state[f"sense-{row}"] = objective.quantity, _sense(objective)
    state[f"low-{row}"] = 1.0 if low is None else low
    state[f"high-{row}"] = objective.high if objective.high is not None else state[f"low-{row}"]
    state[f"weight-{row}"], state[f"scale-{row}"] = objective.weight, objective.scale


def _remove(row: int) -> None:
    st.session_state["rows"] = [other for other in st.session_state["rows"] if other != row]


# ---- widgets ----


def first_target() -> None:
    """Quantity, sense, numbers and, where the ends of what can be had are known, a slider in equal ratios or misses."""
    name = quantity()
    left, right = st.columns([3, 2])
    left.selectbox(
        "Target", _offered(name), format_func=label, key="quantity", persist_state="session", on_change=_new_quantity
    )
    senses = [sense for sense in SENSES if sense not in ("minimise", "maximise")]
    right.selectbox("Wanted", senses, format_func=SENSES.__getitem__, key="sense", persist_state="session")
    title = _with_unit(name, name)
    between = st.session_state["sense"] == "between"
    columns = st.columns(2) if between else [st.container()]
    columns[0].number_input(
        f"{title}, at least" if between else title, format="%.5g", key="target", persist_state="session", step=_step()
    )
    if between:
        columns[1].number_input(
            f"{title}, at most", format="%.5g", key="target_high", persist_state="session", step=_step()
        )
    else:
        _slider(name, "target")


def _offered(chosen: str) -> list[str]:
    """What can be chosen from: quantities that the materials have, and the one chosen, whatever they have."""
    return [name for name in dict.fromkeys((*OFFERED, chosen)) if name == chosen or offer.known(name)]


def _step() -> float:
    """Of the buttons beside the number: about a hundredth of it."""
    value = abs(st.session_state["target"])
    return float(10.0 ** np.floor(np.log10(value) - 1)) if value > 0 else 0.01


def _slider(name: str, number: str) -> None:
    """A slider that follows a number and sets it, where the ends of what can be had are known. number: its key."""
    if not (scale := offer.scale(name)):
        return
    state, key = st.session_state, f"{number}_slider"
    low, high = scale
    exact = float(significant(min(max(state[number], low), high), 6))
    first, last = QUANTITIES[name].coordinate(np.array([low, high]))
    even = QUANTITIES[name].value(np.linspace(first, last, 160))
    options = sorted({float(significant(value, 2)) for value in even} | {exact})
    state[key] = exact  # the slider follows the number, whoever set it
    st.select_slider(
        f"{name} in equal steps of its misses",
        options,
        key=key,
        format_func=significant,
        label_visibility="collapsed",
        on_change=_follow_slider,
        args=(number,),
    )


def _follow_slider(number: str) -> None:
    st.session_state[number] = float(st.session_state[f"{number}_slider"])


def distribution(name: str, key: str) -> None:
    """How many materials lie where along the slider, what can be had and what is wanted; then the same in words.

    Raises ValueError where nothing is on offer, or the quantity is not known of it.
    """
    offered, reachable, given = offer.selected(), offer.reachable(name), offer.given()
    if (scale := offer.scale(name)) and scale[0] > 0 and name in ashby.AXES and not given:
        figure = ashby.strip(name, offered, offer.catalogue(), scale, reachable, intervals().get(name, (None, None)))
        low, high = (format_value(name, end) for end in reachable)
        alt = f"Materials by {QUANTITIES[name].label}; reachable are {low} to {high}"
        st.plotly_chart(figure, key=key, config={"displayModeBar": False}, alt=alt)
    of = f"{len(offered)} materials"
    if given:
        of = f"cells of the {'two' if len(given) == 2 else 'three'} phases"
    st.caption(offer.in_words(name, reachable, of))


def _new_quantity() -> None:
    """A number in the middle of what the new quantity can be."""
    state = st.session_state
    try:
        low, high = offer.reachable(quantity())
    except ValueError:  # the page says why; the number stays
        return
    middle = _middle(low, high, quantity())
    state["target"] = state["target_high"] = middle


def _middle(low: float, high: float, name: str) -> float:
    if not np.isfinite(high):
        return float(significant((low + 1.0) / 2, 2)) if np.isfinite(low) else 0.0
    low = max(low, high / 50) if low > 0 else low
    ends = QUANTITIES[name].coordinate(np.array([low, high]))
    return float(significant(float(QUANTITIES[name].value(ends.mean())), 2))


def low_density() -> None:
    """The weight of a low density."""
    current_weight = float(st.session_state["density_weight"])
    st.select_slider(
        "Low density",
        sorted({*DENSITY_WEIGHTS, current_weight}),
        key="density_weight",
        format_func=significant,
        persist_state="session",
        help="Weight of a low density against the targets' weight of 1. 0: density does not matter.",
    )


def entries() -> list[int]:
    """The rows that are entries of a wanted stiffness, if they are too many to be seen one by one."""
    state = st.session_state
    rows = [row for row in state["rows"] if state.get(f"scale-{row}") is not None]
    return rows if len(rows) > MOST_ENTRIES else []


def whole_stiffness(rows: list[int]) -> None:
    """The entries of a wanted stiffness as one line that opens. rows: of those beside the first target."""
    count = len(rows) + (st.session_state.get("target_scale") is not None)
    with st.expander(f"Stiffness C: {count} entries", icon=":material/grid_on:", key="stiffness_entries"):
        if count > len(rows):
            st.caption(f"{quantity()} is the target above, the others are:")
        _rows(rows)


def further(rows: list[int]) -> None:
    """Rows of further objectives, and a button for more."""
    _rows(rows)
    st.button("Add an objective", icon=":material/add:", on_click=_add, key="add_objective", width="stretch")


def _rows(rows: list[int]) -> None:
    for row in rows:
        with st.container(border=True):
            _row(row)


def _row(row: int) -> None:
    state = st.session_state
    choice, remove = st.columns([5, 1], vertical_alignment="bottom")
    offered = _offered(state[f"quantity-{row}"])
    name = choice.selectbox("Quantity", offered, format_func=label, key=f"quantity-{row}", persist_state="session")
    remove.button(
        "Remove this objective",
        icon=":material/close:",
        key=f"icon-remove-{row}",
        on_click=_remove,
        args=(row,),
        help="Remove this objective",
    )
    sense = st.selectbox(
        "Wanted", list(SENSES), format_func=SENSES.__getitem__, key=f"sense-{row}", persist_state="session"
    )
    if sense not in ("minimise", "maximise"):
        columns = st.columns(2) if sense == "between" else [st.container()]
        first = _with_unit("From" if sense == "between" else "Value", name)
        columns[0].number_input(first, format="%.5g", key=f"low-{row}", persist_state="session")
        if sense == "between":
            columns[1].number_input(_with_unit("To", name), format="%.5g", key=f"high-{row}", persist_state="session")
        else:
            _slider(name, f"low-{row}")
        try:
            distribution(name, f"distribution-{row}")
        except ValueError as error:
            st.caption(escape(str(error)))
    options = sorted({*WEIGHTS, float(state[f"weight-{row}"])})
    st.select_slider("Weight", options, key=f"weight-{row}", format_func=significant, persist_state="session")
