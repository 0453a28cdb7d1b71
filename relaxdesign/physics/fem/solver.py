"""Preconditioned conjugate gradients for batches of cells, with a status for every sample.

Convergence is measured by the relative force residual ‖b − K u‖₂ / ‖b‖₂ (Euclidean norm over all nodes and
components, b the nodal force of the macroscopic strain), the number every finite element library reports. In
nearly homogeneous cells ‖b‖₂ is replaced by 1 % of the norm of the macroscopic stress, if that is larger. The
residual is recomputed from the returned displacement, never taken from the recursion.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor

NEARLY_HOMOGENEOUS = 0.01
"""Share of the macroscopic stress below which the load stops being the measure of the residual.

The load of a nearly homogeneous cell is a small difference of large stresses, in the limit pure round-off."""

TINY = torch.finfo(torch.float64).tiny

SINGLE_PRECISION_DROP = 5e-5
"""Largest reduction of the residual asked of one pass in single precision: two passes to 1e-8."""

VALUES_AT_ONCE = 2**22
"""Length of a vector over all samples that a CPU works on at once: large cells take turns, to stay in the cache."""

MAX_PASSES = 12
"""Passes, each from a recomputed residual, before a sample counts as stagnated."""


class Operator(Protocol):
    """What the solver needs of an operator: symmetric, positive (semi)definite, one matrix per sample."""

    batch: int
    dtype: torch.dtype

    def apply(self, fluctuation: Tensor, /) -> Tensor: ...
    def residual(self, load: Tensor, fluctuation: Tensor, /) -> Tensor: ...
    def select(self, keep: Tensor, /) -> Self: ...
    def to(self, dtype: torch.dtype, /) -> Self: ...


class Preconditioner(Protocol):
    """Approximate inverse of a stiffness: symmetric positive (semi)definite, one per sample."""

    def apply(self, force: Tensor, /) -> Tensor: ...
    def select(self, keep: Tensor, /) -> Self: ...
    def to(self, dtype: torch.dtype, /) -> Self: ...


class SolveStatus(enum.Enum):
    """Outcome of the solve for one sample; the value says what happened and what to do."""

    CONVERGED = "converged"
    MAX_ITERATIONS = (
        "the iteration limit was reached before the tolerance; raise max_iterations, loosen tol, or lower "
        "the contrast of the moduli (the work grows with its square root)"
    )
    STAGNATED = "round-off stopped the residual above the tolerance; use float64 fields or loosen tol"
    BREAKDOWN = (
        "the iteration produced a non-finite number or negative energy; the moduli probably exceed the "
        "range of the precision, use float64 fields"
    )
    INVALID_FIELD = "a voxel has a modulus that is not finite and positive; correct the field"


class ConvergenceError(RuntimeError):
    """A solve did not reach its tolerance. ``statuses`` and ``residual`` tell which samples."""

    def __init__(self, statuses: tuple[SolveStatus, ...], iterations: Tensor, residual: Tensor):
        self.statuses, self.iterations, self.residual = statuses, iterations, residual
        failed = [n for n, status in enumerate(statuses) if status is not SolveStatus.CONVERGED]
        first = failed[0]
        super().__init__(
            f"{len(failed)} of {len(statuses)} samples have no solution; sample {first} stopped after "
            f"{int(iterations[first])} iterations at relative residual {float(residual[first]):.1e}: "
            f"{statuses[first].value}. Pass raise_on_failure=False to keep the other samples."
        )


@dataclass(frozen=True)
class Solution:
    """Displacement fluctuations of a batch of cells under one or more load cases."""

    displacement: Tensor
    """(fields, components, *nodes) in units of the voxel edge; fields = batch · load cases."""
    iterations: Tensor
    """Conjugate gradient iterations per sample, (batch,) int64."""
    residual: Tensor
    """Relative force residual, (fields,) float64."""
    status: tuple[SolveStatus, ...]
    """Outcome per sample: its load cases are solved together."""


def solve(
    operator: Operator,
    preconditioner: Preconditioner,
    load: Tensor,
    *,
    tol: float,
    max_iterations: int,
    initial: Tensor | None = None,
    load_scale: Tensor | None = None,
    mixed_precision: bool | None = None,
) -> Solution:
    """Solve K u = b for every sample by preconditioned conjugate gradients with residual correction.

    Each pass solves for a correction, adds it and recomputes the residual. Passes for float64 cells run in
    float32 while that pays (half the memory traffic), the correction and the residual are float64.

    Args:
        operator: stiffness K of the batch.
        preconditioner: approximate inverse of K, see `relaxdesign.physics.fem.boundary.make_preconditioner`.
        load: b, (fields, components, *nodes), the load cases of one sample next to each other.
        tol: relative residual to reach.
        max_iterations: limit per sample, restarts included.
        initial: starting displacement (default zero); a good one saves iterations, not accuracy.
        load_scale: (fields,) norm of the macroscopic stress, whose divergence is ``load``
            (`relaxdesign.physics.fem.operator.VoxelOperator.load_scale`); needed where the load may vanish.
        mixed_precision: run the passes of float64 cells in float32 (default: in 3D, where it saves a third of
            the time; in 2D the extra iterations eat the gain).
    """
    load_norm = _norm(load)
    if load_scale is not None:
        load_norm = torch.maximum(load_norm, NEARLY_HOMOGENEOUS * load_scale.double())
    if mixed_precision is None:
        mixed_precision = load.ndim == 5
    single = operator.dtype == torch.float64 and mixed_precision
    state = _State.start(operator, load, initial, tol * load_norm, max_iterations, single=single)
    while len(index := state.next_samples()) > 0:
        _one_pass(operator, preconditioner, load, state, index)
    relative = state.norm / load_norm.clamp_min(TINY)
    return Solution(state.displacement, state.iterations, relative, state.outcome())


@dataclass
class _State:
    """How far the samples of a batch are. Per field (batch · load cases): displacement to goal; the rest per sample."""

    displacement: Tensor
    residual: Tensor
    norm: Tensor
    """Of the residual, float64."""
    goal: Tensor
    """Norm of the residual to reach."""
    iterations: Tensor
    passes: Tensor
    broken: Tensor
    """Whether the iteration broke down."""
    stuck: Tensor
    """Whether passes no longer help."""
    single: Tensor
    """Whether the next pass runs in float32."""
    max_iterations: int

    @staticmethod
    def start(
        operator: Operator, load: Tensor, initial: Tensor | None, goal: Tensor, max_iterations: int, *, single: bool
    ) -> _State:
        """Before the first pass. single: whether passes begin in float32."""
        displacement = torch.zeros_like(load) if initial is None else initial.clone()
        residual = load.clone() if initial is None else operator.residual(load, displacement)
        iterations = torch.zeros(operator.batch, dtype=torch.int64, device=load.device)
        broken = torch.zeros(operator.batch, dtype=torch.bool, device=load.device)
        return _State(
            displacement=displacement,
            residual=residual,
            norm=_norm(residual),
            goal=goal,
            iterations=iterations,
            passes=torch.zeros_like(iterations),
            broken=broken,
            stuck=broken.clone(),
            single=torch.full_like(broken, single),
            max_iterations=max_iterations,
        )

    @property
    def cases(self) -> int:
        """Load cases per sample."""
        return len(self.goal) // len(self.iterations)

    @property
    def converged(self) -> Tensor:
        return (self.norm <= self.goal).reshape(-1, self.cases).all(1)

    @property
    def spent(self) -> Tensor:
        return self.iterations >= self.max_iterations

    def next_samples(self) -> Tensor:
        """Indices of unfinished samples to work on together: one precision, on a CPU as many as stay in the cache."""
        index = torch.nonzero(~(self.converged | self.stuck | self.broken | self.spent)).flatten()
        if len(index) == 0:
            return index
        index = index[self.single[index] == self.single[index[0]]]
        if index.device.type == "cpu":
            index = index[: max(1, VALUES_AT_ONCE // (self.cases * self.residual[0].numel()))]
        return index

    def outcome(self) -> tuple[SolveStatus, ...]:
        """The status of every sample."""
        flags = zip(self.converged.tolist(), self.broken.tolist(), self.spent.tolist(), strict=True)
        return tuple(
            SolveStatus.CONVERGED if done else SolveStatus.BREAKDOWN if bad
            else SolveStatus.MAX_ITERATIONS if spent else SolveStatus.STAGNATED
            for done, bad, spent in flags
        )  # fmt: skip


def _one_pass(operator: Operator, preconditioner: Preconditioner, load: Tensor, state: _State, index: Tensor) -> None:
    """Adds a correction to the samples in ``index`` where it lowers their residual, and records what it took."""
    in_single, whole = bool(state.single[index[0]]), len(index) == operator.batch
    part = operator if whole else operator.select(index)
    fields = (index[:, None] * state.cases + torch.arange(state.cases, device=load.device)).flatten()
    before, goal = state.norm[fields], state.goal[fields]
    drop = 0.9 * goal / before.clamp_min(TINY)
    if in_single:  # equal steps of at most SINGLE_PRECISION_DROP
        drop = drop ** (1.0 / (drop.log() / math.log(SINGLE_PRECISION_DROP)).ceil().clamp_min(1.0))
    inner_dtype = torch.float32 if in_single else operator.dtype
    correction, used, failed = _conjugate_gradients(
        part.to(inner_dtype),
        (preconditioner if whole else preconditioner.select(index)).to(inner_dtype),
        (state.residual[fields] / _column(before.clamp_min(TINY), state.residual)).to(inner_dtype),
        drop,
        state.max_iterations - state.iterations[index],
    )
    trial = state.displacement[fields].addcmul_(correction.to(operator.dtype), _column(before, state.residual))
    residual = part.residual(load[fields], trial)
    after = _norm(residual)
    better = after < before
    accepted = fields[better]
    state.displacement[accepted], state.residual[accepted] = trial[better], residual[better]
    state.norm[accepted] = after[better]
    state.iterations[index] += used
    state.passes[index] += 1
    enough = (2.0 * drop).clamp_max(0.5) if in_single else 0.5
    progress = ((after < enough * before) | (after <= goal)).reshape(-1, state.cases).all(1)
    if in_single:  # round-off spoilt the pass: go on in double precision
        state.single[index] = ~failed & progress
    else:
        state.broken[index] = failed
        state.stuck[index] = ~progress | (state.passes[index] >= MAX_PASSES)


def _conjugate_gradients(
    operator: Operator,
    preconditioner: Preconditioner,
    residual: Tensor,
    goal: Tensor,
    limit: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Correction from zero until ‖residual‖ ≤ goal in every load case (Saad, Iterative Methods, alg. 9.1).

    Samples that finish leave the batch, so the slowest one never costs the others anything. Returns the
    correction of every field, the iterations of every sample and a flag for samples that broke down.
    """
    cases, shape = len(residual) // len(limit), residual.shape[1:]
    descend, redirect = _vector_steps(residual.device)
    result = torch.zeros_like(residual).flatten(1)
    used = torch.zeros_like(limit)
    broken = torch.zeros(len(limit), dtype=torch.bool, device=limit.device)
    index = torch.arange(len(limit), device=limit.device)
    r = residual.flatten(1).clone()  # vectors are (fields, values) between products
    x = torch.zeros_like(r)
    z = preconditioner.apply(r.unflatten(1, shape)).flatten(1)
    p, rz = z.clone(), _dot(r, z)
    count = 0
    while len(index) > 0:
        count += 1
        q = operator.apply(p.unflatten(1, shape)).flatten(1)
        idle = rz == 0.0  # a load case that was solved from the start
        curvature, norm = descend(x, r, p, q, rz)
        positive = idle | ((curvature > 0) & (rz > 0))
        failed = ~(positive & torch.isfinite(norm)).reshape(-1, cases).all(1)
        finished = failed | (norm <= goal).reshape(-1, cases).all(1) | (count >= limit)
        if finished.any():
            done = index[finished]
            used[done], broken[done] = count, failed[finished]
            result.unflatten(0, (-1, cases))[done] = x.unflatten(0, (-1, cases))[finished]
            keep = torch.nonzero(~finished).flatten()
            if len(keep) == 0:
                break
            index, limit = index[keep], limit[keep]
            x, r, p, goal, rz = (t.unflatten(0, (-1, cases))[keep].flatten(0, 1) for t in (x, r, p, goal, rz))
            operator, preconditioner = operator.select(keep), preconditioner.select(keep)
        z = preconditioner.apply(r.unflatten(1, shape)).flatten(1)
        redirect(p, r, z, rz)
    return result.unflatten(1, shape), used, broken


def _descend(x: Tensor, r: Tensor, p: Tensor, q: Tensor, rz: Tensor) -> tuple[Tensor, Tensor]:
    """x += α p and r -= α q in place, α = rz / p·q; returns p·q and ‖r‖ of every field."""
    curvature = _dot(p, q)
    step = torch.where(rz == 0.0, 0.0, rz / curvature)[:, None]
    x.addcmul_(p, step)
    r.addcmul_(q, step, value=-1.0)
    return curvature, torch.linalg.vector_norm(r, dim=1)


def _redirect(p: Tensor, r: Tensor, z: Tensor, rz: Tensor) -> None:
    """p = z + (r·z / rz) p and rz = r·z in place."""
    product = _dot(r, z)
    p.mul_(torch.where(rz == 0.0, 0.0, product / rz)[:, None]).add_(z)
    rz.copy_(product)


def _vector_steps(device: torch.device) -> tuple[Callable, Callable]:
    """`_descend` and `_redirect`, on a CPU in their fused form."""
    if device.type != "cpu":
        return _descend, _redirect
    from relaxdesign.physics.fem.kernels import descend, redirect  # compiles: only where it is used

    return descend, redirect


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a.unsqueeze(1) @ b.unsqueeze(1).mT).flatten()


def _norm(a: Tensor) -> Tensor:
    return torch.linalg.vector_norm(a.flatten(1), dim=1).double()


def _column(factor: Tensor, like: Tensor) -> Tensor:
    return factor.to(like.dtype).reshape(-1, *(1,) * (like.ndim - 1))
