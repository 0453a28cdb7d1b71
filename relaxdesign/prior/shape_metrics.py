"""How good a prior of shapes is: its samples against fresh cells of the generators it learnt from."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from relaxdesign.microstructure.connectivity import pieces
from relaxdesign.microstructure.correlation import radial_average, two_point_correlation
from relaxdesign.microstructure.solid import smallest_feature
from relaxdesign.prior.data import ShapeCells
from relaxdesign.prior.model import Prior

_CRISP = 0.8
"""Absolute value from which a voxel is of one phase."""


def assess_shapes(prior: Prior, drawn: Tensor, *, generator: torch.Generator) -> dict[str, object]:
    """Numbers on samples (count, 1, *grid) of a prior that was told to make cells in one piece.

    connected: share of them whose solid is one piece. connected_but_specks: whose largest piece is 99 % of the solid
    and goes on for ever along all axes. crisp: share of voxels that are of one phase. solid: quartiles of the solid
    fraction. feature: quartiles of the smallest feature in voxels. Each for fresh cells of the generators, too (as
    ``…_cells``). correlation_error: largest difference of the mean two-point correlations. nearest: median share of
    voxels in which a sample differs from the most similar fresh cell, over all shifts; nearest_cells: fresh cells from
    each other.
    """
    cells, _ = ShapeCells(prior.grid, prior.dim).held_out(4 * len(drawn), generator)
    cells = torch.stack([cell for cell in cells if pieces((cell[0] > 0).numpy()).connected][: len(drawn)])
    found: dict[str, object] = {"count": len(drawn), "crisp": round(float((drawn.abs() > _CRISP).float().mean()), 4)}
    for suffix, fields in (("", drawn), ("_cells", cells)):
        solids = [(field[0] > 0).numpy() for field in fields]
        told = [pieces(solid) for solid in solids]
        whole = [one.spans[0] == prior.dim and one.voxels[0] >= 0.99 * one.voxels.sum() for one in told if one.spans]
        found |= {
            f"connected{suffix}": round(sum(one.connected for one in told) / len(told), 4),
            f"connected_but_specks{suffix}": round(sum(whole) / len(told), 4),
            f"solid{suffix}": _quartiles([solid.mean() for solid in solids]),
            f"feature{suffix}": _quartiles([smallest_feature(solid) for solid in solids]),
            f"nearest{suffix}": round(float(np.median(_nearest(fields, cells))), 4),
        }
    curves = [np.mean([_correlation((f[0] > 0).numpy()) for f in fields], 0) for fields in (drawn, cells)]
    found["correlation_error"] = round(float(np.abs(curves[0] - curves[1]).max()), 4)
    return found


def summary(metrics: dict) -> list[tuple[str, str]]:
    """The numbers as lines of text: what is measured, and its value (in brackets that of fresh random cells)."""

    def both(name: str) -> str:
        return f"{metrics[name]} ({metrics[f'{name}_cells']})"

    return [
        ("solid in one piece", both("connected")),
        ("… or with specks of less than 1 %", both("connected_but_specks")),
        ("voxels that are of one phase", str(metrics["crisp"])),
        ("solid fraction, quartiles", both("solid")),
        ("smallest feature, voxels, quartiles", both("feature")),
        ("two-point correlation, largest difference", str(metrics["correlation_error"])),
        ("voxels that differ from the nearest random cell", both("nearest")),
    ]


def _correlation(solid: np.ndarray) -> np.ndarray:
    return radial_average(two_point_correlation(solid if solid.ndim == 3 else solid[..., None]))[1]


def _quartiles(values: list) -> list[float]:
    return [round(float(value), 3) for value in np.quantile(values, (0.25, 0.5, 0.75))]


def _nearest(fields: Tensor, cells: Tensor) -> list[float]:
    """Of every field the least share of voxels in which any cell, shifted in any way, differs from it; not itself."""
    axes = tuple(range(1, fields.ndim - 1))
    signs, others = ((part[:, 0] > 0).double() * 2 - 1 for part in (fields, cells))
    spectra, least = torch.fft.fftn(others, dim=axes), []
    for sign in signs:
        overlap = torch.fft.ifftn(torch.fft.fftn(sign, dim=tuple(range(sign.ndim)))[None] * spectra.conj(), dim=axes)
        agreement = (overlap.real.flatten(1).amax(1) / sign.numel()).clamp_max(1.0)
        far = (1 - agreement) / 2
        least.append(float(far[far > 1e-9].min()))
    return least
