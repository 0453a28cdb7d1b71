"""What is told beside the values of an imaged cell, on the command line and in the app alike, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from relaxdesign.materials import Material
from relaxdesign.microstructure.representative import (
    Block,
    Representativity,
    correlation_length,
    integral_range,
)
from relaxdesign.microstructure.voxel_interval import voxel_interval
from relaxdesign.physics.apparent import embedded, estimates
from relaxdesign.physics.effective_properties import Evaluation, evaluate
from relaxdesign.physics.voxel_fields import VoxelFields

SHOWN = ("K", "G", "E", "conductivity")
"""Quantities that are told under several boundary conditions."""
TITLES = {"periodic": "periodic (working)", "kubc": "kubc (upper)", "mirrored": "mirrored"}

_TOLERANCE = 1e-6  # relative residual: intervals and estimates are told with fewer digits
_BLOCK_TOLERANCE = 1e-5  # blocks scatter by far more
_MEAN = "mean_E"  # whose variance tells the integral range


def interval_dict(
    shares: np.ndarray, materials: Sequence[Material], solved: Evaluation, tol: float = _TOLERANCE
) -> dict[str, Any] | None:
    """See `relaxdesign.microstructure.voxel_interval.voxel_interval`."""
    found = voxel_interval(shares, materials, solved, tol=max(tol, _TOLERANCE))
    return None if found is None else found.to_dict()


def estimates_dict(data: VoxelFields, solved: Evaluation, tol: float = _TOLERANCE) -> dict[str, Any]:
    """K, G, E, conductivity and C under several conditions on the boundary. solved: the periodic values."""
    others = {"periodic": solved, **estimates(data, tol=max(tol, _TOLERANCE))}
    return {
        name: {quantity: found.values[quantity] for quantity in SHOWN if quantity in found.values}
        | {"C": found.C.tolist()}
        for name, found in others.items()
    }


def embedded_dict(data: VoxelFields, frame: Material | None, tol: float = _TOLERANCE) -> dict[str, Any]:
    """See `relaxdesign.physics.apparent.embedded`. frame: of a material; None: of the cell's own medium."""
    around = None if frame is None else (frame.bulk, frame.shear)
    found = embedded(data, around, tol=max(tol, _TOLERANCE))
    name = "its effective medium" if frame is None else frame.name
    values = {quantity: found.values[quantity] for quantity in ("K", "G", "E", "nu")}
    told = {"frame": name, "frame_K": found.frame[0], "frame_G": found.frame[1], "rounds": found.rounds}
    return values | told | {"C": found.C.tolist()}


def block_values(data: VoxelFields, block: Block, boundary: str) -> dict[str, float]:
    """K, G and E, the conductivity if it is known, and the mean of E in a block."""
    conducting = data.k is not None
    part = replace(data, E=data.E[block], nu=data.nu[block], rho=None, alpha=None, edge=None)
    part = replace(part, k=data.k[block] if data.k is not None else None)
    names = ("K", "G", "E", *(["conductivity"] if conducting else []))
    if part.void == 1.0:
        return dict.fromkeys((*names, _MEAN), 0.0)
    values = evaluate(part, boundary=boundary, tol=_BLOCK_TOLERANCE).values
    return {name: values[name] for name in names} | {_MEAN: float(part.E.mean())}


def representative_dict(data: VoxelFields, found: Representativity, boundary: str, within: float) -> dict[str, Any]:
    """What blocks of an image tell of its material. within: wanted half-width, per cent."""
    field, dim = data.E, 2 if found.shape[2] == 1 else 3
    variance = float(field.var())
    names = [name for name in found.estimates if name != _MEAN]
    sizes = [
        {
            "edge": size.edge,
            "count": size.count,
            "mean": {name: size.mean[name] for name in names},
            "deviation": {name: size.deviation[name] for name in names},
        }
        for size in found.sizes
    ]
    return {
        "shape": list(found.shape),
        "voxel_edge": data.edge,
        "boundary": boundary,
        "within": within,
        "correlation_length": correlation_length(field),
        "integral_range": integral_range(found.sizes, _MEAN, variance, dim) if variance else None,
        "sizes": sizes,
        "estimates": {name: found.estimates[name].to_dict(within / 100.0) for name in names},
    }


def verdict(found: dict[str, Any], within: float) -> str:
    """Whether an image is large enough, from an estimate of `representative_dict`."""
    if found["representative"]:
        return f"this image is big enough for ± {within:g} %"
    return f"for ± {within:g} % an image must be {found['enlargement']:.2g} times as long"
