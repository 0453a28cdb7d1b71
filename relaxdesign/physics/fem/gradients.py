"""Check of exact gradients against central differences, for users who want to see it on their own cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from relaxdesign.physics.fem.boundary import Boundary
from relaxdesign.physics.fem.checks import check_layout, check_young_poisson
from relaxdesign.physics.fem.homogenize import effective_bulk_modulus
from relaxdesign.physics.fem.moduli import bulk_shear_from_young_poisson, young_poisson_from_bulk_shear
from relaxdesign.physics.fem.stiffness import StiffnessResult, effective_stiffness

CHANNELS = ("K", "G", "E", "nu")


@dataclass(frozen=True)
class GradientCheck:
    """Exact gradient and central differences at some voxels, for one channel."""

    channel: str
    voxels: Tensor
    """Indices (count, 3) of the voxels that were perturbed."""
    exact: Tensor
    """Derivative of the output by the channel at these voxels, (count,)."""
    difference: Tensor
    """The same by central differences, (count,)."""

    @property
    def error(self) -> float:
        """Relative error ‖exact - difference‖ / ‖difference‖."""
        return float((self.exact - self.difference).norm() / self.difference.norm())


def check_gradient(
    K: Tensor,
    G: Tensor,
    *,
    output: str | Callable[[StiffnessResult], Tensor] = "bulk",
    boundary: str | Boundary = Boundary.PERIODIC,
    channels: tuple[str, ...] = CHANNELS,
    voxels: int = 6,
    step: float = 1e-4,
    tol: float = 1e-12,
    seed: int = 0,
) -> dict[str, GradientCheck]:
    """Compare exact gradients of one cell with central differences of independently solved cells.

    Args:
        K, G: moduli in GPa, (1, nx, ny, nz) float64.
        output: "bulk", or a function of a `StiffnessResult` that returns (batch,), e.g.
            ``lambda result: result.C[:, 0, 0]``.
        boundary: boundary condition of the cell; "uniaxial" has no stiffness, only output "bulk".
        channels: which of K (at fixed G), G (at fixed K), E (at fixed ν), nu (at fixed E) to perturb.
        voxels: how many voxels, drawn with ``seed``.
        step: perturbation relative to the value (for ν: relative to its distance from -1 and 0.5).
        tol: residual of the solves; differences need a small one.
    """
    _check_arguments(K, G, output, channels)

    def evaluate(K: Tensor, G: Tensor) -> Tensor:
        if isinstance(output, str):
            return effective_bulk_modulus(K, G, boundary=boundary, tol=tol)
        return output(effective_stiffness(K, G, boundary=boundary, tol=tol))

    generator = torch.Generator().manual_seed(seed)
    flat = torch.randperm(K[0].numel(), generator=generator)[:voxels]
    index = torch.stack(torch.unravel_index(flat, K.shape[1:]), dim=1)
    flat = flat.to(K.device)
    E, nu = young_poisson_from_bulk_shear(K.detach(), G.detach())
    check_young_poisson(E, nu)
    checks = {}
    for channel in channels:
        pair = _Pair(channel, *((E, nu) if channel in ("E", "nu") else (K.detach(), G.detach())))
        exact, difference = _exact(pair, evaluate, flat), _central_difference(pair, evaluate, flat, step)
        checks[channel] = GradientCheck(channel, index, exact, difference)
    return checks


def _check_arguments(K: Tensor, G: Tensor, output: object, channels: tuple[str, ...]) -> None:
    """Raises ValueError unless K and G are one float64 cell, and output and channels are known."""
    check_layout(K=K, G=G)
    if len(K) != 1 or K.dtype != torch.float64:
        raise ValueError(
            f"K has shape {tuple(K.shape)} and dtype {K.dtype}; check_gradient takes one float64 cell, "
            "e.g. K[:1].double()"
        )
    if isinstance(output, str) and output != "bulk":
        raise ValueError(f"output is {output!r}, expected 'bulk' or a function of a StiffnessResult")
    unknown = [name for name in channels if name not in CHANNELS]
    if unknown:
        raise ValueError(f"channels {unknown} are unknown, expected some of {CHANNELS}")


@dataclass(frozen=True)
class _Pair:
    """The channel that is perturbed and the one that is held: K and G, or E and ν. Fields (1, nx, ny, nz)."""

    channel: str
    first: Tensor
    second: Tensor

    @property
    def value(self) -> Tensor:
        return self.first if self.channel in ("K", "E") else self.second

    def moduli(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """K and G with other values of the channel, (batch, nx, ny, nz)."""
        if self.channel in ("K", "E"):
            pair = value, self.second.expand_as(value)
        else:
            pair = self.first.expand_as(value), value
        return bulk_shear_from_young_poisson(*pair) if self.channel in ("E", "nu") else pair


def _exact(pair: _Pair, evaluate: Callable[[Tensor, Tensor], Tensor], flat: Tensor) -> Tensor:
    """Exact derivative by the channel at voxels of these flat indices."""
    leaf = pair.value.clone().requires_grad_()
    return torch.autograd.grad(evaluate(*pair.moduli(leaf)).sum(), leaf)[0].flatten()[flat]


def _central_difference(pair: _Pair, evaluate: Callable[[Tensor, Tensor], Tensor], flat: Tensor, step: float) -> Tensor:
    """Central differences by the channel at voxels of these flat indices, each from two cells of its own."""
    base = pair.value.flatten()
    size = torch.minimum(base + 1.0, 0.5 - base) if pair.channel == "nu" else base
    change = step * size[flat]
    perturbed = base.repeat(2 * len(flat), 1)
    rows = torch.arange(len(flat), device=base.device)
    perturbed[rows, flat] += change
    perturbed[rows + len(flat), flat] -= change
    with torch.no_grad():
        moduli = pair.moduli(perturbed.reshape(-1, *pair.value.shape[1:]))
        above, below = evaluate(*(field.contiguous() for field in moduli)).chunk(2)
    return (above - below) / (2.0 * change)
