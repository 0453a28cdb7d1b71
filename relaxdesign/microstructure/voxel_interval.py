"""What the voxels of an image leave open: an interval for the cell whose interfaces they tell only roughly.

Where voxels hold shares of phases, the error falls as their edge, so that a grid half as fine tells the limit
(`relaxdesign.physics.composite_voxels.limit`). Where every voxel is of one phase, its interfaces are staircases: too
stiff around stiff inclusions. With interfaces spread over two voxels the same image is too soft, and the cell that was
imaged lies between: spheres of contrast 100 (simple and body-centred cubic, 32³), K and conductivity, do. Where phases
meet crosswise no grid tells whether the stiffer one touches; the interval then reaches down to the cell whose stiffer
voxels are cut there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from relaxdesign.materials import Material
from relaxdesign.microstructure.mixed_voxels import composite_fields
from relaxdesign.physics.composite_voxels import LEFT, VOID_CONTRAST, limit
from relaxdesign.physics.effective_properties import Evaluation, evaluate
from relaxdesign.physics.overlaps import overlaps
from relaxdesign.physics.resolution import crossings

LEAST_VOXELS = 8
"""Per long edge, below which a grid half as fine tells nothing."""

_TREND = 32
"""Voxels per long edge, below which two grids may not follow the law of fine ones yet (a sphere of 40 %, contrast 100,
on 8³ and 16³ voxels: the limit went the other way): the interval then holds either direction."""

_STEEP = 0.05  # relative difference of the two grids, from which the law of fine ones is not reached either

_SPREAD = np.array([0.25, 0.5, 0.25])  # of a voxel, over its neighbours along an axis


@dataclass(frozen=True, eq=False)
class VoxelInterval:
    """The limit of fine voxels with the half-width of its interval (95 %), by quantity; of C (6, 6) in GPa."""

    values: dict[str, tuple[float, float]]
    stiffness: np.ndarray
    half_width: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        told: dict[str, Any] = {
            name: {"value": value, "low": value - half, "high": value + half}
            for name, (value, half) in self.values.items()
        }
        return told | {"C": self.stiffness.tolist(), "C_half_width": self.half_width.tolist()}


def voxel_interval(
    shares: np.ndarray, materials: Sequence[Material], given: Evaluation, *, tol: float | None = None
) -> VoxelInterval | None:
    """The interval around the values of an image, from one more evaluation; None where it has too few voxels.

    Args:
        shares: (phases, nx, ny, nz), of every phase in every voxel, sum 1. materials: of the phases.
        given: what the voxels come to as they are.

    Errors as in `relaxdesign.physics.effective_properties.evaluate`.
    """
    shortest = min(count for count in shares.shape[1:] if count > 1)
    if shortest < LEAST_VOXELS:
        return None
    whole = bool(((shares == 0.0) | (shares == 1.0)).all())
    other = spread(shares) if whole else coarser(shares)
    compared = evaluate(composite_fields(other, materials), boundary=given.boundary, tol=tol)
    contrast, dim = _contrast(materials), 2 if shares.shape[3] == 1 else 3

    def between(here: float, there: float) -> tuple[float, float]:
        value, half = limit(there, here, contrast, dim)
        least = half - LEFT * abs(here - there)
        if whole:
            value, half = 0.5 * (here + there), LEFT * abs(here - there) + least
        elif shortest < _TREND or abs(here - there) > _STEEP * abs(here):
            value, half = 0.5 * (here + value), (0.5 + LEFT) * abs(here - there) + least
        return float(value), float(half)

    cut = uncrossed(shares, materials) if whole else None
    parted = None if cut is None else evaluate(composite_fields(cut, materials), boundary=given.boundary, tol=tol)

    def reaching(found: tuple[float, float], there: float) -> tuple[float, float]:
        low, high = min(found[0] - found[1], there), max(found[0] + found[1], there)
        return 0.5 * (low + high), 0.5 * (high - low)

    names = [name for name in dict.fromkeys((*given.bounds, "E")) if name in compared.values]
    pairs = [[between(a, b) for a, b in zip(*rows, strict=True)] for rows in zip(given.C, compared.C, strict=True)]
    values = {name: between(given.values[name], compared.values[name]) for name in names}
    if parted is not None:
        pairs = [[reaching(a, b) for a, b in zip(*rows, strict=True)] for rows in zip(pairs, parted.C, strict=True)]
        values = {name: reaching(found, parted.values[name]) for name, found in values.items()}
    C = np.array(pairs)
    return VoxelInterval(values, C[..., 0], C[..., 1])


def uncrossed(shares: np.ndarray, materials: Sequence[Material]) -> np.ndarray | None:
    """Shares 0 and 1 whose phases nowhere meet crosswise, as the stiffer voxels there have their neighbours' phase.

    The stiffer has more of the coefficient in which the phases differ most: K, G or conductivity. None where none meet
    so.
    """
    labels, rank = shares.argmax(0), _ranks(materials)
    values = rank[labels]
    found = crossings(values)
    if not any(len(blocks) for *_, blocks in found):
        return None
    cut = labels.copy()
    for first, second, blocks in found:
        corner = blocks.copy()
        corner[:, first] += 1
        for block, beside in zip(blocks % labels.shape, corner % labels.shape, strict=True):
            own, other = labels[tuple(block)], labels[tuple(beside)]
            stiffer, softer = (block, other) if rank[own] > rank[other] else (beside, own)
            opposite = stiffer.copy()
            opposite[[first, second]] += np.array([1, 1]) if stiffer is block else np.array([-1, 1])
            cut[tuple(stiffer)] = cut[tuple(opposite % labels.shape)] = softer
    return np.stack([(cut == phase).astype(shares.dtype) for phase in range(len(shares))])


def coarser(shares: np.ndarray) -> np.ndarray:
    """The shares on half as many voxels along every axis of more than one, (phases, nx, ny, nz)."""
    for axis in range(1, 4):
        if (count := shares.shape[axis]) > 1:
            shares = np.moveaxis(np.tensordot(overlaps(count, count // 2), shares, (1, axis)), 0, axis)
    return shares


def spread(shares: np.ndarray) -> np.ndarray:
    """The shares with every interface spread over its two voxels; the cell repeats."""
    from scipy.ndimage import convolve1d

    shares = shares.astype(np.float64)
    for axis in range(1, 4):
        if shares.shape[axis] > 1:
            shares = convolve1d(shares, _SPREAD, axis=axis, mode="wrap")
    return shares


def _ranks(materials: Sequence[Material]) -> np.ndarray:
    """Of every phase the coefficient that tells it from the others most, of a void a trace."""
    best = np.ones(len(materials))
    for name in ("bulk", "shear", "conductivity"):
        values = [getattr(material, name) for material in materials]
        if all(value is not None for value in values):
            found = np.maximum(np.array(values, float), max(values) / VOID_CONTRAST)
            best = found if found.max() / found.min() > best.max() / best.min() else best
    return best


def _contrast(materials: Sequence[Material]) -> float:
    """The largest of the bulk moduli and conductivities of the phases."""
    found = 1.0
    for name in ("bulk", "conductivity"):
        values = [getattr(material, name) for material in materials]
        if any(value is None for value in values):
            continue
        found = max(found, max(values) / min(values)) if min(values) > 0.0 else VOID_CONTRAST
    return found
