"""How ``relaxdesign`` is told to read an image and to find its phases: options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relaxdesign.cli.options import shown

if TYPE_CHECKING:
    from relaxdesign.io.images import ImageReading
    from relaxdesign.io.segmentation import Segmentation

STEPS = (
    "crop X0:X1,Y0:Y1,Z0:Z1; median [SIZE]; nlm [STRENGTH]; otsu [CLASSES]; threshold VALUE[,VALUE]; remove VOXELS; "
    "downsample FACTOR; cubic [EDGE]"
)


@dataclass(frozen=True)
class ImageOptions:
    """How an image is read, and what is done until its voxels have phases, as options."""

    step: Annotated[
        list[str] | None,
        typer.Option(metavar="STEP", help=f"Of an image: a step from grey values to phases, in this order: {STEPS}."),
    ] = None
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Of an image: with its mirror images it is a periodic cell of 8 (4) times.")
    ] = False
    spacing: Annotated[
        str | None,
        typer.Option(
            metavar="EDGE[,EDGE,EDGE]", help="Of an image: edges of a voxel along x, y, z, if not as it says."
        ),
    ] = None
    axes: Annotated[
        str | None,
        typer.Option(metavar="zyx|xyz", help="Of an image: the axes of the stored array, if not the format's usual."),
    ] = None
    raw_size: Annotated[
        str | None, typer.Option(metavar="NX,NY,NZ", help="Of a .raw image, which does not tell its size.")
    ] = None
    raw_type: Annotated[
        str | None, typer.Option(metavar="TYPE", help="Of a .raw image: uint8 (default), uint16, >u2, float32, …")
    ] = None

    @property
    def given(self) -> list[str]:
        """The options that were given."""
        return [name for name, value in vars(self).items() if value not in (None, False)]

    def refuse(self, why: str) -> None:
        """Raises ValueError if one of them was given."""
        if self.given:
            raise ValueError(f"{shown(*self.given)}: {why}")

    def reading(self, array: str | None) -> ImageReading:
        """What the file does not tell by itself. Raises ValueError for text that is no number."""
        from relaxdesign.io.images import ImageReading

        size = None if self.raw_size is None else _numbers("--raw-size", self.raw_size, int)
        spacing = None if self.spacing is None else _numbers("--spacing", self.spacing, float)
        return ImageReading(array, size, self.raw_type, spacing, self.axes)

    def segmented(self, path: Path, array: str | None) -> Segmentation:
        """The phases of the voxels of an image. Raises FieldError for one that cannot be read or is not divided."""
        from relaxdesign.io.fields import FieldError, LabelsUnclear
        from relaxdesign.io.images import read_image
        from relaxdesign.io.segmentation import parse_steps, segment

        steps, how = parse_steps(self.step or ()), self.reading(array)
        try:
            image = read_image(path, how)
        except LabelsUnclear as error:
            raise FieldError(f"{error}; give --labels ARRAY") from None
        try:
            return segment(image, steps, mirror=self.mirror)
        except FieldError as error:
            raise FieldError(f"{path}: {error}") from None


def _numbers(option: str, text: str, kind: Callable[[str], Any]) -> tuple[Any, ...]:
    try:
        return tuple(kind(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"{option}: {text!r} is no list of numbers such as 100,100,50") from None
