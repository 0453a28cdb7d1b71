"""Isotropic elastic moduli: conversions between (E, ν), (K, G) and (λ, μ), and of gradients.

All moduli in GPa; works on floats, NumPy arrays and torch tensors alike.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch

Field = TypeVar("Field", float, np.ndarray, torch.Tensor)


def bulk_shear_from_young_poisson(E: Field, nu: Field) -> tuple[Field, Field]:
    """Bulk and shear modulus: K = E / (3 (1 - 2ν)), G = E / (2 (1 + ν)). No check, see `check_moduli`."""
    return E / (3.0 * (1.0 - 2.0 * nu)), E / (2.0 * (1.0 + nu))


def young_poisson_from_bulk_shear(K: Field, G: Field) -> tuple[Field, Field]:
    """Young's modulus E = 9KG / (3K + G) and Poisson's ratio ν = (3K - 2G) / (2 (3K + G))."""
    return 9.0 * K * G / (3.0 * K + G), (3.0 * K - 2.0 * G) / (2.0 * (3.0 * K + G))


def gradient_young_poisson(gradient_bulk: Field, gradient_shear: Field, E: Field, nu: Field) -> tuple[Field, Field]:
    """Chain rule: turn ∂f/∂K, ∂f/∂G of every voxel into ∂f/∂E and ∂f/∂ν (f in GPa: per GPa, and GPa).

    ∂K/∂E = K/E, ∂G/∂E = G/E, ∂K/∂ν = 2K/(1 - 2ν), ∂G/∂ν = -G/(1 + ν).
    """
    K, G = bulk_shear_from_young_poisson(E, nu)
    by_young = (gradient_bulk * K + gradient_shear * G) / E
    by_poisson = gradient_bulk * 2.0 * K / (1.0 - 2.0 * nu) - gradient_shear * G / (1.0 + nu)
    return by_young, by_poisson


def lame_from_bulk_shear(K: Field, G: Field) -> tuple[Field, Field]:
    """Lamé constants λ = K - 2G/3 and μ = G."""
    return K - 2.0 / 3.0 * G, G
