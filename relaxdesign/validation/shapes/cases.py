"""What is asked of shapes: stiffnesses of cells held out and of published bone, and what lies at the bounds."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.microstructure.free_form import FREE_FORM
from relaxdesign.microstructure.free_form.generators import GENERATORS, draw_shapes
from relaxdesign.study.objective import Objective
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.run import materials_on_offer
from relaxdesign.study.simulation import Simulation
from relaxdesign.study.stiffness import NINE, stiffness_objectives
from relaxdesign.study.trust import resolve

HELD_OUT_SEED = 7_000_000
"""Of the first target's cell and of its request; no training draws cells with seeds from here on."""
SOLID = "titanium-alloy-ti-6al-4v-annealed"
VOID_AND_SOLID = {"phases": ("void", SOLID)}
STIFF = 100.0
"""Young's modulus of the stiffer of two solids, GPa; of the softer a tenth, and both have ν = 0.3."""
_OWN = f"id,name,E_GPa,nu,rho_g_cm3\nsoft,Soft,{STIFF / 10:g},0.3,1\nstiff,Stiff,{STIFF:g},0.3,4\n"
TWO_SOLIDS = {"phases": ("soft", "stiff"), "materials_csv": _OWN}
VOID_AND_STIFF = {"phases": ("void", "stiff"), "materials_csv": _OWN}

TARGETS = 200
"""Cells held out, of each choice of phases."""
_OF_ALL_METHODS = 24  # of these, for which all methods are compared
_COMPARED_METHODS = ("guided", "topology")
_COMPARED = {2: 12, 3: 6}  # targets for which the designs of a request are told apart
_TOGETHER = {2: 8, 3: 4}  # designs of such a request
FRACTIONS = (0.2, 0.3, 0.4, 0.5)
"""Solid fractions at which the largest moduli are asked for."""
SLACK = 0.02
"""By which the solid fraction may differ from that of a bone."""
AUXETIC = {2: -0.7, 3: -0.4}
"""Poisson's ratios asked for, by dimension."""
WIDTH = 3.0
"""Voxels that necks, walls and gaps of auxetic cells shall have."""
GRIDS = {2: 64, 3: 32}

_LEAST = 1e-3  # of Young's modulus; a cell that is softer under some strain hangs together by less than a voxel
_PLANE = (0, 1, 5)
_LEAST_ASKED = {"quantity": "C11", "low": 1e-6}  # of a request that names phases and asks for nothing else

Target = tuple[str, dict[str, Any]]
"""Name of a target and the fields of a request that ask for it."""


@dataclass(frozen=True)
class ShapeCase:
    """Lines of a table: one request per target. set, name: of the table and its line. targets: what is asked for."""

    set: str
    name: str
    dim: int
    count: int
    targets: tuple[Target, ...] = field(hash=False)

    @property
    def key(self) -> str:
        """Name of its folder."""
        return f"{self.set}-{self.name}-{self.dim}d".replace(" ", "-")

    def requests(self) -> list[DesignRequest]:
        """One per target, in their order."""
        shared = {"dim": self.dim, "count": self.count, "family": "free-form"}
        return [
            DesignRequest.model_validate(shared | {"seed": HELD_OUT_SEED + number} | wanted)
            for number, (_, wanted) in enumerate(self.targets)
        ]


def plan_shapes(
    sets: Iterable[str],
    dims: tuple[int, ...],
    designs: int | None,
    work: Path,
    bones: Path | None = None,
    first: int | None = None,
) -> list[ShapeCase]:
    """The cases of the sets.

    designs: of each target; None: one, where designs are told apart more. work: folder in which targets are kept.
    bones: CSV with the columns name, solid_fraction and the nine entries relative to the solid's Young's modulus; sets
    of bones are left out without it. first: so many targets of every case; None: all.
    """
    cases: list[ShapeCase] = []
    for set_, dim in itertools.product(sets, dims):
        for name, count, targets in _SETS[set_](dim, work, bones):
            if kept := tuple(itertools.islice(targets, first)):
                cases.append(ShapeCase(set_, name, dim, designs or count, kept))
    return cases


Line = tuple[str, int, Iterable[Target]]
"""Name of a line, designs per target, targets."""


Lines = Callable[[int, Path, Path | None], Iterator[Line]]
"""(dimension, work folder, bones) -> the lines of a set."""


def _plane_cells(phases: Mapping[str, Any], methods: Sequence[str], most: int | None = None) -> Lines:
    """Cells of the generators, the first ones if there is a limit, by each method."""

    def lines(dim: int, work: Path, bones: Path | None) -> Iterator[Line]:
        for method in methods if dim == 2 else ():
            yield method, 1, itertools.islice(_of_cells(phases, work, method), most)

    return lines


def _published_bones(*, solid: bool) -> Lines:
    """solid: whether the bone's solid fraction is asked for as well."""

    def lines(dim: int, work: Path, bones: Path | None) -> Iterator[Line]:
        if dim == 3:
            yield "guided", 1, _of_bones(bones, solid=solid)

    return lines


def _different(dim: int, work: Path, bones: Path | None) -> Iterator[Line]:
    for method in _COMPARED_METHODS:
        found = _of_cells(VOID_AND_SOLID, work, method) if dim == 2 else _of_bones(bones, method=method)
        yield method, _TOGETHER[dim], itertools.islice(found, _COMPARED[dim])


def _bounds(dim: int, work: Path, bones: Path | None) -> Iterator[Line]:
    for modulus in ("K", "G"):
        for method in _COMPARED_METHODS:
            wanted = [{"quantity": modulus, "sense": "maximise"}]
            asked = [
                (f"{f:g}", VOID_AND_STIFF | {"objectives": [_exactly("solid", f), *wanted], "method": method})
                for f in FRACTIONS
            ]
            if dim == 2 or modulus == "K":
                yield f"{modulus} {method}", _TOGETHER[dim], asked


def _auxetic(dim: int, work: Path, bones: Path | None) -> Iterator[Line]:
    ratio = AUXETIC[dim]
    across = ratio if dim == 2 else ratio / (1.0 - ratio)  # C12 / C11 of a cell that is alike along all axes
    axial, coupling = ("C11", "C22", "C33")[:dim], ("C12", "C13", "C23")[: 1 if dim == 2 else 3]
    for method in _COMPARED_METHODS:
        asked = []
        for share in (0.01, 0.02, 0.04):
            C = share * STIFF
            entries = dict.fromkeys(axial, C) | dict.fromkeys(coupling, across * C)
            objectives = [_exactly(entry, value, scale=C) for entry, value in entries.items()]
            wanted = {"objectives": objectives, "method": method, "symmetry": "orthotropic"}  # no coupling to shear
            wanted |= {"min_feature": WIDTH / GRIDS[dim]}
            asked.append((f"C11 = {share:g} E", VOID_AND_STIFF | wanted))
        yield method, _TOGETHER[dim], asked


_SETS: dict[str, Lines] = {
    "held-out": _plane_cells(VOID_AND_SOLID, _COMPARED_METHODS),
    "methods": _plane_cells(
        VOID_AND_SOLID, (*_COMPARED_METHODS, "level-set", "gradient", "best-of-n", "random"), _OF_ALL_METHODS
    ),
    "two-solids": _plane_cells(TWO_SOLIDS, _COMPARED_METHODS),
    "bones": _published_bones(solid=False),
    "bones-and-solid": _published_bones(solid=True),
    "different": _different,
    "bounds": _bounds,
    "auxetic": _auxetic,
}
SETS = tuple(_SETS)
"""Sets of cases by name."""


def _exactly(quantity: str, value: float, scale: float | None = None) -> dict[str, Any]:
    return {"quantity": quantity, "low": value, "high": value, "scale": scale}


def _of_stiffness(C: NDArray[np.float64], dim: int) -> list[dict[str, Any]]:
    return [objective.model_dump() for objective in stiffness_objectives(C, dim)]


def _of_cells(phases: Mapping[str, Any], work: Path, method: str) -> Iterator[Target]:
    """Plane stiffnesses of `TARGETS` cells of the generators, kind by kind; kept in a file once they are known."""
    cache = work / f"held-out-{'-'.join(phases['phases'])}.json"
    known: dict[str, Any] = json.loads(cache.read_text(encoding="utf-8")) if cache.exists() else {}
    rest = _cells(phases, 1 + max((int(name.split()[-1]) for name in known), default=-1))
    for number in range(TARGETS):
        if number == len(known):
            name, C = next(rest)
            known[name] = C.tolist()
            cache.parent.mkdir(parents=True, exist_ok=True)
            cache.write_text(json.dumps(known) + "\n", encoding="utf-8")
        name, C = list(known.items())[number]
        yield name, dict(phases) | {"objectives": _of_stiffness(np.array(C), 2), "method": method}


def _cells(phases: Mapping[str, Any], first: int) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Names and stiffnesses (6, 6) in GPa of cells that no training has seen; beside a void they are one piece."""
    asked = DesignRequest.model_validate(dict(phases) | {"family": "free-form", "objectives": [_LEAST_ASKED]})
    materials = materials_on_offer(asked)
    void = materials.has_void
    simulation = Simulation.of([Objective(quantity="C11", low=1e-9)], "periodic", 2, GRIDS[2], void=void)
    kinds = [name for name, kind in GENERATORS.items() if 2 in kind.dims and (kind.network or not void)]
    for number in itertools.count(first):
        kind = kinds[number % len(kinds)]
        generator = torch.Generator().manual_seed(HELD_OUT_SEED + number)
        cell = draw_shapes(kind, 1, GRIDS[2], 2, generator)[0].numpy()
        found = resolve(simulation, materials.materials, FREE_FORM.geometry(FREE_FORM.level_set(cell))).stiffness
        assert found is not None
        least = _LEAST * max(material.young for material in materials.materials) if void else 0.0
        if np.linalg.eigvalsh(found[np.ix_(_PLANE, _PLANE)])[0] > least:
            yield f"{kind} {number}", found


def _of_bones(path: Path | None, *, solid: bool = False, method: str = "guided") -> Iterator[Target]:
    """Stiffnesses of published bone, made of the solid. solid: whether its solid fraction is asked for as well."""
    if path is None:
        return
    young = Catalogue.default().find(SOLID).young
    with path.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            C = np.zeros((6, 6))
            for name in NINE:
                i, j = int(name[1]) - 1, int(name[2]) - 1
                C[i, j] = C[j, i] = young * float(row[name])
            objectives = _of_stiffness(C, 3)
            if solid:
                fraction = float(row["solid_fraction"])
                objectives.append({"quantity": "solid", "low": fraction - SLACK, "high": fraction + SLACK})
            yield row["name"], VOID_AND_SOLID | {"objectives": objectives, "method": method}
