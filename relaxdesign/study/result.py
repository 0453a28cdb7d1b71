"""What a study returns: designs with their quantities at every stage, and how to write them as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime

import numpy as np

from relaxdesign.materials.catalogue import Material
from relaxdesign.physics.bounds import Bounds
from relaxdesign.study.request import DesignRequest, Objective

STAGES = ("relaxed", "projected", "snapped", "refined", "realised")
"""Along the way from the sample to the export, see `StageBulk`."""

ON_TARGET = 0.01
"""Largest miss with which a target counts as met."""


@dataclass(frozen=True)
class StageBulk:
    """Effective bulk modulus (GPa) of one design along the way from the sample to the export.

    relaxed: the sampled field, any material per voxel. projected: two phases with the field's
    mean properties. snapped: nearest catalogue materials; projected and snapped are means over fresh random
    placements. refined: mean over placements after materials, volume fraction and diameter were
    adjusted. realised: the one exported placement, solved in float64. None: stage not reached.
    """

    relaxed: float | None = None
    projected: float | None = None
    snapped: float | None = None
    refined: float | None = None
    realised: float | None = None


@dataclass(frozen=True)
class Snapped:
    """What a sample says by itself, before refinement.

    materials: ids of those nearest to its phases, matrix first. shares: volume fractions of the phases.
    """

    materials: tuple[str, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Design:
    """One candidate's outcome. Moduli GPa, density g/cm³, lengths in fractions of the cell edge.

    ``message`` says why a candidate failed (it has None where it did not get to) or what is unusual about it.
    snapped: the sample's own materials; None if it has no phases, and for designs of version 0.1.
    stages: per stage, the quantities of the objectives and K. properties: all quantities of the realised cell.
    """

    index: int
    target_bulk: float | None
    K: StageBulk
    message: str = ""
    matrix: Material | None = None
    particle: Material | None = None
    volume_fraction: float | None = None  # voxel share of the particle phase of the realised cell
    diameter: float | None = None
    spread: float | None = None  # standard deviation of K over placements at the refined stage, GPa
    density: float | None = None
    bounds: Bounds | None = None
    iterations: int | None = None  # of the verifying float64 solve
    residual: float | None = None
    objectives: tuple[Objective, ...] = ()
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    properties: dict[str, float] | None = None
    stiffness: list[list[float]] | None = None  # C in GPa, Voigt order xx, yy, zz, yz, xz, xy
    load_cases: int | None = None  # linear systems solved for this design after sampling
    snapped: Snapped | None = None
    phase: np.ndarray | None = field(default=None, repr=False)  # uint8 (nx, ny, nz), 1 = particle
    relaxed: np.ndarray | None = field(default=None, repr=False)  # float32 (3, nx, ny, nz): E, nu, rho of the sample

    def __post_init__(self) -> None:
        # Without objectives it is the design of a bulk modulus (as those stored by version 0.1 are).
        if not self.objectives and self.target_bulk is not None:
            target = Objective(quantity="K", low=self.target_bulk, high=self.target_bulk)
            object.__setattr__(self, "objectives", (target,))
        if not self.stages:
            reached = {stage: {"K": value} for stage, value in asdict(self.K).items() if value is not None}
            object.__setattr__(self, "stages", reached)

    @property
    def ok(self) -> bool:
        """Whether the design was realised and verified (it may still miss the target: see ``error``)."""
        return self.K.realised is not None

    @property
    def misses(self) -> dict[str, float]:
        """Signed miss of every target by the realised cell: relative, 0 inside the interval (see `Objective.miss`)."""
        return self.misses_at("realised")

    def misses_at(self, stage: str) -> dict[str, float]:
        """As `misses`, of a stage; empty if it was not reached."""
        values = self.stages.get(stage, {})
        targets = (objective for objective in self.objectives if objective.sense == "reach")
        return {o.quantity: o.miss(values[o.quantity]) for o in targets if o.quantity in values}

    @property
    def error(self) -> float | None:
        """The largest of the `misses`, with its sign: with one target K*, (K − K*) / K*."""
        return max(self.misses.values(), key=abs, default=None)

    @property
    def off_target(self) -> dict[str, float]:
        """The `misses` that are larger than ``ON_TARGET``."""
        return {name: miss for name, miss in self.misses.items() if not abs(miss) <= ON_TARGET + 1e-9}

    @property
    def on_target(self) -> bool:
        """Whether the design was realised and meets every target within ``ON_TARGET``."""
        return self.ok and not self.off_target

    def to_dict(self, files: dict[str, str] | None = None) -> dict:
        """JSON form, without arrays. files: names of exported files by kind."""
        return {
            "index": self.index,
            "target_bulk": self.target_bulk,
            "ok": self.ok,
            "message": self.message,
            "matrix": None if self.matrix is None else asdict(self.matrix),
            "particle": None if self.particle is None else asdict(self.particle),
            "volume_fraction": self.volume_fraction,
            "diameter": self.diameter,
            "K": asdict(self.K),
            "on_target": self.on_target,
            "error": self.error,
            "spread": self.spread,
            "density": self.density,
            "bounds": None if self.bounds is None else asdict(self.bounds),
            "iterations": self.iterations,
            "residual": self.residual,
            "objectives": [objective.model_dump(mode="json") for objective in self.objectives],
            "stages": self.stages,
            "misses": self.misses,
            "properties": self.properties,
            "stiffness": self.stiffness,
            "load_cases": self.load_cases,
            "snapped": self.snapped and {name: list(of) for name, of in asdict(self.snapped).items()},
            "files": files or {},
        }

    @staticmethod
    def from_dict(values: dict, phase: np.ndarray | None = None, relaxed: np.ndarray | None = None) -> Design:
        """The inverse of ``to_dict``, and of an exported design's JSON; arrays come separately."""
        kept = {
            key: value
            for key, value in values.items()
            if key not in ("number", "ok", "on_target", "error", "misses", "files")
        }
        if "number" in values:  # an exported record
            kept["index"] = values["number"] - 1
        for key, kind in (("K", StageBulk), ("matrix", Material), ("particle", Material), ("bounds", Bounds)):
            if kept[key] is not None:
                kept[key] = kind(**kept[key])
        if snapped := kept.get("snapped"):
            kept["snapped"] = Snapped(tuple(snapped["materials"]), tuple(snapped["shares"]))
        kept["objectives"] = tuple(Objective.model_validate(value) for value in kept.get("objectives", ()))
        return Design(**kept, phase=phase, relaxed=relaxed)


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
    remark: str = ""  # what was missed, see `relaxdesign.study.pareto.missed`
    load_cases: int = 0  # linear systems solved in all

    def to_dict(self, files: dict[int, dict[str, str]] | None = None) -> dict:
        """JSON form. files: per design index, names of exported files by kind."""
        return {
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
