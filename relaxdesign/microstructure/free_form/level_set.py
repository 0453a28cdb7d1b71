"""Geometric projection and refinement: the sampled phase map itself becomes the design.

Where the placement is the design (E_x ≠ E_y, single entries of C) particles cannot be placed anew. The phases keep
their shapes, their materials become real ones, and the interface is shifted as a level set, φ > 0 inside the
particles, until the cell meets its targets:

    φ ← φ + Σ_i a_i b_i,    b_0 = 1,    b_i = sensitivity of target i, smoothed,

with a from Gauss–Newton steps. Derivatives by a are finite differences: across an interface of contrasting
materials the modulus of a voxel jumps, and its derivative says little about the jump (Allaire et al. 2004,
doi:10.1016/j.jcp.2003.09.032, for level sets in shape optimisation).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter
from torch import Tensor

from relaxdesign.materials.catalogue import Catalogue, Material
from relaxdesign.materials.channels import Channels
from relaxdesign.microstructure.particles.projection import label_phases
from relaxdesign.physics.elasticity import BULK, ELASTICITY, SHEAR
from relaxdesign.physics.evaluator import Evaluator
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.merit import extreme_cost
from relaxdesign.study.refinement import Realised, RefinementError
from relaxdesign.study.request import Objective
from relaxdesign.study.selection import worth_of_new_kinds
from relaxdesign.study.simulation import Simulation, two_phase, verify

SHARES = (0.03, 0.97)
"""Smallest and largest share of the particle phase that a shift may lead to."""

_TOLERANCE = 2e-3
_ACCEPTED = 0.01
_STEPS = 10
_TRIED_PAIRS = 8
_SCREENED = 40
_KNOWN_KIND = 0.1  # squared channel units; with as much as `design.selection` charges, fewer designs meet a direction
_PROBE = 0.7  # voxels by which the interface moves for a finite difference
_LARGEST_SHIFT = 1.5  # voxels per step
_SMOOTHING = 1.0  # voxels


@dataclass(frozen=True, eq=False)
class PhaseMap:
    """The two phases of a sample. labels: bool (*grid), True = the smaller phase; channel medians (3,) of both."""

    labels: NDArray[np.bool_]
    matrix: Tensor
    particle: Tensor

    @staticmethod
    def of(clean: Tensor) -> PhaseMap:
        """Of a relaxed field (channels, *grid). Raises ProjectionError for a homogeneous one."""
        labels, medians, _ = label_phases(clean)
        smaller = bool(labels.mean() < 0.5)
        return PhaseMap(labels == smaller, medians[not smaller], medians[smaller])


def refine_geometry(
    phases: PhaseMap,
    materials: Catalogue,
    channels: Channels,
    objectives: tuple[Objective, ...],
    simulation: Simulation,
    *,
    taken: Collection[tuple[int, int]] = (),
) -> tuple[int, int, Realised]:
    """Materials near the sample's (indices) and a cell of its shape that meets the targets.

    Where they cannot all be met, what came nearest. Raises RefinementError if no pair brackets the targets.
    """
    best: tuple[float, int, int, NDArray[np.bool_]] | None = None
    for matrix, particle in _near_pairs(phases, materials, channels, objectives, simulation, taken):
        pair = materials.materials[matrix], materials.materials[particle]
        miss, labels = _shift_interface(phases.labels, pair, simulation)
        if best is None or miss < best[0]:
            best = miss, matrix, particle, labels
        if miss < _ACCEPTED:
            break
    if best is None:
        wanted = " and ".join(str(target) for target in simulation.targets)
        raise RefinementError(
            f"no two materials on offer have {wanted} between them (or other designs took all that have): "
            "offer more materials, allow the same pair again or ask for fewer candidates"
        )
    _, matrix, particle, labels = best
    phase = torch.from_numpy(labels)
    verified = verify(materials.materials[matrix], materials.materials[particle], phase, simulation)
    return matrix, particle, Realised(phase, verified)


def _near_pairs(
    phases: PhaseMap,
    materials: Catalogue,
    channels: Channels,
    objectives: tuple[Objective, ...],
    simulation: Simulation,
    taken: Collection[tuple[int, int]],
) -> list[tuple[int, int]]:
    """Pairs to try: materials near the phases' that bound the moduli wanted, those first that miss little unshifted."""
    points = channels.encode(materials.properties, axis=-1).numpy()
    far = [np.square(points - mean.numpy()).sum(1) for mean in (phases.matrix, phases.particle)]
    extremes = [objective for objective in objectives if objective.sense != "reach"]
    targets = [objective for objective in objectives if objective.sense == "reach"]
    new = worth_of_new_kinds(materials, taken, extremes, each=_KNOWN_KIND)
    cost = far[0][:, None] + far[1] - new
    np.fill_diagonal(cost, np.inf)
    single = _between_phases(materials, objectives)
    share = float(phases.labels.mean())
    for target in targets:
        if target.quantity not in single:
            continue
        values = single[target.quantity]
        low, high = np.minimum.outer(values, values), np.maximum.outer(values, values)
        cost[(low > (target.high or np.inf)) | (high < (target.low or 0.0))] = np.inf

    def mean(name: str) -> NDArray[np.float64]:
        values = single[name]
        return QUANTITIES[name].coordinate((1 - share) * values[:, None] + share * values[None, :])

    averaged = [objective for objective in extremes if objective.quantity in single]
    cost += extreme_cost(averaged, mean)
    for pair in taken:
        cost[pair] = np.inf
    order = np.argsort(cost, axis=None, kind="stable")[:_SCREENED]
    pairs = [
        tuple(int(i) for i in np.unravel_index(flat, cost.shape)) for flat in order if np.isfinite(cost.flat[flat])
    ]
    scored = []
    phase = torch.from_numpy(phases.labels)[None]
    for matrix, particle in pairs:
        values = simulation.phases(materials.materials[matrix], materials.materials[particle], phase).mean
        others = extreme_cost(
            (objective for objective in extremes if objective not in averaged),
            lambda name, values=values: QUANTITIES[name].coordinate(values[name]),
        )
        miss = float(np.square(simulation.residuals(values)).sum())
        scored.append((cost[matrix, particle] + others + miss, (matrix, particle)))
    return [pair for _, pair in sorted(scored)[:_TRIED_PAIRS]]


def _between_phases(materials: Catalogue, objectives: tuple[Objective, ...]) -> dict[str, NDArray[np.float64]]:
    """Values (materials,) of the quantities asked for that any cell has between those of its two phases."""
    elastic = materials.properties  # whose E is that of K and G
    values: dict[str, NDArray[np.float64]] = {}
    for quantity in (QUANTITIES[objective.quantity] for objective in objectives):
        name = quantity.of_material
        if name is not None and quantity.positive:
            known = hasattr(elastic, name)
            values[quantity.name] = getattr(elastic, name).numpy() if known else materials.column(name)
    return values


def _shift_interface(
    labels: NDArray[np.bool_], pair: tuple[Material, Material], simulation: Simulation
) -> tuple[float, NDArray[np.bool_]]:
    """Smallest largest residual reached, and the phase map that has it."""
    level = level_set(labels)
    residual = _residuals([level], pair, simulation)[0]
    best = float(np.abs(residual).max()), level > 0
    damping = 1.0
    for _ in range(_STEPS):
        if best[0] < _TOLERANCE:
            break
        modes = [np.ones_like(level), *_sensitivities(level > 0, pair, simulation)]
        probes = [level + _PROBE * mode for mode in modes]
        slopes = (np.stack(_residuals(probes, pair, simulation)) - residual).T / _PROBE  # (targets, modes)
        gram = slopes @ slopes.T
        gram += 1e-3 * np.trace(gram) * np.eye(len(gram)) + 1e-30 * np.eye(len(gram))
        shift = -damping * slopes.T @ np.linalg.solve(gram, residual)
        shift *= min(1.0, _LARGEST_SHIFT / float(np.abs(shift).max() or 1.0))
        moved = level + sum(a * mode for a, mode in zip(shift, modes, strict=True))
        if not SHARES[0] <= (moved > 0).mean() <= SHARES[1]:
            damping *= 0.5
            continue
        new = _residuals([moved], pair, simulation)[0]
        miss = float(np.abs(new).max())
        if miss < best[0]:
            best = miss, moved > 0
            level, residual, damping = moved, new, min(1.0, 2 * damping)
        else:
            damping *= 0.4
    return best


def level_set(labels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Signed distance to the interface in voxels, periodic, positive inside; smoothed so that no two voxels tie."""
    margin = labels.shape[0] // 2
    tiled = np.pad(labels, margin, mode="wrap")
    inside, outside = (np.asarray(distance_transform_edt(part)) for part in (tiled, ~tiled))
    middle = tuple(slice(margin, margin + edge) for edge in labels.shape)
    distance = np.where(tiled, inside - 0.5, 0.5 - outside)[middle]
    return gaussian_filter(distance, _SMOOTHING, mode="wrap")


def _residuals(
    levels: list[NDArray[np.float64]], pair: tuple[Material, Material], simulation: Simulation
) -> list[NDArray[np.float64]]:
    phase = torch.from_numpy(np.stack([level > 0 for level in levels]))
    values = simulation.phases(*pair, phase)
    return [simulation.residuals(values.one(i)) for i in range(len(levels))]


def _sensitivities(
    labels: NDArray[np.bool_], pair: tuple[Material, Material], simulation: Simulation
) -> list[NDArray[np.float64]]:
    """Per target, how its coordinate answers to particle material, smoothed and scaled to 1 near the interface."""
    phase = torch.from_numpy(labels)[None]
    phase = phase if phase.ndim == 4 else phase[..., None]
    fields = [two_phase((getattr(pair[0], n), getattr(pair[1], n)), phase) for n in (BULK.name, SHEAR.name)]
    K, G = (field.requires_grad_() for field in fields)
    density = two_phase((pair[0].density, pair[1].density), phase)
    elastic = [t for t in simulation.targets if QUANTITIES[t.quantity].physics == ELASTICITY.name]
    names = {target.quantity for target in elastic}
    evaluator = Evaluator(names, simulation.evaluator.boundary, 1e-3)
    effective = evaluator({BULK.name: K, SHEAR.name: G, "density": density})
    simulation.cost.add(effective)
    near = np.abs(level_set(labels)) < 2.0
    modes = []
    for target in elastic:
        coordinate = QUANTITIES[target.quantity].coordinate(effective.values[target.quantity]).sum()
        by_bulk, by_shear = torch.autograd.grad(coordinate, (K, G), retain_graph=True)
        raw = by_bulk * (pair[1].bulk - pair[0].bulk) + by_shear * (pair[1].shear - pair[0].shear)
        mode = gaussian_filter(raw[0].reshape(labels.shape).detach().numpy(), 1.5 * _SMOOTHING, mode="wrap")
        # Energies in the soft phase are far larger than in the stiff one: what matters is where, not how much.
        mode = np.sign(mode) * np.sqrt(np.abs(mode))
        modes.append(mode / max(float(np.abs(mode[near]).max()), 1e-30))
    return modes
