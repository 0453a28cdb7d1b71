"""A microstructure to begin from, read from a file into the prior's channels."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from relaxdesign.io.fields import FieldError, load_field
from relaxdesign.materials.channels import Properties
from relaxdesign.physics.fem import bulk_shear_from_young_poisson
from relaxdesign.prior.model import Prior
from relaxdesign.study.request import DesignRequest


def start_field(request: DesignRequest, prior: Prior) -> tuple[Tensor, float] | None:
    """Field (channels, *grid) and the noise level it is taken to; None without a start.

    Raises FieldError if the file cannot be read, its grid is not the prior's or it lacks densities; the text names
    the file without its folders, as it may be shown to others than who gave it.
    """
    if request.start is None:
        return None
    path = Path(request.start)
    try:
        data = load_field(path)
    except FieldError as error:
        raise FieldError(str(error).replace(str(path), path.name)) from error
    grid = (prior.grid,) * prior.dim + (1,) * (3 - prior.dim)
    if data.E.shape != grid:
        raise FieldError(f"{path.name}: the cell has {data.E.shape} voxels, the prior {prior.name} needs {grid}")
    if data.rho is None:
        raise FieldError(f"{path.name}: the file holds no densities (rho), which a start needs")
    K, G = bulk_shear_from_young_poisson(torch.from_numpy(data.E), torch.from_numpy(data.nu))
    field = prior.channels.encode(Properties(K, G, torch.from_numpy(data.rho)), axis=0).float()
    return (field if prior.dim == 3 else field[..., 0]), request.start_noise
