"""Refinement of a shape: the sampled phase map itself becomes the design.

Where the placement is the design (E_x ≠ E_y, single entries of C) inclusions cannot be placed anew. The phases keep
their shapes, their materials become real ones, and the interface is shifted as a level set, φ > 0 in phase 1, until the
cell meets its targets:

    φ ← φ + Σ_i a_i b_i,    b_0 = 1,    b_i = sensitivity of target i, smoothed,

with a from Gauss–Newton steps. Derivatives by a are finite differences of composite voxels, which are smooth in φ. The
steps are taken on the design's grid and shifted by what the limit of fine grids was found to differ from it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from relaxdesign.materials.catalogue import Catalogue, Material
from relaxdesign.microstructure.base import Fit, Geometry, Shape
from relaxdesign.microstructure.cell import phase_field
from relaxdesign.physics.elasticity import ELASTICITY
from relaxdesign.physics.evaluator import Evaluator
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.merit import extreme_cost
from relaxdesign.study.objective import Objective, extremes_of
from relaxdesign.study.refinement.limit import moved_to_limit
from relaxdesign.study.refinement.outcome import Realised, RefinementError
from relaxdesign.study.refinement.task import Stage, Task
from relaxdesign.study.selection import worth_of_new_kinds
from relaxdesign.study.simulation import Simulation
from relaxdesign.study.trust import Resolution, verified
from relaxdesign.study.tuning import TUNING

_TOLERANCE = 2e-3
_ACCEPTED = 0.01
_STEPS = 10
_LEAST_DAMPING = 0.03  # four steps in a row that were too long, or out of range
_TRIED_PAIRS = 8
_SCREENED = 40
_PROBE = 0.3  # voxels by which the interface moves for a finite difference
_LARGEST_SHIFT = 1.5  # voxels per step
_SMOOTHING = 1.5  # voxels, of sensitivities


def design_shape(task: Task, family: Shape, fit: Fit) -> Generator[Stage, None, Realised]:
    """Takes a sample read as a shape to a verified cell, by the stages snapped and refined.

    Raises RefinementError or ConvergenceError.
    """
    pair, level = task.nearest_pair(fit), family.level_set(fit.labels)
    yield "snapped", task.kept(task.simulation.values(task.materials_of(pair), [family.geometry(level)]).one(0))
    if not task.request.refine:
        return _finished(pair, level, family, task)
    realised = refine_shape(fit, family, task)
    yield "refined", task.kept(realised.values)
    return realised


def refine_shape(fit: Fit, family: Shape, task: Task) -> Realised:
    """Materials near the sample's and a cell of its shape that meets the targets.

    Where they cannot all be met, what came nearest. Raises RefinementError if no pair brackets the targets.
    """
    best: tuple[float, tuple[int, int], NDArray[np.float64]] | None = None
    start = family.level_set(fit.labels)
    for pair in _near_pairs(fit, family.geometry(start), task):
        miss, level = _shifted(start, family, task.materials_of(pair), task.simulation)
        if best is None or miss < best[0]:
            best = miss, pair, level
        if miss < _ACCEPTED:
            break
    if best is None:
        wanted = " and ".join(str(target) for target in task.simulation.targets)
        raise RefinementError(
            f"no two materials on offer have {wanted} between them (or other designs took all that have): "
            "offer more materials, allow the same pair again or ask for fewer candidates"
        )
    _, pair, level = best
    materials, simulation = task.materials_of(pair), task.simulation

    def shifted(level: NDArray[np.float64], shift: Mapping[str, float]) -> NDArray[np.float64]:
        return _shifted(level, family, materials, simulation, shift)[1]

    _, level, found = moved_to_limit(level, shifted, family.geometry, materials, simulation, _TOLERANCE)
    return _finished(pair, level, family, task, found)


def _finished(
    pair: tuple[int, int], level: NDArray[np.float64], family: Shape, task: Task, found: Resolution | None = None
) -> Realised:
    """The exported cell. found: what is known of its resolution."""
    geometry = family.geometry(level)
    resolution = verified(task.simulation, task.materials_of(pair), geometry, found)
    return Realised(pair, torch.from_numpy(level > 0), geometry, resolution)


def _near_pairs(fit: Fit, sampled: Geometry, task: Task) -> list[tuple[int, int]]:
    """Pairs to try, in ascending order of cost: materials near the phases' that bound the wanted moduli.

    They are compared on a grid half as fine: a look at 40 of them must not cost more than the design.
    """
    extremes = extremes_of(task.request.objectives)
    single = _between_phases(task.materials, task.request.objectives)
    averaged = [objective for objective in extremes if objective.quantity in single]
    cost = _cost_of_pairs(fit, task, extremes, averaged, single)
    order = np.argsort(cost, axis=None, kind="stable")[:_SCREENED]
    pairs = [divmod(int(flat), len(task.materials)) for flat in order if np.isfinite(cost.flat[flat])]
    scored = []
    for pair in pairs:
        values = task.simulation.values(task.materials_of(pair), [sampled], times=0.5).one(0)
        others = extreme_cost(
            (objective for objective in extremes if objective not in averaged),
            lambda name, values=values: QUANTITIES[name].coordinate(values[name]),
        )
        miss = float(np.square(task.simulation.residuals(values)).sum()) + _fragility(pair, sampled, values, task)
        scored.append((cost[pair] + others + miss, pair))
    return [pair for _, pair in sorted(scored)[:_TRIED_PAIRS]]


def _fragility(pair: tuple[int, int], sampled: Geometry, values: Mapping[str, float], task: Task) -> float:
    """Squared change of the targets' coordinates if the volume fraction is off by what the request allows for."""
    simulation, robust = task.simulation, task.request.robust
    if robust == 0.0:
        return 0.0
    moved = sampled.moved(1.0 / simulation.grid)
    grown = float((simulation.shares([moved], 0.5) - simulation.shares([sampled], 0.5)).mean())
    there = simulation.values(task.materials_of(pair), [moved], times=0.5).one(0)
    coordinates = {t.quantity: QUANTITIES[t.quantity].coordinate for t in simulation.targets}
    rises = [float(of(there[name]) - of(values[name])) / grown for name, of in coordinates.items()]
    return float(np.square(robust * np.array(rises)).sum())


def _cost_of_pairs(
    fit: Fit,
    task: Task,
    extremes: Sequence[Objective],
    averaged: Sequence[Objective],
    single: dict[str, NDArray[np.float64]],
) -> NDArray[np.float64]:
    """What speaks against each pair (matrix, inclusions) before any simulation; infinite where it cannot serve."""
    points = task.channels.encode(task.materials.properties, axis=-1).numpy()
    far = [np.square(points - mean.numpy()).sum(1) for mean in fit.phases]
    cost = (
        far[0][:, None]
        + far[1]
        - worth_of_new_kinds(task.materials, task.taken, extremes, each=TUNING.known_kind_free_form)
    )
    np.fill_diagonal(cost, np.inf)
    share = float(fit.labels.mean())
    for target in task.simulation.targets:
        if target.quantity not in single:
            continue
        values = single[target.quantity]
        low, high = np.minimum.outer(values, values), np.maximum.outer(values, values)
        cost[(low > (target.high or np.inf)) | (high < (target.low or 0.0))] = np.inf

    def mean(name: str) -> NDArray[np.float64]:
        values = single[name]
        return QUANTITIES[name].coordinate((1 - share) * values[:, None] + share * values[None, :])

    cost += extreme_cost(averaged, mean)
    for pair in task.taken:
        cost[pair] = np.inf
    return cost


def _between_phases(materials: Catalogue, objectives: Sequence[Objective]) -> dict[str, NDArray[np.float64]]:
    """Values (materials,) of the quantities asked for that any cell has between those of its two phases."""
    elastic = materials.properties  # whose E is that of K and G
    values: dict[str, NDArray[np.float64]] = {}
    for quantity in (QUANTITIES[objective.quantity] for objective in objectives):
        name = quantity.of_material
        if name is not None and quantity.positive:
            known = hasattr(elastic, name)
            values[quantity.name] = getattr(elastic, name).numpy() if known else materials.column(name)
    return values


def _shifted(
    level: NDArray[np.float64],
    family: Shape,
    pair: Sequence[Material],
    simulation: Simulation,
    shift: Mapping[str, float] | None = None,
) -> tuple[float, NDArray[np.float64]]:
    """Smallest largest residual reached on the design's grid, and the level set that has it.

    shift: of the coordinates, see `Simulation.residuals`.
    """

    def residuals(levels: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
        values = simulation.values(pair, [family.geometry(level) for level in levels])
        return [simulation.residuals(values.one(i), shift) for i in range(len(levels))]

    residual = residuals([level])[0]
    best = float(np.abs(residual).max()), level
    damping, step = 1.0, None
    for _ in range(_STEPS):
        if best[0] < _TOLERANCE / 2 or damping < _LEAST_DAMPING:
            break
        if step is None:  # of this level; a shorter one has the same direction
            modes = [np.ones_like(level), *_sensitivities(level, pair, simulation)]
            slopes = (np.stack(residuals([level + _PROBE * mode for mode in modes])) - residual).T / _PROBE
            gram = slopes @ slopes.T  # of the targets
            gram += 1e-3 * np.trace(gram) * np.eye(len(gram)) + 1e-30 * np.eye(len(gram))
            step = -slopes.T @ np.linalg.solve(gram, residual)
            step *= min(1.0, _LARGEST_SHIFT / float(np.abs(step).max() or 1.0))
        moved = level + sum(damping * a * mode for a, mode in zip(step, modes, strict=True))
        if not family.shares[0] <= (moved > 0).mean() <= family.shares[1]:
            damping *= 0.5
            continue
        new = residuals([moved])[0]
        miss = float(np.abs(new).max())
        if miss < best[0]:
            best = miss, moved
            level, residual, damping, step = moved, new, min(1.0, 2 * damping), None
        else:
            damping *= 0.4
    return best


def _sensitivities(
    level: NDArray[np.float64], pair: Sequence[Material], simulation: Simulation
) -> list[NDArray[np.float64]]:
    """Per target, how its coordinate answers to material of phase 1, smoothed and scaled to 1 near the interface."""
    phase = torch.from_numpy(level > 0)[None]
    phase = phase if phase.ndim == 4 else phase[..., None]
    elastic = [t for t in simulation.targets if QUANTITIES[t.quantity].physics == ELASTICITY.name]
    evaluator = Evaluator({target.quantity for target in elastic}, simulation.evaluator.boundary, 1e-3)
    ends = {name: [float(getattr(material, name)) for material in pair] for name in evaluator.coefficients}
    fields = {name: phase_field(values, phase).requires_grad_() for name, values in ends.items()}
    effective = evaluator(fields)
    simulation.cost.add(effective)
    near = np.abs(level) < 2.0
    modes = []
    for target in elastic:
        coordinate = QUANTITIES[target.quantity].coordinate(effective.values[target.quantity]).sum()
        slopes = torch.autograd.grad(coordinate, list(fields.values()), retain_graph=True, allow_unused=True)
        raw = sum(
            slope * (there - here)
            for slope, (here, there) in zip(slopes, ends.values(), strict=True)
            if slope is not None
        )
        assert isinstance(raw, torch.Tensor)
        mode = gaussian_filter(raw[0].reshape(level.shape).detach().numpy(), _SMOOTHING, mode="wrap")
        # Energies in the soft phase are far larger than in the stiff one: what matters is where, not how much.
        # Smoothed again, as the root is steep at 0: an interface that is not smooth is another one on a finer grid.
        mode = gaussian_filter(np.sign(mode) * np.sqrt(np.abs(mode)), _SMOOTHING, mode="wrap")
        modes.append(mode / max(float(np.abs(mode[near]).max()), 1e-30))
    return modes
