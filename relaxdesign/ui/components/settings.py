"""Controls made of the fields of a request: a field with a label has one, keyed by its name.

The session state holds their values, also while another page is shown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import groupby
from typing import Any

import streamlit as st
from pydantic import BaseModel

from relaxdesign.study.fields import Group, Setting, describe
from relaxdesign.study.request import DesignRequest

SETTINGS = describe(DesignRequest)

# The largest whole number that a browser holds exactly.
LARGEST_WHOLE = 2**53 - 1

Special = Mapping[str, Mapping[str, Any]]


def fill(request: BaseModel, settings: Sequence[Setting] = SETTINGS) -> None:
    """Sets the controls to a request. Call it before they are drawn."""
    for setting in _with_control(settings):
        value = setting.of(request)
        if setting.kind == "texts":
            value = list(value or ())
        elif setting.kind == "whole" and value is not None:
            value = max(-LARGEST_WHOLE, min(value, LARGEST_WHOLE))
        st.session_state[setting.name] = value


def fields(request: BaseModel, settings: Sequence[Setting] = SETTINGS) -> dict[str, Any]:
    """All fields of a request as the controls are set; what has no control stays as the given request has it."""
    values = request.model_dump()
    for setting in _with_control(settings):
        if setting.name not in st.session_state:
            continue
        value = st.session_state[setting.name]
        if setting.kind == "texts":
            value = tuple(value) or (None if setting.optional else ())
        setting.put(values, value)
    return values


def draw(
    group: Group,
    settings: Sequence[Setting] = SETTINGS,
    special: Special | None = None,
    without: Collection[str] = (),
) -> None:
    """Draws the controls of one group, neighbours of the same ``per_row`` in rows.

    special: arguments of single controls by name, for what only the app knows; ``choices`` (values and their words)
    and ``label`` replace those of the field. without: names of those that are not drawn.
    """
    shown = [s for s in _with_control(settings) if s.ui.group == group and s.name not in without]
    for per_row, found in groupby(shown, key=lambda setting: setting.ui.per_row):
        neighbours = list(found)
        for first in range(0, len(neighbours), per_row):
            places = st.columns(per_row) if per_row > 1 else [nullcontext()]
            for place, setting in zip(places, neighbours[first : first + per_row], strict=False):
                with place:
                    control(setting, **(special or {}).get(setting.name, {}))


def bounds(name: str) -> tuple[int, int]:
    """Smallest and largest whole number that a setting of a request accepts."""
    low, high = next(setting.bounds for setting in SETTINGS if setting.name == name)
    return int(low or 0), int(high or LARGEST_WHOLE)


def control(setting: Setting, **special: Any) -> None:
    """Draws the control of one setting; a choice of one or none needs no control. special: see `draw`."""
    ui = setting.ui
    label = special.pop("label", f"{ui.label}, {ui.unit}" if ui.unit else ui.label)
    choices = special.pop("choices") if "choices" in special else setting.choices
    help = setting.help if ui.tooltip else None
    arguments: dict[str, Any] = {"key": setting.name, "persist_state": "session", "help": help} | special
    if setting.kind == "switch":
        st.toggle(label, **arguments)
    elif setting.kind in ("whole", "number"):
        _number(setting, label, arguments)
    elif setting.kind == "texts":
        if not choices:
            arguments |= {"accept_new_options": True}
        st.multiselect(label, list(choices), format_func=lambda value: str(choices.get(value, value)), **arguments)
    elif setting.kind == "text" and not choices:
        st.text_input(label, **arguments)
    elif len(choices) > 1 and ui.segmented:
        st.segmented_control(label, list(choices), format_func=choices.__getitem__, required=True, **arguments)
    elif len(choices) > 1:
        st.selectbox(label, list(choices), format_func=choices.__getitem__, **arguments)


def kept(request: BaseModel, default: BaseModel, settings: Sequence[Setting] = SETTINGS) -> list[str]:
    """Names of the settings without a control that a request has set."""
    return [s.name for s in settings if not s.ui.label and s.of(request) != s.of(default)]


def _with_control(settings: Sequence[Setting]) -> Iterator[Setting]:
    return (setting for setting in settings if setting.ui.label)


def _number(setting: Setting, label: str, arguments: dict[str, Any]) -> None:
    low, high = setting.bounds
    step = setting.ui.step
    if setting.kind == "whole":
        low = -LARGEST_WHOLE if low is None else int(low)
        high = LARGEST_WHOLE if high is None else min(int(high), LARGEST_WHOLE)
        step = int(step or 1)
    else:
        low, high = (None if bound is None else float(bound) for bound in (low, high))
    if setting.optional:
        arguments = {"value": None} | arguments  # empty, not the smallest, where nothing is set
    st.number_input(label, low, high, step=step, **arguments)
