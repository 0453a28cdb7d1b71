"""The units that moduli and densities are shown in, as the reader chose.

Everything is computed, stored and asked for in GPa and g/cm³; only what is written on a page is converted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import streamlit as st

from relaxdesign.physics import quantities
from relaxdesign.physics.base import with_unit
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.result import Design
from relaxdesign.ui.text import significant

CHOICES: dict[str, dict[str, float]] = {
    "GPa": {"GPa": 1.0, "MPa": 1e3, "psi": 145037.73773, "Msi": 0.14503773773},
    "g/cm³": {"g/cm³": 1.0, "kg/m³": 1e3},
}
"""By the unit of the store: those it can be shown in, with what its numbers are multiplied by. 1 Msi is 10⁶ psi, and
1 psi is 6894.757 Pa."""

_LABELS = {"GPa": "Moduli and stresses", "g/cm³": "Densities"}
_GROUPED_FROM = 1e5


def choose() -> None:
    """The setting: one for all pages of a session."""
    now = " · ".join(unit_of(unit) for unit in CHOICES)
    with st.popover(now, icon=":material/straighten:", help="Units that results are shown in", key="units"):
        for unit, choices in CHOICES.items():
            st.segmented_control(
                _LABELS[unit], list(choices), default=unit, required=True, key=_key(unit), persist_state="session"
            )
        st.caption("Files, settings and the library keep GPa and g/cm³.")


def shown(unit: str) -> tuple[str, float]:
    """The unit in which numbers of a unit are shown, and what they are multiplied by; other units are as they are."""
    chosen = st.session_state.get(_key(unit)) if unit in CHOICES else None
    return (unit, 1.0) if chosen is None else (chosen, CHOICES[unit][chosen])


def unit_of(unit: str) -> str:
    """The unit in which numbers of a unit are shown."""
    return shown(unit)[0]


def converted(value: float | None, unit: str) -> float | None:
    """A number as it is shown; None stays None."""
    return None if value is None else value * shown(unit)[1]


def text(value: float | None, unit: str, digits: int = 4) -> str:
    """A number with its unit as it is shown; – for none."""
    if value is None:
        return "–"
    unit, times = shown(unit)
    return with_unit(_written(value * times, digits), unit)


def of_quantity(name: str, value: float | None, digits: int = 4) -> str:
    """A value of a quantity with its unit as it is shown; – for none."""
    return text(value, QUANTITIES[name].unit, digits)


def heading(name: str, unit: str | None = None) -> str:
    """A quantity's name, or another one, and the unit it is shown in, over columns: ``K, GPa``."""
    unit = unit_of(QUANTITIES[name].unit if unit is None else unit)
    return f"{name}, {unit}" if unit else name


def told(design: Design, name: str) -> str:
    """A quantity of the realised cell with its interval, where that is known: ``117.6 ± 0.3 GPa``; – for none."""
    value, known = design.at("realised", name), design.trust.get(name)
    if value is None or known is None:
        return of_quantity(name, value)
    unit, times = shown(QUANTITIES[name].unit)
    scaled = known.scaled(times)
    if abs(scaled.value) < _GROUPED_FROM or scaled.width <= 0:
        return with_unit(str(scaled), unit)
    step = 10 ** math.floor(math.log10(scaled.width))
    rounded = (_grouped(round(part / step) * step) for part in (scaled.value, scaled.width))
    return with_unit(" ± ".join(rounded), unit)


def in_words(values: Mapping[str, float]) -> list[tuple[str, str]]:
    """The values of a cell as names and texts in the shown units, see `relaxdesign.physics.quantities.in_words`."""
    return quantities.in_words(values, _written, shown)


def _key(unit: str) -> str:
    return f"unit-{unit}"


def _written(value: float, digits: int = 4) -> str:
    short = significant(value, digits)
    return _grouped(float(short)) if abs(value) >= _GROUPED_FROM else short


def _grouped(value: float) -> str:
    """17 220 000, with thin spaces."""
    return f"{value:,.0f}".replace(",", "\u202f")
