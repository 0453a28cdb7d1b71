"""Designs of different runs side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from relaxdesign.export import web_address
from relaxdesign.library import RunRecord
from relaxdesign.materials.catalogue import Material
from relaxdesign.microstructure import FAMILIES
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.result import Design
from relaxdesign.ui import navigation, units
from relaxdesign.ui.colours import ModulusScale
from relaxdesign.ui.components import candidates, pictures
from relaxdesign.ui.text import escape, significant

_SAID = ("K", "density")
"""Quantities that have rows of their own. Entries of C have one if they were asked for."""


def render(entries: Sequence[tuple[RunRecord, Design]], *, on_remove: Callable[[str, int], None]) -> None:
    """One column per design, and the table of all their numbers. on_remove: called with run and index."""
    scale = ModulusScale.spanning(material for _, design in entries for material in design.materials)
    for column, (run, design) in zip(st.columns(4), entries, strict=False):
        with column:
            pictures.show(design, f"card-{run.id}-{design.index}", scale)
            st.markdown(f"**{escape(run.name)}** :gray[no. {design.index + 1}]  \n{candidates.headline(design)}")
            st.page_link(
                navigation.DESIGN, label="Open the run", icon=":material/open_in_new:", query_params={"run": run.id}
            )
            st.button(
                "Take out",
                key=f"uncompare-{run.id}-{design.index}",
                icon=":material/close:",
                type="tertiary",
                on_click=on_remove,
                args=(run.id, design.index),
            )
    if len(entries) == 1:
        st.caption("Choose another design below to see both side by side.")
    pictures.legend(scale)
    shown = table(entries)
    shown.columns = [escape(title) for title in shown.columns]
    st.table(shown)  # unlike a data frame it breaks long sources into lines


def table(entries: Sequence[tuple[RunRecord, Design]]) -> pd.DataFrame:
    """Quantities down, designs across; texts in Markdown, as units differ from row to row and sources are links."""
    described = {f"{run.name}, no. {design.index + 1}": _facts(run, design) for run, design in entries}
    rows = list(dict.fromkeys(name for facts in described.values() for name in facts))
    index = pd.Index(rows, name="Fact")
    return pd.DataFrame({title: [facts.get(row, "–") for row in rows] for title, facts in described.items()}, index)


def source(material: Material) -> str:
    """Where a material's numbers come from, in Markdown; a link if there is an address of the web."""
    text = escape(material.source or material.url)
    address = web_address(material.url).replace("(", "%28").replace(")", "%29")
    return f"[{text}]({address})" if address else text


def _facts(run: RunRecord, design: Design) -> dict[str, str]:
    facts = {
        f"K, {title.lower()}": units.text(design.at(stage, "K"), "GPa") for stage, title in candidates.STAGES.items()
    }
    facts |= {
        "Spread over placements": units.text(design.spread, "GPa"),
        "Bounds": candidates.bounds_verdict(design) or "–",
        "Density": units.text(design.value("density"), "g/cm³"),
        "Volume fraction": _quantity(design.volume_fraction),
        **{
            parameter.label.capitalize(): _quantity(design.parameters[parameter.name], parameter.unit or "of the edge")
            for parameter in FAMILIES[design.family].parameters
            if parameter.name in design.parameters
        },
    }
    if design.makeable is not None:
        facts["Made by"] = escape(design.makeable.brief)
    for _, phase, material in candidates.phases(design):
        facts[phase] = escape(f"{material.name} ({material.sort})")
        facts[f"{phase}, source"] = source(material) or "–"
    asked = {objective.quantity for objective in design.objectives}
    for name, value in (design.properties or {}).items():
        if name not in _SAID and (name in asked or not name.startswith("C")):
            facts[QUANTITIES[name].title] = units.of_quantity(name, value)
    facts["Seed"] = str(run.request.seed)
    return facts


def _quantity(value: float | None, unit: str = "") -> str:
    return "–" if value is None else f"{significant(value)} {unit}".rstrip()
