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
        elastic = channel in ("E", "nu")
        pair = (E, nu) if elastic else (K.detach(), G.detach())
        which = 0 if channel in ("K", "E") else 1
        leaf = pair[which].clone().requires_grad_()
        inputs = (leaf, pair[1]) if which == 0 else (pair[0], leaf)
        value = evaluate(*(bulk_shear_from_young_poisson(*inputs) if elastic else inputs))
        exact = torch.autograd.grad(value.sum(), leaf)[0].flatten()[flat]

        base = pair[which].flatten()
        size = torch.minimum(base + 1.0, 0.5 - base) if channel == "nu" else base
        change = step * size[flat]
        perturbed = base.repeat(2 * len(flat), 1)
        rows = torch.arange(len(flat), device=K.device)
        perturbed[rows, flat] += change
        perturbed[rows + len(flat), flat] -= change
        perturbed = perturbed.reshape(-1, *K.shape[1:])
        other = pair[1 - which].expand_as(perturbed)
        inputs = (perturbed, other) if which == 0 else (other, perturbed)
        with torch.no_grad():
            inputs = bulk_shear_from_young_poisson(*inputs) if elastic else inputs
            above, below = evaluate(*(field.contiguous() for field in inputs)).chunk(2)
        checks[channel] = GradientCheck(channel, index, exact, (above - below) / (2.0 * change))
    return checks
