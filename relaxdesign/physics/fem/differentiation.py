"""How a solved cell enters PyTorch's graph: one function for all effective properties."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

PullBack = Callable[..., tuple[Tensor, ...]]
"""(g, *saved) -> Σ_a g_a ∂y_a/∂p_e of every field p, of its shape."""


def attach_gradient(
    value: Tensor, good: Tensor, fields: Sequence[Tensor], pull_back: PullBack, saved: Sequence[Tensor]
) -> Tensor:
    """The value y*(p), already computed, as a differentiable function of the fields p; unchanged if none asks for it.

    An effective tensor is the mutual energy of pairs of solutions and stationary in both (Hill 1963,
    doi:10.1016/0022-5096(63)90036-X), so its problem is its own adjoint and takes no further solve:

        C*_ab = (1/V) ∫ ε_a : C : ε_b dV,    ∂C*_ab/∂p_e = (1/V) ∫_e ε_a : ∂C/∂p_e : ε_b dV,

    likewise for ∇T_a · k ∇T_b. What is no energy (the uniaxial K) brings its adjoint solution along, see
    `relaxdesign.physics.fem.load_cases`. In both cases the gradient of a function f of y* is ∂f/∂p_e = Σ_a g_a
    ∂y*_a/∂p_e with g = ∂f/∂y*, which ``pull_back`` computes: exact up to the first power of the solver's residual,
    differentiable once.

    Args:
        value: y*, (batch, ...), without a graph.
        good: boolean (batch,): samples that were solved; the others pass no gradient.
        fields: p, each (batch, nx, ny, nz).
        pull_back: computes the gradient by every field from g and ``saved``.
        saved: tensors that ``pull_back`` needs, such as the fields and the solutions.
    """
    if not (torch.is_grad_enabled() and any(field.requires_grad for field in fields)):
        return value
    return _EffectiveProperty.apply(value, good, pull_back, len(fields), *fields, *saved)


class _EffectiveProperty(torch.autograd.Function):
    """y*(p) with ∂f/∂p_e = Σ_a g_a ∂y*_a/∂p_e; see `attach_gradient`."""

    @staticmethod
    def forward(ctx, value: Tensor, good: Tensor, pull_back: PullBack, count: int, *tensors: Tensor) -> Tensor:
        ctx.pull_back, ctx.nothing = pull_back, (None,) * (len(tensors) - count)
        ctx.save_for_backward(good, *tensors[count:])
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):
        good, *saved = ctx.saved_tensors
        passed = torch.where(good.reshape(-1, *(1,) * (grad.ndim - 1)), grad, 0.0)
        return None, None, None, None, *ctx.pull_back(passed, *saved), *ctx.nothing
