"""Refinement and realisation: a projected design is moved onto the target with real materials.

Refinement picks a pair of catalogue materials near the sample that can reach the target, and
solves for the volume fraction at which the mean over random placements meets it. Realisation takes
one of those placements and fits its diameter until this very cell meets the target.
Every modulus here comes from the evaluator in float64.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import brentq
from torch import Tensor

from relaxdesign.catalogue import Catalogue, Material
from relaxdesign.channels import Channels, Properties
from relaxdesign.composite import (
    DIAMETER_RANGE,
    VOLUME_FRACTION_RANGE,
    Packing,
    PackingError,
    particle_count,
    particle_diameter,
    particle_volume,
    place_particles,
    smallest_gap,
)
from relaxdesign.estimates import pair_estimates
from relaxdesign.fem import BulkResult, bulk_modulus
from relaxdesign.projection import Projection

PLACEMENTS = 10
_PLACEMENT_TOLERANCE = 3e-4  # residual; K errs by its square: measured below 1e-4 even for carbide in an elastomer
_VERIFY_TOLERANCE = 1e-8
_MEAN_TOLERANCE = 2e-3  # relative, of the mean over placements; far below its spread
_REALISED_TOLERANCE = 1e-3
_TRIED_PAIRS = 12


class RefinementError(ValueError):
    """No pair of materials near the sample reached the target; the text says what was tried."""


@dataclass(frozen=True)
class PlacementBulk:
    """Bulk modulus over random placements, GPa."""

    mean: float
    deviation: float
    iterations: int


@dataclass(frozen=True, eq=False)
class Refined:
    """Materials and volume fraction whose mean K meets the target, and the placements it was measured on."""

    matrix: int
    particle: int
    packings: tuple[Packing, ...]
    bulk: PlacementBulk
    per_placement: np.ndarray
    iterations: int


@dataclass(frozen=True, eq=False)
class Realised:
    """The exported cell. phase: bool (*grid). result: the verifying float64 solve."""

    packing: Packing
    phase: Tensor
    result: BulkResult
    iterations: int

    @property
    def bulk(self) -> float:
        return float(self.result.value[0])


def placement_bulk(
    matrix: Properties, particle: Properties, packings: list[Packing], grid: int
) -> tuple[np.ndarray, int]:
    """K (GPa) of each placement, and the solver iterations it took. matrix, particle: scalars."""
    phase = torch.stack([packing.voxelise(grid) for packing in packings])
    result = _solve(matrix, particle, phase, _PLACEMENT_TOLERANCE)
    return result.value.numpy(), int(result.iterations.sum())


def mean_bulk(
    matrix: Properties,
    particle: Properties,
    volume_fraction: float,
    diameter: float,
    dim: int,
    grid: int,
    *,
    generator: torch.Generator,
) -> PlacementBulk:
    """K over ``PLACEMENTS`` fresh placements; fraction and diameter are moved into the supported range."""
    vf = float(np.clip(volume_fraction, *VOLUME_FRACTION_RANGE))
    packings = place_particles(
        vf, float(np.clip(diameter, *DIAMETER_RANGE)), dim, grid=grid, count=PLACEMENTS, generator=generator
    )
    values, iterations = placement_bulk(matrix, particle, packings, grid)
    return PlacementBulk(float(values.mean()), float(values.std(ddof=1)), iterations)


def material_properties(material: Material) -> Properties:
    """K, G, ρ of a material as scalar float64 tensors."""
    return Properties(
        *(torch.tensor(v, dtype=torch.float64) for v in (material.bulk, material.shear, material.density))
    )


def contrast(properties: Properties, matrix, particle) -> np.ndarray:
    """How many times stiffer particles are than the matrix, the larger of K and G. matrix, particle: indices."""
    ratios = [values.numpy()[particle] / values.numpy()[matrix] for values in (properties.bulk, properties.shear)]
    return np.maximum(*ratios)


def crowded(gap_voxels, stiffer):
    """Whether a grid makes too stiff what lies so near: less than a voxel of matrix between particles > 10 × stiffer.

    Measured in docs/verification.md: at half a voxel K of 130 × stiffer spheres is twice too large, of 7 × stiffer ones
    3 %.
    """
    return (gap_voxels < 1.0) & (stiffer > 10.0)


def rank_pairs(
    projection: Projection,
    catalogue: Catalogue,
    channels: Channels,
    target_bulk: float,
    density_weight: float,
    dim: int,
    grid: int,
) -> list[tuple[int, int, float]]:
    """Ordered pairs (matrix, particle, estimated vf) that should reach the target, best first.

    Best means close to the sample in channel units and volume fraction, light if density is weighted, and
    resolved by the grid.
    """
    fractions = np.linspace(*VOLUME_FRACTION_RANGE, 46)
    estimates = np.log(pair_estimates(catalogue, fractions, dim))  # monotone in the fraction
    gap = estimates - math.log(target_bulk)
    crossing = np.signbit(gap[:-1]) != np.signbit(gap[1:])
    matrix, particle = np.nonzero(crossing.any(0))
    first = crossing[:, matrix, particle].argmax(0)
    before, after = gap[first, matrix, particle], gap[first + 1, matrix, particle]
    vf = fractions[first] + (fractions[1] - fractions[0]) * before / (before - after)

    points = channels.encode(catalogue.properties, axis=-1).numpy()
    far_matrix = np.square(points - projection.matrix.numpy()).sum(1)
    far_particle = np.square(points - projection.particle.numpy()).sum(1)
    density = catalogue.properties.density.numpy()
    mean_density = (1 - vf) * density[matrix] + vf * density[particle]
    # A pair at the rim of the range of fractions may fail to bracket the simulated target.
    rim = np.minimum(vf - fractions[0], fractions[-1] - vf) < 0.01
    diameter = float(np.clip(projection.diameter, *DIAMETER_RANGE))
    count = particle_count(torch.from_numpy(vf), diameter, dim)
    gap_voxels = grid * smallest_gap(count, particle_diameter(torch.from_numpy(vf), count, dim), grid, dim).numpy()
    unresolved = crowded(gap_voxels, contrast(catalogue.properties, matrix, particle))
    cost = (
        far_matrix[matrix]
        + far_particle[particle]
        + np.square(vf - projection.volume_fraction)
        + 0.1 * density_weight * np.log(mean_density)
        + 0.05 * rim
        + 0.05 * unresolved
    )
    order = np.argsort(cost, kind="stable")
    return [(int(matrix[i]), int(particle[i]), float(vf[i])) for i in order]


def refine(
    projection: Projection,
    catalogue: Catalogue,
    channels: Channels,
    target_bulk: float,
    dim: int,
    grid: int,
    *,
    density_weight: float = 0.0,
    taken: Collection[tuple[int, int]] = (),
    generator: torch.Generator,
) -> Refined:
    """Materials and volume fraction near the sample whose mean K is the target.

    taken: pairs that other designs of the result already use.
    Raises RefinementError when none of the best pairs works out.
    """
    ranked = [
        pair
        for pair in rank_pairs(projection, catalogue, channels, target_bulk, density_weight, dim, grid)
        if pair[:2] not in taken
    ]
    if not ranked:
        raise RefinementError(f"no two materials on offer reach {target_bulk:g} GPa (or all such pairs are taken)")
    spent = 0
    for matrix, particle, vf in ranked[:_TRIED_PAIRS]:
        search = _FractionSearch(
            material_properties(catalogue.materials[matrix]),
            material_properties(catalogue.materials[particle]),
            vf,
            projection.diameter,
            target_bulk,
            dim,
            grid,
            generator,
        )
        found = search.solve()
        spent += search.iterations
        if found is not None:
            packings, values = found
            bulk = PlacementBulk(float(values.mean()), float(values.std(ddof=1)), search.iterations)
            return Refined(matrix, particle, tuple(packings), bulk, values, spent)
    raise RefinementError(
        f"the {_TRIED_PAIRS} material pairs closest to the sample missed {target_bulk:g} GPa for every volume "
        "fraction; use another seed or offer more materials"
    )


class _FractionSearch:
    """Root finding for the volume fraction: mean K over fixed placements is monotone and smooth in it.

    Particles are placed once, at the largest fraction of the bracket, and then only shrink: the
    same centres serve all fractions, so the function has no placement noise.
    """

    def __init__(self, matrix, particle, vf, diameter, target_bulk, dim, grid, generator):
        self.matrix, self.particle, self.target_bulk, self.dim, self.grid = matrix, particle, target_bulk, dim, grid
        self.generator, self.vf, self.diameter = generator, vf, diameter
        self.iterations = 0
        self.seen: dict[float, tuple[list[Packing], np.ndarray]] = {}

    def solve(self) -> tuple[list[Packing], np.ndarray] | None:
        """Packings and K per placement at the root; None if the bracket holds none."""
        low, high = VOLUME_FRACTION_RANGE
        for width in (0.06, 0.15, 0.3):
            bracket = max(low, self.vf - width), min(high, self.vf + width)
            if not self._place(*bracket) or self._gap(bracket[0]) * self._gap(bracket[1]) > 0:
                continue
            brentq(self._stop_early, *bracket, xtol=2e-4)
            best = min(self.seen, key=lambda vf: abs(self._gap(vf)))
            if abs(self._gap(best)) < 5 * _MEAN_TOLERANCE:
                return self.seen[best]
        return None

    def _place(self, low: float, high: float) -> bool:
        """Places as many particles as keep a supported diameter at both ends of the bracket, near the sample's."""
        smallest, largest = (particle_volume(diameter, self.dim) for diameter in DIAMETER_RANGE)
        fewest, most = max(1, math.ceil(high / largest)), math.floor(low / smallest)
        if fewest > most:
            return False
        wanted = round(self.vf / particle_volume(float(np.clip(self.diameter, *DIAMETER_RANGE)), self.dim))
        self.count = int(np.clip(wanted, fewest, most))
        diameter = float(particle_diameter(high, self.count, self.dim))
        try:
            self.base = place_particles(
                high, diameter, self.dim, grid=self.grid, count=PLACEMENTS, generator=self.generator
            )
        except PackingError:
            return False
        self.seen = {}
        return True

    def _gap(self, vf: float) -> float:
        """ln(mean K) − ln K* at a fraction."""
        if vf not in self.seen:
            diameter = float(particle_diameter(vf, self.count, self.dim))
            packings = [Packing(packing.centres, diameter) for packing in self.base]
            values, iterations = placement_bulk(self.matrix, self.particle, packings, self.grid)
            self.iterations += iterations
            self.seen[vf] = packings, values
        return math.log(self.seen[vf][1].mean() / self.target_bulk)

    def _stop_early(self, vf: float) -> float:
        gap = self._gap(vf)
        return 0.0 if abs(gap) < _MEAN_TOLERANCE else gap


def realise(refined: Refined, catalogue: Catalogue, target_bulk: float, grid: int) -> Realised:
    """The placement nearest to the target, its diameter fitted so that this cell meets the target.

    Voxels join or leave the particles one by one, so the modulus moves in small steps: the
    nearest step is taken. The final solve is at 1e-8 in float64.
    """
    matrix, particle = (material_properties(catalogue.materials[i]) for i in (refined.matrix, refined.particle))
    best_first = np.argsort(np.abs(np.log(refined.per_placement / target_bulk)))
    spent, best = 0, None
    for choice in best_first[:3]:
        packing = refined.packings[int(choice)]
        gaps: dict[float, float] = {}

        def gap(diameter: float, packing: Packing = packing, gaps: dict[float, float] = gaps) -> float:
            nonlocal spent
            if diameter not in gaps:
                values, iterations = placement_bulk(matrix, particle, [Packing(packing.centres, diameter)], grid)
                spent += iterations
                gaps[diameter] = math.log(float(values[0]) / target_bulk)
            return 0.0 if abs(gaps[diameter]) < _REALISED_TOLERANCE else gaps[diameter]

        start = gap(packing.diameter)
        if start:
            low, high = 0.93 * packing.diameter, min(1.07 * packing.diameter, packing.largest_diameter())
            other = next((end for end in (low, high) if end != packing.diameter and start * gap(end) <= 0), None)
            if other is not None:
                brentq(gap, *sorted((packing.diameter, other)), xtol=1e-5)
        diameter = min(gaps, key=lambda d: abs(gaps[d]))
        if best is None or abs(gaps[diameter]) < best[0]:
            best = abs(gaps[diameter]), Packing(packing.centres, diameter)
        if best[0] < 2 * _REALISED_TOLERANCE:
            break
    assert best is not None
    phase = best[1].voxelise(grid)
    result = _solve(matrix, particle, phase[None], _VERIFY_TOLERANCE)
    return Realised(best[1], phase, result, spent + int(result.iterations.sum()))


def two_phase(values: tuple[Tensor, Tensor], phase: Tensor) -> Tensor:
    """Field of matrix value where phase is False and particle value where True."""
    return torch.where(phase, values[1], values[0])


def _solve(matrix: Properties, particle: Properties, phase: Tensor, tol: float) -> BulkResult:
    """Hydrostatic solve of two-phase cells. phase: bool (batch, *grid)."""
    cells = phase if phase.ndim == 4 else phase[..., None]
    return bulk_modulus(
        two_phase((matrix.bulk, particle.bulk), cells), two_phase((matrix.shear, particle.shear), cells), tol=tol
    )
