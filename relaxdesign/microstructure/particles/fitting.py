"""Back-projection: a relaxed field becomes particles, of one diameter or of several, in a matrix.

Follows the protocol of Kreber et al. (arXiv 2602.15648): a two-component Gaussian mixture labels the voxels;
either label may be the particles, and the one that inscribed discs (spheres) of equal size explain
best wins; the voxel share gives the volume fraction. The materials are phase medians, not means as in the paper:
voxels at interfaces are blends, which pull a mean off the material that the rest of the phase is made of.
The cell is periodic: distances wrap around, and a phase's share of the border, which the paper
also looks at, says no more than its share of the cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from relaxdesign.microstructure.base import FitError
from relaxdesign.microstructure.labelling import label_phases
from relaxdesign.microstructure.particles.packing import DIAMETER_RANGE, Packing, particle_diameter

# Random packings with noise on the field stay below 0.3; at this misfit the phase is no set of equal particles.
_LARGEST_MISFIT = 0.75


@dataclass(frozen=True)
class Reading:
    """What counts as particles.

    largest_share: of the voxels, that a phase may hold. smallest_disc: inscribed discs that are smaller than this part
    of the largest are necks and corners. alike: whether particles have one size. sizes: diameters that are supported.
    typical: volume fraction and diameter that stand for a sample without particles.
    """

    largest_share: float = 0.6
    smallest_disc: float = 0.5
    alike: bool = True
    sizes: tuple[float, float] = DIAMETER_RANGE
    typical: tuple[float, float] = (0.275, 0.275)  # the middle of what is supported

    @property
    def speckle(self) -> float:
        """Diameter below which discs are no particles, in cell edges."""
        return 0.5 * self.sizes[0] * (1.0 if self.alike else self.smallest_disc)

    def supports(self, mean: float) -> bool:
        """Whether a mean diameter is that of supported particles, or nearly."""
        return 0.5 * self.sizes[0] < mean < 1.4 * self.sizes[1]


EQUAL = Reading()
"""Particles of one size."""


@dataclass(frozen=True, eq=False)
class Projection:
    """A relaxed field read as a particle composite.

    matrix, particle: median channel values (3,) of the phases. labels: bool (*grid), True = particle.
    volume_fraction: voxel share. diameter: fraction of the edge, of unlike particles the mean weighted by volume.
    misfit: how badly particles explain the phase (0: perfectly).
    """

    matrix: Tensor
    particle: Tensor
    labels: NDArray[np.bool_]
    volume_fraction: float
    diameter: float
    misfit: float
    within_phase_deviation: float

    @property
    def homogeneous(self) -> bool:
        """Whether the field was read as a single material (matrix and particle are the same values)."""
        return not self.labels.any()


def project(clean: Tensor, seed: int = 0, reading: Reading = EQUAL) -> Projection:
    """Projects one relaxed field (3, *grid) in channel units.

    reading: what counts as particles. Raises FitError for a homogeneous field or one without a particle-like phase.
    """
    first, medians, deviation = label_phases(clean, seed)
    dim = first.ndim
    readings = []
    for label in (True, False):
        phase = first == label
        if phase.mean() > reading.largest_share:
            continue
        centres, radii = inscribed_discs(phase, reading.smallest_disc)
        if len(radii):
            misfit = _misfit(phase, radii) if reading.alike else _uncovered(phase, centres, radii)
            readings.append((misfit, label, phase, radii))
    if not readings:
        raise FitError("neither phase of the sample consists of particles")
    if not reading.alike:  # what large particles leave between them can be told by small discs, too
        readings = [found for found in readings if reading.supports(_mean_diameter(found[3], dim))] or readings
    misfit, label, phase, radii = min(readings, key=lambda found: found[0])
    if 2 * float(np.median(radii)) < reading.speckle:
        raise FitError("the phases of the sample are speckle, not particles")
    if misfit > _LARGEST_MISFIT:
        kind = "equal " if reading.alike else ""
        raise FitError(f"neither phase of the sample consists of {kind}particles (misfit {misfit:.2f})")
    volume_fraction = float(phase.mean())
    return Projection(
        matrix=medians[not label],
        particle=medians[label],
        labels=phase,
        volume_fraction=volume_fraction,
        diameter=_diameter(volume_fraction, radii, dim) if reading.alike else _mean_diameter(radii, dim),
        misfit=misfit,
        within_phase_deviation=deviation,
    )


def project_to_single_material(clean: Tensor, reading: Reading = EQUAL) -> Projection:
    """What the protocol makes of a field without two phases: one material, the mean of the field.

    Fraction and diameter are those of a typical composite, for refinement to start from.
    """
    mean = clean.detach().double().flatten(1).mean(1).cpu()
    deviation = float((clean.double().flatten(1) - mean[:, None]).square().mean().sqrt())
    return Projection(mean, mean, np.zeros(clean.shape[1:], dtype=bool), *reading.typical, np.inf, deviation)


def inscribed_radii(phase: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Radii (fractions of the edge) of the equal particles of a phase, see `inscribed_discs`."""
    return inscribed_discs(phase, EQUAL.smallest_disc)[1]


def inscribed_discs(phase: NDArray[np.bool_], smallest: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres (count, dim) and radii (count,) of the particles of a phase, fractions of the edge, largest first.

    Largest inscribed discs of the Euclidean distance transform, taken greedily, down to the part ``smallest`` of the
    largest; discs whose centre lies in one already taken, or that mostly overlap one, belong to that particle.
    """
    edge = phase.shape[0]
    if phase.all():
        return np.zeros((0, phase.ndim)), np.array([])
    # A margin of half a cell on each side makes the transform periodic.
    margin = edge // 2
    tiled = np.pad(phase, margin, mode="wrap")
    # Distances run to the first outside voxel centre. That is half a voxel too far, and the inscribed centre
    # being on the grid as much too short.
    inside = np.asarray(distance_transform_edt(tiled))[tuple(slice(margin, margin + edge) for _ in phase.shape)]
    points = np.argwhere(inside > 0)
    depth = inside[inside > 0]
    order = np.argsort(-depth, kind="stable")
    points, depth = points[order], depth[order]
    radii: list[float] = []
    centres: list[NDArray] = []
    while len(points):
        radius = depth[0]
        if radii and radius < smallest * radii[0]:
            break
        radii.append(radius)
        centres.append(points[0])
        offset = points - points[0]
        offset = offset - edge * np.round(offset / edge)
        distance = np.sqrt((offset**2).sum(1))
        # 1.6: centres of equal touching discs are 2 radii apart; shapes on a grid are a little ragged.
        free = distance > np.maximum(radius, 0.8 * (radius + depth))
        points, depth = points[free], depth[free]
    return (np.array(centres).reshape(-1, phase.ndim) + 0.5) / edge, np.array(radii) / edge


def _misfit(phase: NDArray[np.bool_], radii: NDArray[np.float64]) -> float:
    """Spread of the radii plus the part of the phase that the discs leave unexplained."""
    dim = phase.ndim
    explained = float((np.pi * radii**2 if dim == 2 else 4 / 3 * np.pi * radii**3).sum()) / float(phase.mean())
    return float(radii.std() / radii.mean()) + abs(1 - explained)


def _uncovered(phase: NDArray[np.bool_], centres: NDArray[np.float64], radii: NDArray[np.float64]) -> float:
    """The part of the phase that no disc covers, plus what discs cover twice or beside it, whatever their radii."""
    discs = Packing.of(torch.from_numpy(centres), torch.from_numpy(2.0 * radii))
    covered = discs.voxelise(phase.shape[0]).numpy()
    whole = float(phase.mean())
    return (float((phase & ~covered).mean()) + max(0.0, discs.share - float((phase & covered).mean()))) / whole


def _diameter(volume_fraction: float, radii: NDArray[np.float64], dim: int) -> float:
    """Diameter with which this many particles fill the phase, if the median radius agrees; else the median."""
    median = 2 * float(np.median(radii))
    exact = particle_diameter(volume_fraction, len(radii), dim)
    return exact if abs(exact - median) < 0.2 * median else median


def _mean_diameter(radii: NDArray[np.float64], dim: int) -> float:
    """Mean of unlike diameters, weighted by volume."""
    return 2 * float((radii ** (dim + 1)).sum() / (radii**dim).sum())
