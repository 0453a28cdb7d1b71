"""From one relaxed sample to one verified design: read as a cell of the family, refined, described."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from relaxdesign.materials.catalogue import Catalogue, Material
from relaxdesign.materials.making import of_many, of_phases, of_solids
from relaxdesign.materials.verdict import Verdict
from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import Family, Fit, FitError, Inclusions, PlacementError
from relaxdesign.microstructure.solid import Solid
from relaxdesign.physics.attainable import bounds_of
from relaxdesign.physics.bounds import Bounds
from relaxdesign.physics.evaluator import Evaluator
from relaxdesign.physics.expansion import of_materials, quantities_of
from relaxdesign.physics.fem import ConvergenceError
from relaxdesign.physics.mass import mixed_prices
from relaxdesign.physics.quantities import computable
from relaxdesign.prior.model import Prior
from relaxdesign.study.family import family_of
from relaxdesign.study.objectives import finished_tolerance
from relaxdesign.study.refinement import Realised, RefinementError, Task, collect, refine_sample
from relaxdesign.study.refinement.solid import check_open, solid_of
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Design, Snapped
from relaxdesign.study.selection import PairTable
from relaxdesign.study.simulation import Cost, Simulation

REVISION = 4
"""Of refinement and realisation: each change that may change designs raises it (1: version 0.2, on voxels; 3: any pair
of materials)."""
SHAPE_REVISION = 7
"""The same of shapes, whose interface is shifted."""

_FAILURES = (FitError, PlacementError, RefinementError, ConvergenceError)


@dataclass(frozen=True, eq=False)
class Finisher:
    """Finishes the samples of one request. materials: on offer; the prior's grid is the cells' grid."""

    request: DesignRequest
    materials: Catalogue
    prior: Prior

    @cached_property
    def family(self) -> Family:
        """Of the request."""
        return family_of(self.request.family, self.request.dim, self.materials)

    @cached_property
    def table(self) -> PairTable:
        """Estimates for all pairs of materials, shared by all designs of a family that has them."""
        family, request = self.family, self.request
        assert isinstance(family, Inclusions)
        return PairTable(
            self.materials, request.objectives, family, request.dim, self.prior.grid, robust=request.robust
        )

    def finish(
        self, index: int, field: Tensor, taken: Collection[tuple[int, ...]]
    ) -> tuple[Design, tuple[int, ...] | None, Cost]:
        """The design of a sample (channels, *grid), the indices of its materials and what it cost.

        Failures become the design's message; it has the stages that were reached. taken: pairs to avoid.
        """
        request, family = self.request, self.family
        # A generator per candidate: its design does not depend on how many others there are.
        generator = torch.Generator().manual_seed((request.seed * 1_000_003 + index) % 2**63)
        simulation = Simulation.for_request(request, self.prior.grid, void=self.materials.has_void)
        field = simulation.symmetry.averaged(field)  # of a symmetric sample its round-off
        task = Task(request, self.materials, self.prior.channels, simulation, taken, generator)
        stages: dict[str, dict[str, float]] = {}
        sampled = Design(index, request.objectives, family.name, stages=stages, relaxed=self._sample(field))
        try:
            stages["relaxed"] = self._relaxed(field, simulation)
            fit = family.fit(field)
            sampled = replace(sampled, snapped=self._snapped(task, fit))
            realised = collect(refine_sample(task, family, fit, lambda _: self.table), stages)
            if request.open_voids:
                materials = task.materials_of(realised.pair)
                check_open(_as_two(materials, realised.labels.numpy()), solid_of(materials))
        except _FAILURES as error:
            return replace(sampled, message=str(error)), None, simulation.cost
        stages["realised"] = task.kept(realised.values)
        remark = "; ".join(filter(None, (realised.remark, self._compromise(stages["realised"]))))
        return self._describe(replace(sampled, message=remark), realised, simulation), realised.pair, simulation.cost

    def _relaxed(self, field: Tensor, simulation: Simulation) -> dict[str, float]:
        """Quantities of the sampled field, as far as its channels tell them."""
        properties = self.prior.decode(field[None].double())
        names = computable(simulation.evaluator.quantities, self.prior.channels.coefficients)
        usual = finished_tolerance(1.0)
        evaluator = Evaluator(names, simulation.evaluator.boundary, usual)
        effective = evaluator(properties.as_fields())
        simulation.cost.add(effective)
        softness = float(effective.values["K"][0] / properties.bulk.mean())
        if (tolerance := finished_tolerance(softness)) < usual:
            closer = replace(evaluator, tolerance=tolerance)
            effective = closer(properties.as_fields(), initial=effective.displacement)
            simulation.cost.add(effective)
        return {name: float(effective.values[name][0]) for name in sorted(names)}

    def _snapped(self, task: Task, fit: Fit) -> Snapped:
        """Materials and volume fractions of the sample before refinement."""
        names = tuple(material.id for material in task.materials_of(task.nearest(fit)))
        return Snapped(names, tuple(float((fit.labels == label).mean()) for label in range(len(names))))

    def _sample(self, field: Tensor) -> np.ndarray:
        """float32 (3, nx, ny, nz): E, ν, ρ of a sample."""
        p = self.prior.decode(field[None].double())
        return np.stack([value[0].float().numpy() for value in (p.young, p.poisson, p.density)])

    def _compromise(self, values: Mapping[str, float]) -> str:
        misses = {o.quantity: o.miss(values[o.quantity]) for o in self.request.targets}
        far = [f"{name} by {100 * miss:+.1f} %" for name, miss in misses.items() if abs(miss) > 0.02]
        return f"misses {', '.join(far)}" if far and len(misses) > 1 else ""

    def _describe(self, sampled: Design, realised: Realised, simulation: Simulation) -> Design:
        """What is known of the verified cell."""
        labels = realised.labels.to(torch.uint8)
        labels = labels if labels.ndim == 3 else labels[..., None]
        resolution = realised.resolution
        materials = tuple(resolution.materials)
        shares = resolution.shares
        bounds = bounds_of(materials, shares)["K"]
        solid = _solid(materials, realised.labels.numpy())
        known = _expansions(materials, shares, resolution.stiffness) | resolution.values
        return replace(
            sampled,
            materials=materials,
            shares=shares,
            parameters=dict(realised.parameters),
            geometry=realised.geometry.to_dict(),
            spread=realised.deviation.get("K"),
            bounds=Bounds(**{name: float(value) for name, value in asdict(bounds).items()}),
            iterations=int(resolution.fine.iterations[0]),
            residual=float(resolution.fine.residual[0]),
            properties=known | _prices(materials, shares),
            trust=resolution.trust(realised.deviation),
            sensitivity=dict(resolution.sensitivity),
            voxels=simulation.voxels(materials, realised.labels),
            verified={name: float(resolution.fine.values[name][0]) for name in sorted(simulation.evaluator.quantities)},
            makeable=_made(materials, simulation.dim, shares, FAMILIES[sampled.family], solid),
            stiffness=None if resolution.stiffness is None else resolution.stiffness.tolist(),
            load_cases=simulation.cost.load_cases,
            solid=solid,
            labels=labels.numpy(),
        )


def _made(
    materials: Sequence[Material], dim: int, shares: Sequence[float], family: Family, solid: Solid | None
) -> Verdict | None:
    """Whether and how a cell can be made; of inclusions the first phase is the matrix."""
    enclosed = 0 if solid is None else solid.enclosed
    if solid is not None and len(materials) == 3:
        return of_solids(materials[1], materials[2], dim, enclosed)
    if len(materials) > 2:
        return of_many(materials, shares, dim)
    return of_phases(materials, dim, shares[-1], ordered=isinstance(family, Inclusions), enclosed=enclosed)


def _prices(materials: Sequence[Material], shares: Sequence[float]) -> dict[str, float]:
    """Prices of the cell, whether they were asked for or not; empty where one of the phases' is not known."""
    if any(material.price is None for material in materials):
        return {}
    return mixed_prices([each.density for each in materials], [each.price for each in materials], shares)


def _expansions(materials: Sequence[Material], shares: Sequence[float], C: np.ndarray | None) -> dict[str, float]:
    """Thermal expansions of the cell, which its stiffness decides; empty where one of the phases' is not known."""
    free = None if C is None else of_materials(materials, shares, C)
    return {} if free is None else quantities_of(free)


def _solid(materials: Sequence[Material], labels: np.ndarray) -> Solid | None:
    """How the solid of a cell hangs together; None without a void."""
    solid = solid_of(materials)
    return None if solid is None else Solid.of(_as_two(materials, labels) == solid)


def _as_two(materials: Sequence[Material], labels: np.ndarray) -> np.ndarray:
    """Labels of the first phase and of all others alike, where more than two are given."""
    return labels if len(materials) == 2 else labels > 0
