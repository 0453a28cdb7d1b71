"""Designs of all runs: search by their numbers, and choose some to compare."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from relaxdesign.library import DesignRecord, DesignSearch, UnknownRun
from relaxdesign.library.searching import DesignOrder
from relaxdesign.microstructure import FAMILIES, known_parameters
from relaxdesign.ui import server, units
from relaxdesign.ui.components import candidates, comparison, paging
from relaxdesign.ui.text import plural

PAGE_SIZE = 100
MOST_COMPARED = 4

_ORDERS: dict[DesignOrder, str] = {
    "newest": "Newest first",
    "error": "Smallest error first",
    "bulk": "Stiffest first",
    "density": "Lightest first",
}


def _columns() -> dict[str, Any]:
    """How the columns of the table are shown."""
    return {
        units.heading("K"): st.column_config.NumberColumn(format="%.4g", help="Bulk modulus of the realised cell"),
        "Error, %": st.column_config.NumberColumn(format="%+.2f", help="Of the worst target"),
        units.heading("Density", "g/cm³"): st.column_config.NumberColumn(format="%.4g"),
        **candidates.PARAMETER_COLUMNS,
        "Started": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm", help="Runs may have the same name"),
        "Link": st.column_config.LinkColumn(display_text="Open the run"),
    }


def draw() -> None:
    """Search, table, and the comparison of what was chosen."""
    search = _search()
    count = server.store().count_designs(search)
    first = paging.position("designs_first", count, PAGE_SIZE, search)
    records = server.store().find_designs(search, PAGE_SIZE, first)
    _comparison()
    if not records:
        st.info("No verified design matches.", icon=":material/search_off:")
        return
    units.choose()
    st.caption(f"{plural(count, 'design')}. Choose up to {MOST_COMPARED} rows to see them side by side.")
    # Another key for every page and search: a choice of rows must not carry over to other rows.
    key = f"designs-{hash((search, first, st.session_state.get('designs_turn', 0)))}"
    chosen = st.dataframe(
        _table(records),
        hide_index=True,
        column_config=_columns(),
        placeholder="–",
        on_select="rerun",
        selection_mode="multi-row",
        key=key,
        height=420,
    )
    picked = [(records[row].run_id, records[row].index) for row in chosen["selection"]["rows"] if row < len(records)]
    new = [pick for pick in picked if pick not in _compared()]
    room = MOST_COMPARED - len(_compared())
    st.button(
        "Compare" if len(new) <= room else f"Compare: {MOST_COMPARED} at most",
        icon=":material/compare:",
        type="primary",
        disabled=not new or len(new) > room,
        key="compare",
        on_click=_add,
        args=(new,),
    )
    paging.buttons("designs_first", first, count, PAGE_SIZE)


def _search() -> DesignSearch:
    text, order, filters = st.columns([3, 1.2, 1], vertical_alignment="bottom")
    words = text.text_input(
        "Search", placeholder="Words of a material or of the run's name", key="designs_text", icon=":material/search:"
    )
    chosen = order.selectbox("Order", list(_ORDERS), format_func=_ORDERS.__getitem__, key="designs_order")
    with filters.popover("Filters", icon=":material/tune:", width="stretch"):
        bulk = _range("K", "GPa", "designs_bulk")
        density = _range("Density", "g/cm³", "designs_density")
        parameters = tuple(
            (name, _range(parameter.label.capitalize(), parameter.unit, f"designs_{name}"))
            for name, parameter in known_parameters().items()
        )
        error = st.number_input("Largest error, %", 0.0, value=None, key="designs_error", placeholder="any")
    return DesignSearch(words, bulk, density, None if error is None else error / 100, parameters, order=chosen)


def _range(name: str, unit: str, key: str) -> tuple[float | None, float | None]:
    low, high = st.columns(2)
    of = f", {unit}" if unit else ""
    return (
        low.number_input(f"{name} from{of}", 0.0, value=None, key=f"{key}_low", placeholder="any"),
        high.number_input(f"to{of}", 0.0, value=None, key=f"{key}_high", placeholder="any"),
    )


def _table(records: list[DesignRecord]) -> pd.DataFrame:
    phases = [dict(zip(_phases(record), record.materials, strict=False)) for record in records]
    titles = list(dict.fromkeys(title for made in phases for title in made))
    rows = [
        {
            "Run": record.run_name,
            "Started": record.created,
            "No.": record.index + 1,
            units.heading("K"): units.converted(record.bulk, "GPa"),
            "Error, %": None if record.error is None else round(100 * record.error, 2) + 0.0,  # no minus before 0.00
            units.heading("Density", "g/cm³"): units.converted(record.density, "g/cm³"),
            **{
                candidates.column(parameter): record.parameters.get(name)
                for name, parameter in known_parameters().items()
            },
            **{title: made.get(title) for title in titles},
            "Link": f"./?run={record.run_id}",
        }
        for record, made in zip(records, phases, strict=True)
    ]
    return candidates.floats(pd.DataFrame(rows), but=("Run", "Started", "No.", *titles, "Link"))


def _phases(record: DesignRecord) -> list[str]:
    return [phase.capitalize() for phase in FAMILIES[record.family].phases]


def _compared() -> list[tuple[str, int]]:
    """(run, index) of the designs that stand side by side."""
    return st.session_state.setdefault("compared", [])


def _add(picked: list[tuple[str, int]]) -> None:
    st.session_state["compared"] = [*_compared(), *picked][:MOST_COMPARED]
    st.session_state["designs_turn"] = st.session_state.get("designs_turn", 0) + 1  # a table with nothing chosen


def _remove(key: tuple[str, int]) -> None:
    st.session_state["compared"] = [other for other in _compared() if other != key]


def _comparison() -> None:
    entries = []
    for run_id, index in list(_compared()):
        try:
            entries.append((server.store().run(run_id), server.store().design(run_id, index)))
        except UnknownRun:  # removed meanwhile
            _remove((run_id, index))
    if entries:
        with st.container(border=True, key="comparison"):
            comparison.render(entries, on_remove=lambda run_id, index: _remove((run_id, index)))
