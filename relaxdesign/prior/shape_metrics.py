"""How good a prior of shapes is: its samples against fresh cells of the generators, or own images, it learnt from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from relaxdesign.microstructure.connectivity import pieces
from relaxdesign.microstructure.correlation import radial_average, two_point_correlation
from relaxdesign.microstructure.solid import smallest_feature
from relaxdesign.prior.data import ShapeCells, as_channel
from relaxdesign.prior.loss import validation_loss
from relaxdesign.prior.model import Prior
from relaxdesign.prior.own_cells import IMAGED, OwnCells
from relaxdesign.prior.sampling import draw

_MORE = 4
"""Times as many cells of images as samples: windows lie anywhere in them."""
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
    return {"count": len(drawn), **_compared(drawn, cells), "nearest_cells": _median(_nearest(cells, cells))}


def assess_images(
    before: Prior, after: Prior, own: OwnCells, count: int, *, steps: int, seed: int
) -> dict[str, object]:
    """What tuning on own images made of a prior of shapes.

    Of ``count`` samples told to be as the images, against cells cut from them (as ``…_cells``), the numbers of
    `assess_shapes`, but the two-point correlation with all its directions: ``correlation_error_before`` of samples of
    the prior before, ``correlation_error_cells`` between two sets of cells, the least that can be expected.
    ``nearest_cells`` is of cells of one image from those of the others: how near what was not learnt by heart comes;
    None where there is but one image. forgotten: cross-entropy on cells of the generators, before and after.
    """
    generator = torch.Generator().manual_seed(seed)
    cells, others = as_channel(own.windows.draw(_MORE * count, generator)).split([count, (_MORE - 1) * count])
    old, new = (draw(prior, count, steps=steps, generator=generator) for prior in (before, after.of_kind(IMAGED)))
    generated, told = own.shapes.held_out(_MORE * count, generator)
    losses = [validation_loss(p.network, p.schedule, generated, told, seed, binary=True) for p in (before, after)]
    errors = {"": new, "_before": old, "_cells": cells}
    return {
        "count": count,
        "seed": seed,
        "sampling": f"ddpm, {steps} steps",
        **_compared(new, cells),
        **{
            f"correlation_error{name}": _correlation_error(drawn, others, _all_shifts) for name, drawn in errors.items()
        },
        "nearest": _median(_nearest(new, torch.cat((cells, others)))),
        "nearest_cells": _apart(own, count, generator),
        "forgotten": [round(loss, 5) for loss in losses],
    }


def _apart(own: OwnCells, count: int, generator: torch.Generator) -> float | None:
    """Median share of voxels in which cells of the first image differ from the nearest of the other ones."""
    images = range(len(own.windows.images))
    if len(images) < 2:
        return None
    first = as_channel(own.windows.draw(count, generator, images[:1]))
    return _median(_nearest(first, as_channel(own.windows.draw(_MORE * count, generator, images[1:]))))


def _compared(drawn: Tensor, cells: Tensor) -> dict[str, object]:
    """The numbers of samples, those of cells with the ending ``_cells``, and those between both."""
    found: dict[str, object] = {"crisp": round(float((drawn.abs() > _CRISP).float().mean()), 4)}
    for suffix, fields in (("", drawn), ("_cells", cells)):
        solids = [(field[0] > 0).numpy() for field in fields]
        told = [pieces(solid) for solid in solids]
        whole = [
            one.spans[0] == solids[0].ndim and one.voxels[0] >= 0.99 * one.voxels.sum() for one in told if one.spans
        ]
        found |= {
            f"connected{suffix}": round(sum(one.connected for one in told) / len(told), 4),
            f"connected_but_specks{suffix}": round(sum(whole) / len(told), 4),
            f"solid{suffix}": _quartiles([solid.mean() for solid in solids]),
            f"feature{suffix}": _quartiles([smallest_feature(solid) for solid in solids]),
        }
    errors = {"correlation_error": _correlation_error(drawn, cells, _over_directions)}
    return found | errors | {"nearest": _median(_nearest(drawn, cells))}


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


def summary_of_images(metrics: dict) -> list[tuple[str, str]]:
    """The numbers of `assess_images` as lines of text."""
    before, after = metrics["forgotten"]
    lines = dict(summary(metrics | {"nearest_cells": metrics["nearest_cells"] or "one image: not known"}))
    lines = {name.replace("random cell", "cell of the images"): value for name, value in lines.items()}
    errors = [metrics[f"correlation_error{name}"] for name in ("_before", "", "_cells")]
    lines["two-point correlation, largest difference"] = "before {}, after {}, among the images {}".format(*errors)
    return [*lines.items(), ("cross-entropy on cells of the usual kinds", f"before {before}, after {after}")]


def _correlation_error(drawn: Tensor, cells: Tensor, read: Callable[[np.ndarray], np.ndarray]) -> float:
    """Largest difference of the mean two-point correlations."""
    curves = [np.mean([read((field[0] > 0).numpy()) for field in fields], 0) for fields in (drawn, cells)]
    return round(float(np.abs(curves[0] - curves[1]).max()), 4)


def _all_shifts(solid: np.ndarray) -> np.ndarray:
    return two_point_correlation(solid if solid.ndim == 3 else solid[..., None])


def _over_directions(solid: np.ndarray) -> np.ndarray:
    return radial_average(_all_shifts(solid))[1]


def _median(values: list[float]) -> float:
    return round(float(np.median(values)), 4)


def _quartiles(values: list) -> list[float]:
    return [round(float(value), 3) for value in np.quantile(values, (0.25, 0.5, 0.75))]


def _nearest(fields: Tensor, cells: Tensor) -> list[float]:
    """Of every field the least share of voxels in which any cell, shifted in any way, differs from it.

    Where both are the same, no field counts as its own cell.
    """
    axes = tuple(range(1, fields.ndim - 1))
    signs, others = ((part[:, 0] > 0).double() * 2 - 1 for part in (fields, cells))
    spectra, least = torch.fft.fftn(others, dim=axes), []
    for sign in signs:
        overlap = torch.fft.ifftn(torch.fft.fftn(sign, dim=tuple(range(sign.ndim)))[None] * spectra.conj(), dim=axes)
        agreement = (overlap.real.flatten(1).amax(1) / sign.numel()).clamp_max(1.0)
        far = (1 - agreement) / 2
        least.append(float((far[far > 1e-9] if fields is cells else far).min()))
    return least
