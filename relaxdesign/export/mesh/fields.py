"""Fields of moduli as cells of few materials, so that they can be meshed with a set of elements for each."""

from __future__ import annotations

import numpy as np

from relaxdesign.export.cell import ExportError
from relaxdesign.materials import Material
from relaxdesign.microstructure.cell import MOST_PHASES, Cell
from relaxdesign.physics.voxel_fields import VoxelFields

_UNKNOWN_DENSITY = 0.0  # no density is written


def cell_of_fields(data: VoxelFields) -> Cell:
    """A cell whose phases are the voxels with equal properties, the softest first; those without stiffness are void.

    Raises ExportError if there are too many, as of composite voxels.
    """
    names = list(data.arrays)
    values = np.stack([data.arrays[name].ravel() for name in names], axis=1)
    values[data.E.ravel() <= 0.0] = 0.0
    found, labels = np.unique(values, axis=0, return_inverse=True)
    if len(found) > MOST_PHASES:
        raise ExportError(
            f"the voxels have {len(found)} different sets of properties; a mesh has at most {MOST_PHASES} materials: "
            "voxels that hold several phases are not meshed, so leave out the step 'downsample' or 'cubic'"
        )
    materials = tuple(_material(label, dict(zip(names, row.tolist(), strict=True))) for label, row in enumerate(found))
    return Cell(labels.reshape(data.E.shape), materials)


def _material(label: int, known: dict[str, float]) -> Material:
    """A material of these properties of voxels."""
    young, poisson = known["E"], known["nu"]
    return Material(
        id=f"phase-{label}",
        name=f"E {young:.6g} GPa, nu {poisson:.6g}" if young > 0 else "void",
        category="",
        young=young,
        poisson=poisson,
        bulk=young / (3.0 * (1.0 - 2.0 * poisson)),
        shear=young / (2.0 * (1.0 + poisson)),
        density=known.get("rho", _UNKNOWN_DENSITY),
        conductivity=known.get("k"),
        expansion=known.get("alpha"),
    )
