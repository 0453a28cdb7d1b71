"""From one relaxed sample to one verified design: projection, snapping, refinement, realisation."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from relaxdesign.materials.catalogue import Catalogue, Material
from relaxdesign.materials.channels import Properties
from relaxdesign.microstructure.free_form.level_set import PhaseMap, refine_geometry
from relaxdesign.microstructure.particles.packing import PackingError
from relaxdesign.microstructure.particles.projection import (
    Projection,
    ProjectionError,
    project,
    project_to_single_material,
)
from relaxdesign.physics.bounds import Bounds, field_bounds
from relaxdesign.physics.evaluator import Evaluator
from relaxdesign.physics.fem import ConvergenceError
from relaxdesign.prior.model import Prior
from relaxdesign.study.objectives import finished_tolerance
from relaxdesign.study.refinement import Realised, Refined, RefinementError, realise, refine
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Design, Snapped, StageBulk
from relaxdesign.study.selection import PairTable, contrast, crowded
from relaxdesign.study.simulation import Cost, Simulation, two_phase, verify

_FAILURES = (PackingError, RefinementError, ConvergenceError)


@dataclass(frozen=True, eq=False)
class Finisher:
    """Finishes the samples of one request. materials: on offer; the prior's grid is the cells' grid."""

    request: DesignRequest
    materials: Catalogue
    prior: Prior

    @cached_property
    def table(self) -> PairTable:
        """Estimates for all pairs of materials, shared by all designs."""
        return PairTable(self.materials, self.request.objectives, self.request.dim, self.prior.grid)

    def finish(
        self, index: int, field: Tensor, taken: Collection[tuple[int, int]]
    ) -> tuple[Design, tuple[int, int] | None, Cost]:
        """The design of a sample (channels, *grid), the indices of its materials and what it cost.

        Failures become the design's message; it has the stages that were reached. taken: pairs to avoid.
        """
        request = self.request
        # A generator per candidate: its design does not depend on how many others there are.
        generator = torch.Generator().manual_seed((request.seed * 1_000_003 + index) % 2**63)
        simulation = Simulation.of(request.objectives, request.boundary, request.dim, self.prior.grid)
        stages: dict[str, dict[str, float]] = {}
        sample = self._sample(field)
        snapped = None
        try:
            stages["relaxed"] = self._relaxed(field, simulation)
            if request.family == "free-form":
                phases = PhaseMap.of(field)
                pair = self._nearest_pair(phases.matrix, phases.particle, taken)
                snapped = self._snapped(pair, float(phases.labels.mean()))
                pair, realised, remark = self._geometric(phases, pair, simulation, stages, taken)
                deviation = None
            else:
                projection, noted = _project(field)
                pair = self._nearest_pair(projection.matrix, projection.particle, taken)
                snapped = self._snapped(pair, projection.volume_fraction)
                pair, realised, deviation, remark = self._statistical(
                    projection, pair, simulation, stages, taken, generator
                )
                remark = "; ".join(filter(None, (noted, remark)))
            stages["realised"] = self._kept(realised.values)
        except (*_FAILURES, ProjectionError) as error:
            design = Design(
                index,
                request.target_bulk,
                _bulk_stages(stages),
                str(error),
                objectives=request.objectives,
                stages=stages,
                snapped=snapped,
                relaxed=sample,
            )
            return design, None, simulation.cost
        remark = "; ".join(filter(None, (remark, self._compromise(stages["realised"]))))
        chosen = self.materials.materials[pair[0]], self.materials.materials[pair[1]]
        design = self._describe(index, stages, remark, chosen, realised, deviation, sample, simulation.cost)
        design = replace(design, snapped=snapped)
        return design, pair, simulation.cost

    # ---- stages ----

    def _relaxed(self, field: Tensor, simulation: Simulation) -> dict[str, float]:
        """Quantities of the sampled field; conductivity and price are properties of real materials only."""
        properties = self.prior.decode(field[None].double())
        names = set(simulation.evaluator.quantities) - {"conductivity", "price"}
        usual = finished_tolerance(1.0)
        evaluator = Evaluator(names, simulation.evaluator.boundary, usual)
        effective = evaluator(properties)
        simulation.cost.add(effective)
        softness = float(effective.values["K"][0] / properties.bulk.mean())
        if (tolerance := finished_tolerance(softness)) < usual:
            closer = replace(evaluator, tolerance=tolerance)
            effective = closer(properties, initial=effective.displacement)
            simulation.cost.add(effective)
        return {name: float(effective.values[name][0]) for name in sorted(names)}

    def _statistical(
        self,
        projection: Projection,
        pair: tuple[int, int],
        simulation: Simulation,
        stages: dict[str, dict[str, float]],
        taken: Collection[tuple[int, int]],
        generator: torch.Generator,
    ) -> tuple[tuple[int, int], Realised, float | None, str]:
        """Equal particles, placed anew. pair: of the materials nearest to the sample."""
        snapped = self._over_placements(projection, pair, simulation, stages, generator)
        if not self.request.refine:
            if snapped is None:
                raise RefinementError("the sample is a single material; refinement, which would change that, is off")
            refined, deviation = snapped, snapped.values.deviation["K"]
            phase = refined.packings[0].voxelise(self.prior.grid)
            chosen = self.materials.materials[pair[0]], self.materials.materials[pair[1]]
            realised = Realised(phase, verify(*chosen, phase, simulation), refined.packings[0])
            return pair, realised, deviation, ""
        refined = refine(projection, self.table, self.prior.channels, simulation, taken=taken, generator=generator)
        stages["refined"] = self._kept(refined.values.mean)
        realised = realise(refined, self.materials, simulation)
        pair = refined.matrix, refined.particle
        return pair, realised, refined.values.deviation["K"], self._crowding(realised, pair)

    def _nearest_pair(self, matrix: Tensor, particle: Tensor, taken: Collection[tuple[int, int]]) -> tuple[int, int]:
        """Indices of the materials nearest to the phases' channel values; without refinement, of those not taken."""
        points = self.prior.channels.encode(self.materials.properties, axis=-1)
        far = [(points - values).square().sum(1) for values in (matrix, particle)]
        cost = far[0][:, None] + far[1][None, :]
        for pair in () if self.request.refine else taken:
            cost[pair] = torch.inf
        nearest = divmod(int(cost.argmin()), len(points))
        return nearest[0], nearest[1]

    def _over_placements(
        self,
        projection: Projection,
        pair: tuple[int, int],
        simulation: Simulation,
        stages: dict[str, dict[str, float]],
        generator: torch.Generator,
    ) -> Refined | None:
        """Stages projected and snapped; returns the snapped placements, None for a single material."""
        phases = self.prior.channels.decode(torch.stack((projection.matrix, projection.particle)), axis=-1)
        read = [_pseudo_material(phases, i) for i in (0, 1)]
        elastic = Simulation.of(
            [o for o in self.request.objectives if o.quantity not in ("conductivity", "price")],
            self.request.boundary,
            self.request.dim,
            self.prior.grid,
        )
        snapped = self.materials.materials[pair[0]], self.materials.materials[pair[1]]
        if projection.homogeneous or pair[0] == pair[1]:
            stages["projected"] = {"K": read[0].bulk, "density": read[0].density}
            stages["snapped"] = {"K": snapped[0].bulk, "density": snapped[0].density}
            return None
        where = projection.volume_fraction, projection.diameter, generator
        stages["projected"] = elastic.fresh_placements(read[0], read[1], *where)[1].mean
        packings, values = simulation.fresh_placements(*snapped, *where)
        simulation.cost.merge(elastic.cost)
        stages["snapped"] = self._kept(values.mean)
        return Refined(*pair, tuple(packings), values, float("nan"))

    def _geometric(
        self,
        phases: PhaseMap,
        pair: tuple[int, int],
        simulation: Simulation,
        stages: dict[str, dict[str, float]],
        taken: Collection[tuple[int, int]],
    ) -> tuple[tuple[int, int], Realised, str]:
        """The sampled phase map itself. pair: of the materials nearest to the sample."""
        phase = torch.from_numpy(phases.labels)
        chosen = self.materials.materials[pair[0]], self.materials.materials[pair[1]]
        stages["snapped"] = self._kept(simulation.phases(*chosen, phase[None]).mean)
        if not self.request.refine:
            return pair, Realised(phase, verify(*chosen, phase, simulation)), ""
        matrix, particle, realised = refine_geometry(
            phases, self.materials, self.prior.channels, self.request.objectives, simulation, taken=taken
        )
        stages["refined"] = self._kept(realised.values)
        return (matrix, particle), realised, ""

    # ---- what is said of them ----

    def _snapped(self, pair: tuple[int, int], volume_fraction: float) -> Snapped:
        matrix, particle = (self.materials.materials[index].id for index in pair)
        return Snapped((matrix, particle), (1 - volume_fraction, volume_fraction))

    def _kept(self, values: Mapping[str, float]) -> dict[str, float]:
        names = {"K", "density", *(objective.quantity for objective in self.request.objectives)}
        return {name: values[name] for name in sorted(names) if name in values}

    def _sample(self, field: Tensor) -> np.ndarray:
        """float32 (3, nx, ny, nz): E, ν, ρ of a sample."""
        p = self.prior.decode(field[None].double())
        return np.stack([value[0].float().numpy() for value in (p.young, p.poisson, p.density)])

    def _crowding(self, realised: Realised, pair: tuple[int, int]) -> str:
        packing = realised.packing
        if packing is None:
            return ""
        gap = self.prior.grid * (packing.largest_diameter() - packing.diameter)
        if not crowded(gap, contrast(self.materials.properties, *pair)):
            return ""
        return f"particles come within {gap:.1f} voxels of each other: resolved more finely, this cell would be softer"

    def _compromise(self, values: Mapping[str, float]) -> str:
        misses = {o.quantity: o.miss(values[o.quantity]) for o in self.request.targets}
        far = [f"{name} by {100 * miss:+.1f} %" for name, miss in misses.items() if abs(miss) > 0.02]
        return f"misses {', '.join(far)}" if far and len(misses) > 1 else ""

    def _describe(
        self,
        index: int,
        stages: dict[str, dict[str, float]],
        remark: str,
        pair: tuple[Material, Material],
        realised: Realised,
        deviation: float | None,
        sample: np.ndarray,
        cost: Cost,
    ) -> Design:
        phase = realised.phase if realised.phase.ndim == 3 else realised.phase[..., None]
        matrix, particle = pair
        bounds = field_bounds(
            two_phase((matrix.bulk, particle.bulk), phase).numpy(),
            two_phase((matrix.shear, particle.shear), phase).numpy(),
        )
        effective = realised.effective
        return Design(
            index=index,
            target_bulk=self.request.target_bulk,
            K=_bulk_stages(stages),
            message=remark,
            matrix=matrix,
            particle=particle,
            volume_fraction=float(phase.double().mean()),
            diameter=None if realised.packing is None else realised.packing.diameter,
            spread=deviation,
            density=realised.values["density"],
            bounds=Bounds(**{name: float(value) for name, value in asdict(bounds).items()}),
            iterations=int(effective.iterations[0]),
            residual=float(effective.residual[0]),
            phase=phase.to(torch.uint8).numpy(),
            relaxed=sample,
            objectives=self.request.objectives,
            stages=stages,
            properties=realised.values,
            stiffness=None if effective.stiffness is None else effective.stiffness[0].tolist(),
            load_cases=cost.load_cases,
        )


def _project(field: Tensor) -> tuple[Projection, str]:
    """The projection and a remark: a sample without two phases counts as its mean material."""
    try:
        return project(field), ""
    except ProjectionError as error:
        return project_to_single_material(field), f"{error}; the design combines two materials instead"


def _pseudo_material(phases: Properties, i: int) -> Material:
    """A phase's mean properties as if it were a material."""
    young, poisson, bulk, shear, density = (
        float(getattr(phases, name)[i]) for name in ("young", "poisson", "bulk", "shear", "density")
    )
    return Material(f"phase-{i}", "mean of a phase", "", young, poisson, bulk, shear, density)


def _bulk_stages(stages: Mapping[str, Mapping[str, float]]) -> StageBulk:
    return StageBulk(**{stage: values["K"] for stage, values in stages.items()})
