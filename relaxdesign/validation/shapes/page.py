"""The page of results of shapes, from the records of their designs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from relaxdesign.validation.cells import UNKNOWN, number, percent, table
from relaxdesign.validation.shapes.cases import AUXETIC, GRIDS, SETS, SLACK, STIFF, WIDTH
from relaxdesign.validation.shapes.records import Line


def write_shape_report(measured: Sequence[Line], page: Path, folder: Path, machine: dict[str, Any]) -> None:
    """Writes ``page`` (Markdown) and into ``folder`` the records (JSON).

    Targets that ``folder`` has records of and that were not measured now are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "shapes.json"
    lines = {line.key: line for line in _earlier(path)}
    for line in measured:
        before = lines[line.key].groups if line.key in lines else {}
        lines[line.key] = Line(line.set, line.name, line.dim, before | line.groups)
    ordered = sorted(lines.values(), key=lambda line: (SETS.index(line.set), line.dim))
    values = {"machine": machine, "lines": [line.to_dict() for line in ordered]}
    path.write_text(json.dumps(values, separators=(",", ":")).replace("},{", "},\n{") + "\n", encoding="utf-8")
    sections = [
        write([line for line in ordered if line.set in sets and line.groups])
        for sets, write in _SECTIONS.items()
        if any(line.set in sets and line.groups for line in ordered)
    ]
    page.write_text("\n\n".join((_HEAD.format(**machine), *sections)) + "\n", encoding="utf-8")


def _earlier(path: Path) -> list[Line]:
    if not path.exists():
        return []
    return [Line.from_dict(values) for values in json.loads(path.read_text(encoding="utf-8"))["lines"]]


Cell = Callable[[Line], str]


def _share(attribute: str, limit: float) -> Cell:
    """Of all candidates whose error was measured, or that have no design, those within a limit."""

    def cell(line: Line) -> str:
        errors = _errors(line, attribute)
        return percent(float(np.mean(errors <= limit))) if np.isfinite(errors).any() else UNKNOWN

    return cell


def _median(attribute: str) -> Cell:
    def cell(line: Line) -> str:
        errors = _errors(line, attribute)
        middle = float(np.median(errors)) if len(errors) else np.inf
        return f"{100 * middle:.2f} %" if np.isfinite(middle) else UNKNOWN

    return cell


def _errors(line: Line, attribute: str) -> np.ndarray:
    """Of all candidates: infinite without a design, left out where it was not measured."""
    values = [getattr(record, attribute) if record.ok else np.inf for record in line.records]
    return np.array([value for value in values if value is not None])


def _in_one_piece(line: Line) -> str:
    told = [record.connected for record in line.made if record.connected is not None]
    return percent(float(np.mean(told))) if told else UNKNOWN


def _feature(line: Line) -> str:
    widths = [GRIDS[line.dim] * record.feature for record in line.made if record.feature is not None]
    return f"{np.median(widths):.1f} voxels" if widths else UNKNOWN


def _per_candidate(attribute: str, spec: str) -> Cell:
    """Median over requests of what was spent, by candidate."""

    def cell(line: Line) -> str:
        groups = [group for group in line.groups.values() if getattr(group, attribute) is not None]
        spent = [getattr(group, attribute) / len(group.records) for group in groups]
        return number(float(np.median(spent)) if spent else None, spec)

    return cell


_COUNTS: tuple[tuple[str, Cell], ...] = (
    ("", lambda line: f"{line.dim}D {line.name}"),
    ("targets", lambda line: f"{len(line.groups)}"),
    ("candidates", lambda line: f"{len(line.records)}"),
    ("without a design", lambda line: f"{len(line.records) - len(line.made)}"),
)
_SPENT: tuple[tuple[str, Cell], ...] = (
    ("systems solved", _per_candidate("load_cases", ".0f")),
    ("s", _per_candidate("seconds", ".0f")),
)


def _near(title: str, text: str) -> Callable[[Sequence[Line]], str]:
    """How near designs come to a whole stiffness."""

    def write(lines: Sequence[Line]) -> str:
        written = table(
            lines,
            *_COUNTS,
            ("median error", _median("error")),
            ("≤ 0.3 %", _share("error", 0.003)),
            ("≤ 1 %", _share("error", 0.01)),
            ("≤ 2.5 %", _share("error", 0.025)),
            ("on twice the grid: median", _median("verified")),
            ("≤ 2 %", _share("verified", 0.02)),
            ("in one piece", _in_one_piece),
            ("smallest feature, median", _feature),
            *_SPENT,
        )
        return "\n\n".join((f"## {title}", text, written))

    return write


def _different(lines: Sequence[Line]) -> str:
    def difference(line: Line) -> str:
        found = [group.difference for group in line.groups.values() if group.difference is not None]
        return percent(float(np.mean(found))) if found else UNKNOWN

    def topologies(line: Line) -> str:
        found = [group.topologies for group in line.groups.values()]
        each = [len([r for r in group.records if r.ok]) for group in line.groups.values()]
        return f"{np.mean(found):.1f} of {np.mean(each):.1f}"

    written = table(
        lines,
        *_COUNTS,
        ("median error", _median("error")),
        ("≤ 1 %", _share("error", 0.01)),
        ("in one piece", _in_one_piece),
        ("difference", difference),
        ("topologies", topologies),
        *_SPENT,
    )
    text = (
        "Several designs of one request for a whole stiffness. *Difference*: share of voxels that differ, one cell "
        "shifted, turned and mirrored so that fewest do, mean over all pairs of a request. *Topologies*: designs of a "
        "request with different Betti numbers (pieces, loops, hollows)."
    )
    return "\n\n".join(("## How different", text, written))


def _bounds(lines: Sequence[Line]) -> str:
    def at(fraction: str) -> Cell:
        def cell(line: Line) -> str:
            group = line.groups.get(fraction)
            found = [r.of_bound for r in group.records if r.of_bound is not None] if group else []
            if not group or not found:
                return UNKNOWN
            return f"{percent(max(found))} ({percent(float(np.median(found)))}, {len(found)} of {len(group.records)})"

        return cell

    fractions = sorted({name for line in lines for name in line.groups})
    written = table(lines, *_COUNTS[:1], *((f"solid {fraction}", at(fraction)) for fraction in fractions))
    text = (
        f"*maximise K* or *G* at a given solid fraction, void and a solid with E = {STIFF:g} GPa and ν = 0.3: share of "
        "Hashin and Shtrikman's upper bound, in 2D of that in the plane (plane strain), in 3D of that of isotropic "
        "cells, which averages over directions never exceed. The best design, and in brackets the median and how many "
        "candidates became designs. G is the average over directions; in 2D the request asks for that of the whole "
        "cell, and the table tells of that in the plane."
    )
    return "\n\n".join(("## At the bounds", text, written))


def _auxetic(lines: Sequence[Line]) -> str:
    rows = [(replace(line, groups={name: group}), name) for line in lines for name, group in line.groups.items()]
    written = table(
        rows,
        ("", lambda row: f"{row[0].dim}D {row[0].name}"),
        ("asked for", lambda row: f"{row[1]}, ν = {AUXETIC[row[0].dim]:g}"),
        ("designs", lambda row: f"{len(row[0].made)} of {len(row[0].records)}"),
        ("median error", lambda row: _median("error")(row[0])),
        ("lowest ν", lambda row: number(min((r.poisson for r in row[0].made if r.poisson), default=None), ".2f")),
        ("smallest feature", lambda row: _feature(row[0])),
    )
    text = (
        "Entries of C along and between axes that make Poisson's ratio negative (2D: in the plane), of orthotropic "
        f"symmetry, with necks, walls and gaps of {WIDTH:g} voxels asked for; candidates that have thinner ones are "
        "dropped. *Lowest ν*: of the best design, the larger of its ratios between axes."
    )
    return "\n\n".join(("## Negative Poisson's ratios", text, written))


_SECTIONS: dict[tuple[str, ...], Callable[[Sequence[Line]], str]] = {
    ("held-out",): _near(
        "Stiffness of cells held out",
        "Void and Ti-6Al-4V: the plane stiffness of random cells of the generators, with seeds that no training has "
        "seen, kind by kind.",
    ),
    ("methods",): _near(
        "Against other methods",
        "The first of these cells: the same requests, as many evaluations before refinement, the same refinement. "
        "*topology*: topology optimisation by density; *level-set*: descent of a level set by shape derivatives; "
        "*gradient*: of a relaxed field, all three from random fields; *best-of-n*: the best of unguided samples of "
        "the prior; *random*: the best of random cells of the generators, which the cells held out are of as well.",
    ),
    ("two-solids",): _near(
        "The same of two solids",
        f"Two solids with E = {STIFF / 10:g} and {STIFF:g} GPa, ν = 0.3; cells of all kinds of generators.",
    ),
    ("bones",): _near(
        "Stiffness of bone",
        "Void and Ti-6Al-4V: all 21 entries of trabecular bones (Deng et al. 2024, doi:10.1002/adma.202308149, whose "
        "own designs have a median error of 6 % and are within 5 % in 15 %).",
    ),
    ("bones-and-solid",): _near(
        "Stiffness and solid fraction of bone",
        f"As before, with the bone's solid fraction asked for as well, give or take {SLACK:g}; the error is the larger "
        "of both.",
    ),
    ("different",): _different,
    ("bounds",): _bounds,
    ("auxetic",): _auxetic,
}
"""By the sets of cases, in the order of the page."""

_HEAD = """# Results: shapes of given phases

How near shapes of given phases come to what is asked of them. Generated by `relaxdesign protocol --family free-form`;
nothing on this page is typed by hand, and every candidate is in `results/shapes.json`.

Last measured with version {version} on {cpu}, {cores} cores, {memory_GiB} GiB, PyTorch {torch}; processes: {processes}.
Times and systems solved are those of the median request by candidate, on a machine that was not idle otherwise.

The error is the relative Frobenius norm of C at the limit of ever finer grids; *on twice the grid*: of the cell solved
there. A candidate without a design counts as a miss."""
