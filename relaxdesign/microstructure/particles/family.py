"""Particles as a family: how samples are read as such, how cells are placed anew, what closed forms say of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.microstructure.base import Fit, FitError, Parameter, PlacementError
from relaxdesign.microstructure.estimates import pair_estimates
from relaxdesign.microstructure.particles.fitting import EQUAL, Reading, project, project_to_single_material
from relaxdesign.microstructure.particles.packing import (
    DIAMETER_RANGE,
    VOLUME_FRACTION_RANGE,
    Packing,
    particle_count,
    particle_diameter,
    particle_volume,
    place_particles,
    smallest_gap,
)

if TYPE_CHECKING:
    from manifold3d import Manifold

_SHARE = Parameter("volume_fraction", "volume fraction", "vf", *VOLUME_FRACTION_RANGE)
_DIAMETER = Parameter("diameter", "diameter", "d", *DIAMETER_RANGE)


@dataclass(frozen=True)
class Particles:
    """Equal particles, at most half of the cell, without overlap. An `Inclusions` family."""

    name: str = "particles"
    title: str = "Particles"
    summary: str = "equal particles placed anew"
    composites: str = "particle composites"
    phases: tuple[str, ...] = ("matrix", "particles")
    directional: bool = False
    share: Parameter = _SHARE
    size: Parameter = _DIAMETER

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return (self.size,)

    @property
    def reading(self) -> Reading:
        """What of a sample counts as particles."""
        return EQUAL

    def fit(self, clean: Tensor) -> Fit:
        """The sample as particles; one without two phases counts as its mean material, with a remark."""
        try:
            projection, remark = project(clean, reading=self.reading), ""
        except FitError as error:
            projection = project_to_single_material(clean, self.reading)
            remark = f"{error}; the design combines two materials instead"
        return Fit(
            (projection.matrix, projection.particle),
            projection.labels,
            {"volume_fraction": projection.volume_fraction, "diameter": projection.diameter},
            remark,
            projection.homogeneous,
        )

    def place(
        self, share: float, size: float, dim: int, *, grid: int, count: int = 1, generator: torch.Generator
    ) -> Sequence[Packing]:
        """See `place_particles`."""
        return place_particles(share, size, dim, grid=grid, count=count, generator=generator)

    def place_between(
        self,
        low: float,
        high: float,
        share: float,
        size: float,
        dim: int,
        *,
        grid: int,
        count: int,
        generator: torch.Generator,
    ) -> Sequence[Packing]:
        """As many particles as are nearest to the wanted size."""
        fewest, most = self._counts(low, high, dim)
        if fewest > most:
            raise PlacementError(f"no number of particles fills both {low:.3f} and {high:.3f} of the cell")
        wanted = self._nearest(share, self.size.in_dimension(dim).clip(size), dim)
        return self._placed(high, int(np.clip(wanted, fewest, most)), dim, grid, count, generator)

    def _counts(self, low: float, high: float, dim: int) -> tuple[int, int]:
        """Fewest and most particles that keep a supported size from the one share to the other."""
        smallest, largest = (particle_volume(diameter, dim) for diameter in self.size.in_dimension(dim).range)
        return max(1, math.ceil(high / largest)), math.floor(low / smallest)

    def _nearest(self, share: float, size: float, dim: int) -> int:
        """Particles that fill a share with about this size."""
        return round(share / particle_volume(size, dim))

    def _placed(
        self, share: float, particles: int, dim: int, grid: int, count: int, generator: torch.Generator
    ) -> Sequence[Packing]:
        """Placements of so many particles."""
        diameter = float(particle_diameter(share, particles, dim))
        return place_particles(share, diameter, dim, grid=grid, count=count, generator=generator)

    def estimate(self, catalogue: Catalogue, shares: ArrayLike, dim: int, quantity: str) -> NDArray[np.float64]:
        """Composite assemblages, see `relaxdesign.microstructure.estimates`."""
        return pair_estimates(catalogue, shares, dim, quantity)

    def gap_voxels(self, share: NDArray, size: float, dim: int, grid: int) -> NDArray[np.float64]:
        """See `smallest_gap`."""
        vf = torch.from_numpy(share)
        count = particle_count(vf, self.size.clip(size), dim)
        exact = particle_diameter(vf, count, dim)
        return grid * smallest_gap(count, exact, grid, dim).numpy()

    def body(self, geometry: Mapping[str, Any], tile: int, height: float, chord: float, phase: int = 0) -> Manifold:
        """See `relaxdesign.microstructure.particles.bodies`."""
        from relaxdesign.microstructure.particles.bodies import particle_body  # its library loads where it is used

        return particle_body(geometry, tile, height, chord)

    def spheres(self, geometry: Mapping[str, Any]) -> dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """See `relaxdesign.microstructure.base.Round`."""
        return {1: Packing.from_dict(geometry).spheres}

    def sizes(self, geometry: Mapping[str, Any]) -> tuple[float, float, float]:
        """Smallest, mean and largest diameter."""
        packing = Packing.from_dict(geometry)
        return float(packing.diameters.min()), packing.diameter, float(packing.diameters.max())


PARTICLES = Particles()
