"""What a study returns: designs with their quantities at every stage, and how to write them as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np

from relaxdesign.materials.catalogue import Material
from relaxdesign.materials.verdict import Verdict
from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import phase_names
from relaxdesign.microstructure.cell import Cell
from relaxdesign.microstructure.solid import Solid
from relaxdesign.physics.bounds import Bounds
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.earlier import of_version_0_1
from relaxdesign.study.objective import Objective, targets_of
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.sensitivity import TOLERANCE, Sensitivity
from relaxdesign.study.stiffness import stiffness_error
from relaxdesign.study.trust import Trust

SCHEMA_VERSION = 2
"""Of the JSON form of designs and results; version 0.1 wrote none, see `relaxdesign.study.earlier`."""

STAGES = ("relaxed", "projected", "snapped", "refined", "realised")
"""Along the way from the sample to the export.

relaxed: the sampled field, any material per voxel. projected: its phases' mean properties. snapped: nearest catalogue
materials. Of inclusions these two are means over fresh placements. refined: after materials, volume fraction and size,
or the interface, were adjusted; of inclusions the mean over placements. realised: the one exported cell at the limit of
fine grids (of designs of version 0.1: its voxels).
"""

ON_TARGET, NEAR_TARGET = 0.01, 0.05
"""Largest misses with which a target counts as met, and as nearly met."""


@dataclass(frozen=True)
class Snapped:
    """Materials and volume fractions of a sample before refinement.

    materials: ids of those nearest to its phases, matrix first. shares: volume fractions of the phases.
    """

    materials: tuple[str, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Design:
    """One candidate's outcome. Moduli GPa, density g/cm³, lengths in fractions of the cell edge.

    family: of microstructures. message: the reason why the candidate failed, or a remark. A candidate that failed lacks
    the stages after its failure, and all that is told of the realised cell. materials, shares: of the phases of the
    realised cell, and their volume fractions. parameters: of the family. stages: per stage, the quantities of the
    objectives, K and the density. properties: all quantities of the realised cell. trust: how well those are known that
    the geometry decides, by name; empty for designs of version 0.1. sensitivity: of each to what a maker cannot hold
    exactly, by name. voxels: K, density and the quantities of the objectives of ``labels`` as they are, on their grid.
    verified: the same of the realised cell on a grid twice as fine, in composite voxels; empty for earlier designs.
    makeable: whether a cell of its materials can be made, and how.
    snapped: the sample's own materials; None if it has no phases, and for designs of version 0.1. geometry: what it
    takes to build the realised cell again on any grid, in cell edges (of particles ``centres`` and ``diameter``), where
    it is known.
    """

    index: int
    objectives: tuple[Objective, ...]
    family: str = "particles"
    message: str = ""
    materials: tuple[Material, ...] = ()
    shares: tuple[float, ...] = ()
    parameters: dict[str, float] = field(default_factory=dict)
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    spread: float | None = None  # standard deviation of K over placements at the refined stage, GPa
    bounds: Bounds | None = None
    properties: dict[str, float] | None = None
    trust: dict[str, Trust] = field(default_factory=dict)
    sensitivity: dict[str, Sensitivity] = field(default_factory=dict)
    voxels: dict[str, float] = field(default_factory=dict)
    verified: dict[str, float] = field(default_factory=dict)
    makeable: Verdict | None = None  # None for designs of earlier versions, and of theirs with a void
    geometry: dict[str, Any] = field(default_factory=dict)
    stiffness: list[list[float]] | None = None  # C in GPa, Voigt order xx, yy, zz, yz, xz, xy
    iterations: int | None = None  # of the verifying solve on the finer grid
    residual: float | None = None
    solid: Solid | None = None  # of a cell with voids
    load_cases: int | None = None  # linear systems solved for this design after sampling
    snapped: Snapped | None = None
    labels: np.ndarray | None = field(default=None, repr=False)  # uint8 (nx, ny, nz), phase of every voxel
    relaxed: np.ndarray | None = field(default=None, repr=False)  # float32 (3, nx, ny, nz): E, nu, rho of the sample

    @property
    def ok(self) -> bool:
        """Whether the design was realised and verified (it may still miss the target: see ``error``)."""
        return "realised" in self.stages

    @cached_property
    def cell(self) -> Cell:
        """The realised cell. Raises ValueError for a design that was not realised, or whose labels were not kept."""
        if self.labels is None or not self.materials:
            why = f" ({self.message})" if self.message else ""
            raise ValueError(f"design {self.index + 1} was not realised{why}: there is no cell")
        return Cell(self.labels, self.materials)

    @property
    def phases(self) -> tuple[str, ...]:
        """What its phases are called, that of label 0 first: as the family calls them, or void and solids."""
        if any(material.void for material in self.materials):
            solids = iter(("solid",) if len(self.materials) == 2 else ("first solid", "second solid"))
            return tuple("void" if material.void else next(solids) for material in self.materials)
        return phase_names(FAMILIES[self.family], len(self.materials))

    def at(self, stage: str, quantity: str) -> float | None:
        """A quantity at a stage, None where it is not known."""
        return self.stages.get(stage, {}).get(quantity)

    def value(self, quantity: str) -> float | None:
        """A quantity of the realised cell, None where it is not known."""
        return (self.properties or self.stages.get("realised", {})).get(quantity)

    def told(self, quantity: str, stage: str = "realised") -> str:
        """A quantity at a stage with its interval, where that is known, and unit: ``117.6 ± 0.3 GPa``; – for none."""
        value = self.at(stage, quantity)
        known = stage == "realised" and quantity in self.trust
        number = str(self.trust[quantity]) if known else "–" if value is None else f"{value:.4g}"
        return QUANTITIES[quantity].with_unit(number) if number != "–" else number

    @property
    def if_off(self) -> str:
        """What a volume fraction off by `TOLERANCE` does to every target, or to K, in words; empty if not known."""
        asked = [name for name in self.misses or ("K",) if name in self.sensitivity]
        values = {name: self.value(name) or 0.0 for name in asked}
        return "; ".join(self.sensitivity[name].words(name, values[name], TOLERANCE) for name in asked)

    def wanted(self, quantity: str) -> float | None:
        """The one value that was asked for of a quantity, None if none was."""
        return next((target.value for target in self.targets if target.quantity == quantity), None)

    @property
    def targets(self) -> tuple[Objective, ...]:
        """The objectives with an interval to reach."""
        return targets_of(self.objectives)

    @property
    def volume_fraction(self) -> float | None:
        """Of all phases but the first; None for a design that was not realised."""
        return sum(self.shares[1:]) if self.shares else None

    @property
    def misses(self) -> dict[str, float]:
        """Signed miss of every target by the realised cell: relative, 0 inside the interval (see `Objective.miss`)."""
        return self.misses_at("realised")

    def misses_at(self, stage: str) -> dict[str, float]:
        """As `misses`, of a stage; empty if it was not reached."""
        values = self.stages.get(stage, {})
        return {o.quantity: o.miss(values[o.quantity]) for o in self.targets if o.quantity in values}

    @property
    def error(self) -> float | None:
        """The largest of the `misses`, with its sign: with one target K*, (K − K*) / K*."""
        return max(self.misses.values(), key=abs, default=None)

    @property
    def stiffness_error(self) -> float | None:
        """Relative Frobenius error of the realised cell's stiffness; None if no whole stiffness was asked for."""
        return stiffness_error(self.objectives, self.stages.get("realised", {}))

    @property
    def off_target(self) -> dict[str, float]:
        """The `misses` that are larger than ``ON_TARGET``."""
        return {name: miss for name, miss in self.misses.items() if not abs(miss) <= ON_TARGET + 1e-9}

    @property
    def on_target(self) -> bool:
        """Whether the design was realised and meets every target within ``ON_TARGET``."""
        return self.ok and not self.off_target

    def to_dict(self, files: dict[str, str] | None = None) -> dict[str, Any]:
        """JSON form, without arrays. files: names of exported files by kind."""
        return {
            "index": self.index,
            "family": self.family,
            "ok": self.ok,
            "message": self.message,
            "phases": [
                {"material": asdict(material), "volume_fraction": share}
                for material, share in zip(self.materials, self.shares, strict=True)
            ],
            "parameters": self.parameters,
            "on_target": self.on_target,
            "error": self.error,
            "stiffness_error": self.stiffness_error,
            **({} if self.solid is None else asdict(self.solid)),
            "spread": self.spread,
            "bounds": None if self.bounds is None else asdict(self.bounds),
            "iterations": self.iterations,
            "residual": self.residual,
            "objectives": [objective.model_dump(mode="json") for objective in self.objectives],
            "stages": self.stages,
            "misses": self.misses,
            "properties": self.properties,
            "trust": {name: trust.to_dict() for name, trust in self.trust.items()},
            "sensitivity": {name: of.to_dict() for name, of in self.sensitivity.items()},
            "voxels": self.voxels,
            "verified": self.verified,
            "makeable": None if self.makeable is None else asdict(self.makeable),
            "geometry": self.geometry,
            "stiffness": self.stiffness,
            "load_cases": self.load_cases,
            "snapped": self.snapped and {name: list(of) for name, of in asdict(self.snapped).items()},
            "files": files or {},
        }

    @staticmethod
    def from_dict(values: dict, labels: np.ndarray | None = None, relaxed: np.ndarray | None = None) -> Design:
        """The inverse of ``to_dict``, and of an exported design's JSON; arrays come separately.

        Designs that version 0.1 wrote are read, too.
        """
        if "phases" not in values:
            values = of_version_0_1(values)
        names = ("family", "message", "parameters", "stages", "spread", "properties", "stiffness", "iterations")
        phases, bounds, snapped = values["phases"], values["bounds"], values.get("snapped")
        return Design(
            index=values["number"] - 1 if "number" in values else values["index"],  # an exported record
            objectives=tuple(Objective.model_validate(value) for value in values["objectives"]),
            materials=tuple(Material(**phase["material"]) for phase in phases),
            shares=tuple(phase["volume_fraction"] for phase in phases),
            bounds=None if bounds is None else Bounds(**bounds),
            trust={name: Trust.from_dict(of) for name, of in values.get("trust", {}).items()},
            sensitivity={name: Sensitivity.from_dict(of) for name, of in values.get("sensitivity", {}).items()},
            voxels=values.get("voxels", {}),
            verified=values.get("verified", {}),
            makeable=(made := values.get("makeable")) and Verdict(**made),
            geometry=values.get("geometry", {}),
            snapped=snapped and Snapped(tuple(snapped["materials"]), tuple(snapped["shares"])),
            solid=Solid.from_dict(values),
            labels=labels,
            relaxed=relaxed,
            **{name: values[name] for name in (*names, "residual", "load_cases")},
        )


@dataclass(frozen=True, eq=False)
class DesignResult:
    """All designs of one request and where they came from. status: finished or cancelled."""

    request: DesignRequest
    designs: tuple[Design, ...]
    status: str
    seconds: float
    prior: str
    solver_iterations: int  # conjugate-gradient iterations in all, every stage
    started: datetime
    version: str
    remark: str = ""  # what was missed, see `study.pareto.missed`
    load_cases: int = 0  # linear systems solved in all

    def to_dict(self, files: dict[int, dict[str, str]] | None = None) -> dict:
        """JSON form. files: per design index, names of exported files by kind."""
        return {
            "schema_version": SCHEMA_VERSION,
            "request": self.request.model_dump(mode="json"),
            "status": self.status,
            "seconds": self.seconds,
            "prior": self.prior,
            "solver_iterations": self.solver_iterations,
            "load_cases": self.load_cases,
            "remark": self.remark,
            "on_target": sum(design.on_target for design in self.designs),
            "started": self.started.isoformat(),
            "version": self.version,
            "designs": [design.to_dict((files or {}).get(design.index)) for design in self.designs],
        }
