"""Small microstructures for tests."""

import torch

MATRIX = (2.5, 1.2)
"""K, G of an epoxy-like matrix in GPa."""
PARTICLE = (325.0, 156.0)
"""K, G of a stiff ceramic: contrast 130."""


def random_moduli(shape, generator, low=1.0, high=50.0, dtype=torch.float64):
    """Independent K and G in every voxel, uniform between low and high."""
    K = low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)
    G = low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)
    return K.to(dtype), G.to(dtype)


def ball(size, radius, dim=3):
    """Boolean (1, size, size, size or 1): centred disc or ball, radius in cell edges."""
    x = (torch.arange(size, dtype=torch.float64) + 0.5) / size - 0.5
    square = x[:, None, None] ** 2 + x[None, :, None] ** 2
    square = square + (x[None, None, :] ** 2 if dim == 3 else 0.0)
    return (square < radius**2)[None]


def two_phase(mask, matrix=MATRIX, particle=PARTICLE, dtype=torch.float64):
    """K and G fields of a two-phase cell; the mask marks the particle."""
    fields = [
        torch.where(mask, torch.tensor(p, dtype=dtype), torch.tensor(m, dtype=dtype))
        for m, p in zip(matrix, particle, strict=True)
    ]
    return fields[0], fields[1]


def isotropic_stiffness(K, G):
    """6×6 stiffness of an isotropic material."""
    C = torch.zeros(6, 6, dtype=torch.float64)
    C[:3, :3] = K - 2.0 * G / 3.0
    C[range(3), range(3)] = K + 4.0 * G / 3.0
    C[range(3, 6), range(3, 6)] = G
    return C
