"""A folder of somebody's own micrographs, as the two phases that a prior of shapes is trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from relaxdesign.io.fields import FieldError
from relaxdesign.io.image_steps import Step
from relaxdesign.io.images import KINDS, is_image, read_image
from relaxdesign.io.images.text import TEXTS
from relaxdesign.io.segmentation import Segmentation, parse_steps, segment
from relaxdesign.microstructure.free_form.windows import Windows


@dataclass(frozen=True, eq=False)
class OwnImages:
    """Images of two phases.

    windows: where cells are cut from. names: of the files and folders. steps: what was done with each. solid: the part
    of all voxels that is of the phase with the larger label.
    """

    windows: Windows
    names: tuple[str, ...]
    steps: tuple[str, ...]
    solid: float

    @property
    def digest(self) -> str:
        """Tells these images, as they are cut, from others."""
        found = hashlib.sha256(f"{self.windows.grid} {self.windows.mirror}".encode())
        for image in self.windows.images:
            found.update(f"{image.shape}".encode() + np.packbits(image).tobytes())
        return found.hexdigest()[:16]

    @property
    def description(self) -> str:
        """For the card of what is trained on them."""
        grid, voxels = self.windows.grid, sum(image.size for image in self.windows.images)
        shown = ", ".join(self.names[:6]) + (", …" if len(self.names) > 6 else "")
        how = f"of {grid // 2} voxels with their mirror images" if self.windows.mirror else "with blended ends"
        if self.windows.periodic and all(self.windows.periodic):
            how = "as they are, periodic"
        steps = f" by {', '.join(self.steps)}" if self.steps else ""
        return (
            f"cells of {grid} voxels per edge, {how}, of {len(self.windows.images)} images ({shown}; {voxels:,} voxels"
            f"{steps}, {100 * self.solid:.3g} % of phase 1; {self.digest})"
        )


def read_own_images(folder: Path, steps: Sequence[str], grid: int, dim: int, *, mirror: bool = False) -> OwnImages:
    """The images in a folder. For a prior in 2D every slice of a stack is an image.

    steps: from grey values to phases, as text, taken with every image. grid, dim: of the prior. mirror: cells are
    windows of half their edge with their mirror images.

    Raises:
        FieldError: no image, one that cannot be read, has not two phases, or is smaller than a window.
    """
    if not folder.is_dir():
        raise FieldError(f"{folder}: give a folder of images ({', '.join(KINDS)})")
    paths = sorted(path for path in folder.iterdir() if is_image(path) and path.suffix.lower() not in TEXTS)  # notes
    if not paths:
        raise FieldError(f"{folder}: there is no image in it; images are read from {', '.join(KINDS)}")
    parsed, images, fits = parse_steps(steps), [], []
    for path in paths:
        found = _divided(path, parsed)
        for image in _of_dimension(found, path, dim):
            images.append(image)
            fits.append(image.shape == (grid,) * dim and not found.open)
    windows = Windows(tuple(images), grid, mirror, tuple(fits))
    _check_sizes(windows, [image for image, whole in zip(images, fits, strict=True) if not whole])
    solid = sum(int(image.sum()) for image in images) / sum(image.size for image in images)
    return OwnImages(windows, tuple(path.name for path in paths), tuple(step.text for step in parsed), solid)


def _divided(path: Path, steps: Sequence[Step]) -> Segmentation:
    """The two phases of an image. Raises FieldError."""
    image = read_image(path)
    try:
        found = segment(image, steps)
    except FieldError as error:
        raise FieldError(f"{path}: {error}") from None
    if len(found.labels) != 2:
        raise FieldError(
            f"{path} has {len(found.labels)} phases, labels {found.as_labels().describe()}: shapes are of two phases; "
            "divide it by a step such as 'otsu' or 'threshold VALUE'"
        )
    return found


def _of_dimension(found: Segmentation, path: Path, dim: int) -> list[np.ndarray]:
    """Phase 1 of the volume, bool (nx, ny, nz), or of every slice of it that holds both phases, (nx, ny)."""
    solid = found.values == found.labels[1]
    if dim == 2:
        return [page for page in np.moveaxis(solid, 2, 0) if page.any() and not page.all()]
    if solid.shape[2] == 1:
        raise FieldError(f"{path} is a single slice: a prior in 3D takes stacks, one in 2D --dim 2")
    return [solid]


def _check_sizes(windows: Windows, cut: Sequence[np.ndarray]) -> None:
    """Raises FieldError for an image that no window fits into."""
    small = next((image for image in cut if min(image.shape) < windows.edge), None)
    if small is not None:
        size = " x ".join(map(str, small.shape))
        advice = "" if windows.mirror else f", or mirrored windows of {windows.grid // 2} (--mirror)"
        raise FieldError(
            f"an image has {size} voxels after its steps; cells of {windows.grid} are cut from windows of "
            f"{windows.edge}: give larger images, or downsample them less{advice}"
        )
