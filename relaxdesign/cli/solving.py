"""How ``relaxdesign evaluate`` solves a cell, and what of it is kept: its options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

BoundaryName = Literal["periodic", "kubc", "uniaxial"]
ElementName = Literal["mean-dilatation", "full"]
LoadName = Literal["hydrostatic", "xx", "yy", "zz", "yz", "xz", "xy"]


@dataclass(frozen=True)
class Solving:
    """What is solved, and what of it is kept, as options."""

    boundary: Annotated[
        BoundaryName,
        typer.Option(
            help="periodic: effective properties; kubc: linear displacement on the surface, an upper estimate; "
            "uniaxial: K of a comparison load case, nothing else."
        ),
    ] = "periodic"
    only: Annotated[
        Literal["bulk"] | None, typer.Option(help="bulk: solve the one hydrostatic load case, for K alone.")
    ] = None
    gradient: Annotated[
        Path | None, typer.Option(metavar="OUT.npz", help="Write the gradient of K as dK_dE and dK_dnu (GPa).")
    ] = None
    fields: Annotated[
        Path | None,
        typer.Option(metavar="OUT.vti", help="Write strain, stress, energy and displacement under a unit strain."),
    ] = None
    load: Annotated[LoadName | None, typer.Option(help="The unit strain of --fields; hydrostatic if not given.")] = None
    tol: Annotated[float, typer.Option(help="Relative residual of the solves.")] = 1e-8
    element: Annotated[
        ElementName,
        typer.Option(
            help="mean-dilatation: does not lock where a phase is nearly incompressible; full: 2x2x2 integration "
            "throughout, to compare with other codes digit by digit."
        ),
    ] = "mean-dilatation"
    refine: Annotated[
        bool,
        typer.Option("--refine", help="Solve with every voxel divided too, 2 per axis, and extrapolate."),
    ] = False

    quick: Annotated[
        bool,
        typer.Option("--quick", help="Of labels and images: one solve, no interval and no other boundaries beside it."),
    ] = False
    embed: Annotated[
        str | None,
        typer.Option(
            metavar="self|MATERIAL",
            help="Of an image: also in a frame of its own effective medium (self) or of a material.",
        ),
    ] = None

    def check(self) -> None:
        """Raises ValueError, before any work, for files that could not be written and options that exclude others."""
        _check_output("--gradient", self.gradient, ".npz")
        _check_output("--fields", self.fields, ".vti")
        if self.load is not None and self.fields is None:
            raise ValueError(f"--load {self.load} says which fields to write: give --fields OUT.vti too")
        alone = "--only bulk" if self.only else "--boundary uniaxial" if self.boundary == "uniaxial" else ""
        if alone and (self.refine or self.element != "mean-dilatation"):
            option = "--refine" if self.refine else f"--element {self.element}"
            raise ValueError(f"{option} is for the whole stiffness: leave {alone} out")
        if self.boundary == "uniaxial" and self.load not in (None, "zz"):
            raise ValueError(f"--load {self.load}: boundary uniaxial has a load of its own, zz; leave --load out")

    @property
    def unit_strain(self) -> LoadName:
        """The load of the fields."""
        return self.load or ("zz" if self.boundary == "uniaxial" else "hydrostatic")


def _check_output(option: str, path: Path | None, suffix: str) -> None:
    """Refuse, before any work, a file that could not be written after it."""
    if path is None:
        return
    if path.suffix != suffix:
        raise ValueError(f"{option}: {path} must end in {suffix}")
    if not path.parent.is_dir():
        raise ValueError(f"{option}: {path}: No such file or directory: {path.parent}")
    if path.is_dir():
        raise ValueError(f"{option}: {path} is a directory")
