"""What the solver says of a cell: effective properties against their bounds, views of its fields, files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from relaxdesign.export import Heat, abaqus_card, ansys_card, calculix_card, fields_vti_bytes, records_csv, to_json
from relaxdesign.physics.bounds import Bounds
from relaxdesign.physics.effective_properties import Evaluation, fields_under
from relaxdesign.physics.heating import Expansion
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.ui import units
from relaxdesign.ui.components import cell_views, downloads, glossary, image_results, local_fields
from relaxdesign.ui.components.cell_source import Source
from relaxdesign.ui.components.downloads import Download
from relaxdesign.ui.errors import guard
from relaxdesign.ui.text import NOTE_2D, escape, significant

VIEWS = ("Properties", "Local fields", "Stiffness", "Correlation")
REPRESENTATIVE = "Large enough?"


def render(source: Source) -> None:
    """Draws the outcome; waits for the solver without holding up the page."""
    cell, key = source.cell, f"evaluate-{source.key}"
    try:
        solved = cell_views.evaluation(cell)
    except ValueError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return
    if solved is None:
        return
    solved = replace(solved, warnings=(*source.warnings, *solved.warnings))
    _numbers(solved)
    for warning in solved.warnings:
        st.warning(escape(f"{warning[0].upper()}{warning[1:]}."), icon=":material/warning:")
    told = None
    if source.imaged is not None:
        with guard("the interval"):
            told = image_results.beside(source, solved)
    views = VIEWS if source.imaged is None else (*VIEWS, REPRESENTATIVE)
    view = st.segmented_control(
        "View", views, default=VIEWS[0], required=True, key="evaluate-view", persist_state="session",
        label_visibility="collapsed",
    )  # fmt: skip
    with guard("this view"):
        if view == "Properties":
            picture, table = st.columns([1, 1.1], gap="large")
            with picture:
                cell_views.picture(cell, key)
            with table:
                _properties(source, solved)
        elif view == "Local fields":
            local_fields.render(cell, key)
        elif view == "Stiffness":
            cell_views.stiffness(solved, key)
        elif view == REPRESENTATIVE:
            image_results.representative(source)
        else:
            cell_views.correlation(cell, key)
    if source.imaged is not None:
        with guard("designs like this"):
            image_results.design_like(source, solved)
    with guard("the downloads"):
        st.markdown("**Files**")
        downloads.buttons(_files(source, solved, told), key)


def _numbers(solved: Evaluation) -> None:
    averages = {name: value for name, value in solved.values.items() if not QUANTITIES[name].directional}
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        for name, value in units.in_words(averages):
            st.markdown(f":small[:gray[{name}]]  \n**{value}**", width="content")
        units.choose()
        glossary.show()


def _properties(source: Source, solved: Evaluation) -> None:
    rows = [_bounds_row(name, solved.values[name], bounds) for name, bounds in solved.bounds.items()]
    st.markdown("**Between their bounds** :gray[Reuss ≤ HS lower ≤ cell ≤ HS upper ≤ Voigt]")
    _numbers_table(rows, f"bounds-{source.key}")
    along = {name: value for name, value in solved.values.items() if QUANTITIES[name].directional}
    lines = [f"{name}: {text}" for name, text in units.in_words(along)]
    lines.append(f"Anisotropy {significant(solved.anisotropy, 3)} (0: the same in all directions)")
    shape = " × ".join(str(n) for n in source.cell.data.E.shape)
    lines.append(
        f"{shape} voxels, {solved.boundary}; {solved.iterations} iterations in {solved.seconds:.2f} s, relative "
        f"residual {solved.residual:.0e}, double precision"
    )
    if source.remark:
        lines.append(source.remark)
    st.markdown("  \n".join(lines))
    notes = [
        "These are averages over directions; on a grid fine enough they keep within the Hashin–Shtrikman bounds, "
        "whatever the cell."
    ]
    st.caption(" ".join([*notes, NOTE_2D] if source.cell.flat else notes))
    if solved.expansion is not None and solved.expansion.phases:
        _stresses(solved.expansion, f"stress-{source.key}")


def _stresses(expansion: Expansion, key: str) -> None:
    """What is left in every phase when the free cell is heated or cooled."""
    rows = [
        {
            units.heading("E"): units.converted(phase.young, "GPa"),
            "Expansion, 1e-6/K": phase.alpha,
            "Share, %": 100 * phase.share,
            "Von Mises": phase.von_mises,
            "99 % below": phase.von_mises_99,
            "Tension": phase.tension,
            "When cooled": phase.compression,
        }
        for phase in expansion.phases
    ]
    st.markdown("**Stress per kelvin in the free cell** :gray[MPa/K, largest in every phase]")
    _numbers_table(rows, key)
    st.caption(
        f"{expansion.cooling} Elastic, from a state without stress; the largest values lie at edges of phases and grow "
        "with the grid."
    )


def _numbers_table(rows: list[dict[str, Any]], key: str) -> None:
    table = pd.DataFrame(rows)
    number = st.column_config.NumberColumn(format="%.4g")
    formats = {name: number for name in table.columns if name}
    st.dataframe(table, hide_index=True, column_config=formats, key=key)


def _bounds_row(name: str, value: float, bounds: Bounds) -> dict[str, str | float]:
    unit, times = units.shown(QUANTITIES[name].unit)
    symbol = f" {name}" if len(name) == 1 else ""
    return {
        "Quantity": f"{QUANTITIES[name].title}{symbol}, {unit}",
        "Reuss": float(bounds.reuss) * times,
        "HS lower": float(bounds.hs_lower) * times,
        "Cell": value * times,
        "HS upper": float(bounds.hs_upper) * times,
        "Voigt": float(bounds.voigt) * times,
    }


def _files(source: Source, solved: Evaluation, told: dict[str, Any] | None = None) -> list[Download]:
    data, name, beside = source.cell.data, source.name, told or {}

    def vti() -> bytes:
        voxels = data.arrays
        if source.cell.labels is not None:
            voxels["phase"] = source.cell.labels
        load = st.session_state.get(f"load-evaluate-{source.key}") or "hydrostatic"
        return fields_vti_bytes(fields_under(data, load), edge=data.edge, voxels=voxels, title=f"{name}, strain {load}")

    def card(write: Callable[..., str]) -> Callable[[], bytes]:
        remarks = [
            f"Effective stiffness of {name}, {'x'.join(str(n) for n in data.E.shape)} voxels, {solved.boundary}."
        ]
        if source.imaged is not None:
            steps = "; ".join(done.step for done in source.imaged.found.steps)
            remarks.append(f"From an image by the steps: {steps or 'none'}.")
        heat = Heat(
            None if solved.expansion is None else solved.expansion.tensor,
            None if solved.conduction is None else solved.conduction.tensor,
        )
        return lambda: write(solved.C, solved.density, name, remarks, heat).encode("ascii")

    files = [
        Download("VTK", vti, f"{name}.vti", "application/xml", "Materials and local fields under the chosen load"),
        Download("JSON", lambda: to_json(solved.to_dict() | beside), f"{name}.json", "application/json", "All numbers"),
        Download(
            "CSV", lambda: records_csv([{"name": name, **solved.to_dict()}]), f"{name}.csv", "text/csv", "One row"
        ),
    ]
    if solved.density is not None:  # a card without a density would not be complete
        files += [
            Download(label, card(write), f"{name}-{label.lower()}.inp", "text/plain", f"{label} material card")
            for label, write in (("Abaqus", abaqus_card), ("CalculiX", calculix_card), ("Ansys", ansys_card))
        ]
    return files
