"""What the designs of a request for shapes come to, as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from relaxdesign.microstructure.diversity import betti_numbers, mean_difference
from relaxdesign.microstructure.solid import Solid
from relaxdesign.physics.attainable import bounds_on
from relaxdesign.physics.bounds import in_plane_upper_bounds
from relaxdesign.study.result import Design
from relaxdesign.study.stiffness import stiffness_error
from relaxdesign.validation.runner import chunk_path, load_chunk
from relaxdesign.validation.shapes.cases import ShapeCase


@dataclass(frozen=True)
class Record:
    """One candidate.

    error: of the stiffness at the limit of fine grids, relative; of requests for other quantities the largest miss;
    None of a candidate without a design. verified, snapped: the same on twice the grid, and before refinement. solid:
    share of the stiffer phase. connected: whether the solid of a cell with voids is one piece. feature: its smallest,
    cell edges. of_bound: what was to be large, relative to its Hashin–Shtrikman bound. poisson: the largest of
    Poisson's ratios between two axes of the cell. betti: numbers of the stiffer phase.
    """

    message: str = ""
    error: float | None = None
    verified: float | None = None
    snapped: float | None = None
    solid: float | None = None
    connected: bool | None = None
    feature: float | None = None
    of_bound: float | None = None
    poisson: float | None = None
    betti: tuple[int, ...] | None = None

    @property
    def ok(self) -> bool:
        return self.error is not None

    @staticmethod
    def of(design: Design) -> Record:
        """Of a design with its labels."""
        if not design.ok:
            return Record(message=design.message)
        stiffer, phase = _stiffer(design), _stiffer_phase(design)
        solid = None if design.solid is None else Solid.of(phase)  # by today's measures
        return Record(
            message=design.message,
            error=_error(design, design.stages["realised"]),
            verified=_error(design, design.verified),
            snapped=_error(design, design.stages.get("snapped", {})),
            solid=design.shares[stiffer],
            connected=solid and solid.connected,
            feature=solid and solid.min_feature,
            of_bound=_of_bound(design, stiffer),
            poisson=_poisson(design),
            betti=betti_numbers(phase),
        )


@dataclass(frozen=True)
class Group:
    """The candidates of one request. difference: mean over all pairs, see `microstructure.diversity.difference`.

    load_cases: linear systems solved, seconds: taken, in all; None where other work was in the way or not recorded.
    """

    records: tuple[Record, ...]
    difference: float | None = None
    load_cases: int | None = None
    seconds: float | None = None

    @property
    def topologies(self) -> int:
        """Distinct ones, by their Betti numbers."""
        return len({record.betti for record in self.records if record.betti is not None})

    @staticmethod
    def of(designs: Sequence[Design], cost: dict[str, Any] | None) -> Group:
        """Of designs with their labels. cost: as the runner keeps it, None before the request has ended."""
        whole = cost is not None and not cost["resumed"]
        return Group(
            tuple(Record.of(design) for design in designs),
            mean_difference([_stiffer_phase(design) for design in designs if design.ok]),
            cost["load_cases"] if cost and whole else None,
            cost["seconds"] if cost and whole else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON form, without what is not known."""
        records = [{name: value for name, value in asdict(r).items() if value not in (None, "")} for r in self.records]
        rest = {"difference": self.difference, "load_cases": self.load_cases, "seconds": self.seconds}
        return {"records": records} | {name: value for name, value in rest.items() if value is not None}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Group:
        """The inverse of ``to_dict``."""
        records = (r | {"betti": tuple(r["betti"])} if "betti" in r else r for r in values["records"])
        rest = {name: value for name, value in values.items() if name != "records"}
        return Group(tuple(Record(**record) for record in records), **rest)


@dataclass(frozen=True)
class Line:
    """What was measured of a case, by the names of its targets."""

    set: str
    name: str
    dim: int
    groups: dict[str, Group]

    @property
    def key(self) -> str:
        return f"{self.set} {self.name} {self.dim}D"

    @property
    def records(self) -> list[Record]:
        """Of all candidates."""
        return [record for group in self.groups.values() for record in group.records]

    @property
    def made(self) -> list[Record]:
        """Of those that became designs."""
        return [record for record in self.records if record.ok]

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        groups = {name: group.to_dict() for name, group in self.groups.items()}
        return {"set": self.set, "name": self.name, "dim": self.dim, "groups": groups}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Line:
        """The inverse of ``to_dict``."""
        groups = {name: Group.from_dict(group) for name, group in values["groups"].items()}
        return Line(values["set"], values["name"], values["dim"], groups)


def measured(case: ShapeCase, work: Path) -> Line:
    """The requests of a case that have ended, or have designs."""
    groups = {}
    for (name, _), request in zip(case.targets, case.requests(), strict=True):
        designs, cost = load_chunk(chunk_path(work, case, request))
        if designs:
            groups[name] = Group.of(designs, cost)
    return Line(case.set, case.name, case.dim, groups)


def _stiffer(design: Design) -> int:
    """Label of the stiffer phase."""
    return max(range(2), key=lambda label: design.materials[label].bulk)


def _stiffer_phase(design: Design) -> np.ndarray:
    """Whether each voxel (*grid) is of the stiffer phase."""
    assert design.labels is not None
    return (design.labels == _stiffer(design)).squeeze()


def _plane(design: Design) -> bool:
    """Whether the cell is two-dimensional."""
    assert design.labels is not None
    return design.labels.shape[2] == 1


def _error(design: Design, values: dict[str, float]) -> float | None:
    if any(target.quantity not in values for target in design.targets):
        return None
    whole = stiffness_error(design.objectives, values)
    others = [abs(target.miss(values[target.quantity])) for target in design.targets if target.scale is None]
    return max([*others, *([] if whole is None else [whole])])


def _of_bound(design: Design, stiffer: int) -> float | None:
    """What was to be large, over the Hashin–Shtrikman bound of a solid with voids: of 2D cells that in the plane."""
    wanted = {o.quantity for o in design.objectives if o.sense == "maximise"} & {"K", "G"}
    if len(wanted) != 1 or design.stiffness is None:
        return None
    (name,), C = wanted, np.array(design.stiffness)
    solid, share = design.materials[stiffer], design.shares[stiffer]
    if not _plane(design):
        return float(design.value(name) or 0.0) / bounds_on(name, design.materials, design.shares)[1]
    bulk, shear = in_plane_upper_bounds(solid.bulk, solid.shear, share)
    if name == "K":
        return (C[0, 0] + C[1, 1] + 2.0 * C[0, 1]) / 4.0 / bulk
    return ((C[0, 0] + C[1, 1] - 2.0 * C[0, 1]) / 8.0 + C[5, 5] / 2.0) / shear


def _poisson(design: Design) -> float | None:
    """The largest of Poisson's ratios between axes; of 2D cells in the plane, without strain across it."""
    if design.stiffness is None:
        return None
    kept, axes = ([0, 1, 5], 2) if _plane(design) else (list(range(6)), 3)
    S = np.linalg.inv(np.array(design.stiffness)[np.ix_(kept, kept)])
    return float(max(-S[i, j] / S[i, i] for i in range(axes) for j in range(axes) if i != j))
