"""A microstructure to begin from, as a field of the prior's channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from relaxdesign.io.fields import FieldError, load_field
from relaxdesign.materials.channels import Properties
from relaxdesign.physics.fem import bulk_shear_from_young_poisson
from relaxdesign.prior.model import Prior
from relaxdesign.study.cell_text import read_cell
from relaxdesign.study.request import DesignRequest


def start_field(request: DesignRequest, prior: Prior) -> tuple[Tensor, float] | None:
    """Field (channels, *grid) and the noise level it is taken to; None without a start.

    Raises FieldError if the file cannot be read, its grid is not the prior's or it lacks densities; the text names
    the file without its folders, as it may be shown to others than who gave it.
    """
    if request.start_cell is not None:
        field = _of_phases(read_cell(request.start_cell), prior)
    elif request.start is not None:
        field = _of_properties(Path(request.start), prior)
    else:
        return None
    return (field if prior.dim == 3 else field[..., 0]), request.start_noise


def _of_phases(phases: np.ndarray, prior: Prior) -> Tensor:
    """Channels (1 or 2, nx, ny, nz) of voxels of the first, second or third phase, see `ThreePhaseChannels`."""
    _check_grid("the cell to begin from", phases.shape, prior, "; crop or downsample it")
    found = torch.from_numpy(phases.astype(np.float32))
    others = 2 * (found > 0).float() - 1
    if prior.channels.count == 1:
        return others[None]
    return torch.stack((others, torch.where(found > 0, 2 * found - 3, 0.0)))


def _of_properties(path: Path, prior: Prior) -> Tensor:
    """Channels (3, nx, ny, nz) of a field of moduli and densities."""
    try:
        data = load_field(path)
    except FieldError as error:
        raise FieldError(str(error).replace(str(path), path.name)) from error
    _check_grid(f"{path.name}: the cell", data.E.shape, prior)
    if data.rho is None:
        raise FieldError(f"{path.name}: the file holds no densities (rho), which a start needs")
    K, G = bulk_shear_from_young_poisson(torch.from_numpy(data.E), torch.from_numpy(data.nu))
    return prior.channels.encode(Properties(K, G, torch.from_numpy(data.rho)), axis=0).float()


def _check_grid(what: str, shape: tuple[int, ...], prior: Prior, advice: str = "") -> None:
    grid = (prior.grid,) * prior.dim + (1,) * (3 - prior.dim)
    if shape != grid:
        raise FieldError(f"{what} has {shape} voxels, the prior {prior.name} needs {grid}{advice}")
