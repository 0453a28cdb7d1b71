"""What a report says of a run and its designs: the texts, tables and figures that its HTML and its PDF share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from relaxdesign.export.cell import made_text, phase_names, sizes_text
from relaxdesign.export.figures import ashby_png
from relaxdesign.export.formats import DesignExport
from relaxdesign.export.names import web_address
from relaxdesign.export.residual import residual_stress
from relaxdesign.materials.catalogue import Catalogue, Material
from relaxdesign.microstructure import FAMILIES
from relaxdesign.physics.attainable import bounds_of
from relaxdesign.physics.bounds import Bounds
from relaxdesign.physics.quantities import QUANTITIES, in_words
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Design, DesignResult

STAGES = {
    "relaxed": "Relaxed field",
    "projected": "Two phases",
    "snapped": "Catalogue materials",
    "refined": "Refined",
    "realised": "Realised cell",
}
DEFINITION = (
    "K is the Voigt average of the effective stiffness C of the periodic cell, (C11 + C22 + C33 + 2 C12 + 2 C13 + "
    "2 C23) / 9, solved with 8-node hexahedra, one material per voxel. A 2D cell is one voxel thick and periodic "
    "through its thickness, with three-dimensional elasticity: parallel fibres seen end-on."
)
BOUNDS_NOTE = (
    "The inner bounds are those of Hashin and Shtrikman; only the error of a grid that is too coarse passes them."
)
ASHBY_CAPTION = "The designs among the base materials of the catalogue."

Table = list[list[str]]
"""Rows of texts; the first one heads the columns."""


@dataclass(frozen=True)
class Chapter:
    """One design. anchor: where links within the report lead. materials: role, material, web address of its source.
    cell, stress, stiffness: PNG figures."""

    number: int
    anchor: str
    title: str
    materials: list[tuple[str, Material, str]]
    filling: str
    made: str
    stages: Table
    certainty: str
    properties: list[tuple[str, str]]
    bounds: Table
    stiffness_entries: Table
    captions: tuple[str, str]
    cell: bytes
    stress: bytes
    stiffness: bytes
    sha256: str


@dataclass(frozen=True)
class Report:
    """A whole report. settings, origin: names and values of the request and of the provenance, hashes apart."""

    title: str
    lead: str
    overview: Table
    ashby: bytes
    failed: list[str]
    settings: list[tuple[str, str]]
    origin: list[tuple[str, str]]
    hashes: list[tuple[str, str]]
    chapters: list[Chapter]


def make_report(result: DesignResult, exports: Sequence[DesignExport], origin: dict[str, Any]) -> Report:
    """Request, provenance and, per exported design, materials with sources, K of every stage, bounds, C and figures.

    exports: of the verified designs to be shown. origin: from `relaxdesign.export.provenance`.
    """
    request = result.request
    facts = [(name.replace("_", " "), str(value)) for name, value in origin.items() if value is not None]
    verified = sum(design.ok for design in result.designs)
    return Report(
        title=f"Composite designs for {request.title}",
        lead=f"{verified} of {len(result.designs)} candidates verified; {len(exports)} in this report. Moduli in GPa, "
        "density in g/cm³, lengths in mm.",
        overview=_overview(exports),
        ashby=ashby_png([export.design for export in exports], offered(request), request.target_bulk),
        failed=[f"{d.index + 1}: {d.message or 'not realised'}" for d in result.designs if not d.ok],
        settings=_settings(request.model_dump(mode="json", exclude={"objectives", "materials_csv", "start_cell"})),
        origin=[fact for fact in facts if "sha256" not in fact[0]],
        hashes=[(name.removesuffix(" sha256"), value) for name, value in facts if "sha256" in name],
        chapters=[_chapter(export) for export in exports],
    )


def offered(request: DesignRequest) -> Sequence[Material]:
    """The materials a request could choose from, before its filter."""
    own = request.materials_csv
    return (Catalogue.default() if own is None else Catalogue.from_text(own)).materials


def number(value: float | None, digits: int = 4) -> str:
    """A number with so many digits, – for none."""
    return "–" if value is None else f"{value:.{digits}g}"


def _overview(exports: Sequence[DesignExport]) -> Table:
    phases = [phase.capitalize() for phase in exports[0].phases] if exports else []
    rows = [["Design", *phases, "Fraction", "K", "Worst miss", "G", "E", "Density"]]
    for export in exports:
        design, values = export.design, _values(export)
        rows.append(
            [
                str(export.number),
                *(material.name for material in design.materials),
                number(design.volume_fraction, 3),
                number(values["K"]),
                _percent(design.error),
                *(number(values[name]) for name in ("G", "E", "density")),
            ]
        )
    return rows


def _values(export: DesignExport) -> dict[str, float]:
    """All quantities of the realised cell; of designs that know few of them, those of its voxels."""
    return export.evaluation.values | (export.design.properties or {})


def _chapter(export: DesignExport) -> Chapter:
    design, values, load = export.design, _values(export), export.options.load
    shape = " × ".join(str(n) for n in export.cell.labels.shape)
    fibres = "; fibres seen end-on" if export.cell.dim == 2 else ""
    return Chapter(
        number=export.number,
        anchor=export.name,
        title=f"Design {export.number}: {_outcome(design)}",
        materials=[
            (phase.capitalize(), material, web_address(material.url))
            for phase, material in zip(export.phases, export.cell.materials, strict=True)
        ],
        filling=" ".join(filter(None, (f"{filling(design, export.options.cell_size_mm)}.", export.plates_text))),
        made=_made(export),
        stages=_stages(design),
        certainty=_certainty(design),
        properties=_properties(export),
        bounds=[
            ["", "Reuss", "HS lower", "Cell", "HS upper", "Voigt"],
            *(_bounds(name, values[name], of) for name, of in bounds_of(design.materials, design.shares).items()),
        ],
        stiffness_entries=_stiffness(export.stiffness),
        captions=(
            f"{shape} voxels, edge {number(export.options.cell_size_mm)} mm{fibres}.",
            f"Von Mises stress under the unit strain {load} (linear: multiply by the strain).",
        ),
        cell=export.phase_figure,
        stress=export.stress_figure,
        stiffness=export.stiffness_figure,
        sha256=export.record["origin"]["cell_sha256"],
    )


def _made(export: DesignExport) -> str:
    """How it is made, and what stress that leaves, as far as that is known."""
    design = export.design
    stress = residual_stress(design.makeable, design.materials, export.evaluation.expansion)
    return " ".join(filter(None, (made_text(design, export.options.cell_size_mm), stress)))


def _certainty(design: Design) -> str:
    """How far the numbers can be trusted."""
    known = [f"{name} {design.trust[name].words}" for name in design.misses or ("K",) if name in design.trust]
    if known:
        what_if = f" {design.if_off}." if design.if_off else ""
        return f"95 % intervals of what is built: {'; '.join(known)}.{what_if}"
    return "" if design.spread is None else f"Standard deviation over other placements: {number(design.spread, 2)} GPa."


def filling(design: Design, edge_mm: float) -> str:
    """How much of the cell the phases but the first fill and what else describes it, in words. edge_mm: of the cell."""
    named = zip(phase_names(design)[1:], design.shares[1:], strict=True)
    filled = ", ".join(
        f"{phase} {'fill' if phase.endswith('s') else 'fills'} {100 * share:.1f} % of the cell"
        for phase, share in named
    )
    known = {parameter.name: parameter for parameter in FAMILIES[design.family].parameters}
    others = (
        f", {known[name].label} {value:.3f} {known[name].unit or 'of its edge'}"
        for name, value in design.parameters.items()
    )
    across = sizes_text(design, edge_mm)
    text = filled + "".join(others) + (f", {across}" if across else "")
    return text[:1].upper() + text[1:]


def _outcome(design: Design) -> str:
    """K, or what the cell has of every target and how far off it is."""
    misses = design.misses
    if len(misses) > 1:
        return ", ".join(f"{name} = {design.told(name)} ({_percent(misses[name])})" for name in misses)
    for name, miss in misses.items():
        return f"{name} = {design.told(name)}, {_percent(miss)} off the target"
    return f"K = {design.told('K')}"


def _stages(design: Design) -> Table:
    """K and the quantities of the targets at every stage, with the worst miss where all are known."""
    names = list(dict.fromkeys(["K", *design.misses]))
    heads = [f"{name}, {QUANTITIES[name].unit}" if QUANTITIES[name].unit else name for name in names]
    rows = [["Stage", *heads, "Worst miss"]]
    for stage, title in STAGES.items():
        reached = design.stages.get(stage, {})
        misses = design.misses_at(stage)
        worst = max(misses.values(), key=abs, default=None) if misses.keys() == design.misses.keys() else None
        rows.append([title, *(number(reached.get(name), 5) for name in names), _percent(worst)])
    for title, known in (("On twice the grid", design.verified), ("Its voxels", design.voxels)):
        if known:
            rows.append([title, *(number(known.get(name), 5) for name in names), ""])
    return rows


def _properties(export: DesignExport) -> list[tuple[str, str]]:
    values, effective, design = _values(export), export.evaluation, export.design
    titles = {name: QUANTITIES[name].title + (f" {name}" if len(name) == 1 else "") for name in design.trust}
    known = {title: design.told(name) for name, title in titles.items()}
    return [
        *((title, known.get(title, text)) for title, text in in_words(values, number)),
        ("Universal anisotropy index", number(values["AU"], 3)),
        ("Voxels solved with", f"{effective.iterations} iterations, residual {number(effective.residual, 1)}"),
    ]


def _bounds(symbol: str, value: float, bounds: Bounds) -> list[str]:
    numbers = (bounds.reuss, bounds.hs_lower, value, bounds.hs_upper, bounds.voigt)
    return [symbol, *(number(float(n)) for n in numbers)]


def _stiffness(C: np.ndarray) -> Table:
    """Entries with as many decimals as give the largest five digits."""
    decimals = max(0, 4 - math.floor(math.log10(np.abs(C).max())))
    names = ["xx", "yy", "zz", "yz", "xz", "xy"]
    rows = [[f"{value + 0.0:.{decimals}f}".replace("-", "−") for value in row] for row in C.round(decimals)]
    return [["", *names], *([name, *row] for name, row in zip(names, rows, strict=True))]


def _settings(values: dict[str, Any], group: str = "") -> list[tuple[str, str]]:
    """Settings as names and texts, nested ones after the name of their group; those left open are not shown."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            rows += _settings(value, f"{name}: ")
        elif value not in (None, [], ""):
            rows.append((f"{group}{name.replace('_', ' ')}", _text(value)))
    return rows


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _percent(value: float | None) -> str:
    if value is None:
        return "–"
    return "0.00 %" if abs(value) < 5e-5 else f"{100 * value:+.2f} %".replace("-", "−")
