"""Closed forms that the studies compare with. Moduli in GPa."""

from __future__ import annotations

import torch
from torch import Tensor


def backus(K: Tensor, G: Tensor, normal: int) -> Tensor:
    """Stiffness (6, 6) of equal layers (layers,) normal to an axis (Backus 1962, doi:10.1029/JZ067i011p04427)."""
    lam, mu = K - 2.0 * G / 3.0, G
    p_wave = lam + 2.0 * mu
    through = 1.0 / (1.0 / p_wave).mean()
    coupling = (lam / p_wave).mean() * through
    along = (4.0 * mu * (lam + mu) / p_wave).mean() + (lam / p_wave).mean() ** 2 * through
    C = torch.zeros(6, 6, dtype=torch.float64)
    C[:3, :3] = along - 2.0 * mu.mean()
    C[range(3), range(3)] = along
    C[normal, :3] = C[:3, normal] = coupling
    C[normal, normal] = through
    C[range(3, 6), range(3, 6)] = 1.0 / (1.0 / mu).mean()
    C[3 + normal, 3 + normal] = mu.mean()
    return C


def hill_equal_shear(K: Tensor, G: float) -> float:
    """Bulk modulus of a cell (any shape of K) with one shear modulus (Hill 1963)."""
    return float(1.0 / (1.0 / (K + 4.0 * G / 3.0)).mean() - 4.0 * G / 3.0)


def sphere_factor(matrix: tuple[float, float], particle: tuple[float, float]) -> float:
    """Eshelby's (K_i - K_m) / (K_i + 4 G_m/3): strength of a sphere under hydrostatic load."""
    shift = 4.0 / 3.0 * matrix[1]
    return (particle[0] - matrix[0]) / (particle[0] + shift)


def cylinder_factor(matrix: tuple[float, float], particle: tuple[float, float]) -> float:
    """(k_i - k_m) / (k_i + G_m) with the plane-strain bulk modulus k = K + G/3."""
    k_m, k_i = (K + G / 3.0 for K, G in (matrix, particle))
    return (k_i - k_m) / (k_i + matrix[1])


def strength(value: float, matrix: float, shift: float, share: float) -> float:
    """(M* - M_m) / (M* + shift) per volume fraction: the dilute factor as far as neighbours do not matter."""
    return (value - matrix) / (value + shift) / share
