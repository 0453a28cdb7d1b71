"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from relaxdesign.cli.console import warn

if TYPE_CHECKING:
    from relaxdesign.materials.catalogue import Catalogue

Dimension = Annotated[int, typer.Option(min=2, max=3, help="2 or 3; chooses the shipped prior.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]
Steps = Annotated[int, typer.Option(min=1, help="Denoising steps.")]
SamplerName = Annotated[
    Literal["ddpm", "ddim", "dpm++"], typer.Option(help="ddim and dpm++ add no noise: for 10 to 25 steps.")
]
PriorName = Annotated[str | None, typer.Option(help="Name of a shipped prior or path of a .safetensors file.")]
MaterialsFile = Annotated[
    Path | None,
    typer.Option("--materials", metavar="CSV", help="Own materials instead of the shipped catalogue."),
]


def read_catalogue(path: Path | None) -> Catalogue:
    """The materials of a file, with its warnings on standard error; None: the shipped ones. Raises CatalogueError."""
    from relaxdesign.materials.catalogue import Catalogue

    if path is None:
        return Catalogue.default()
    catalogue = Catalogue.from_csv(path)
    warn(path.name, catalogue.warnings)
    return catalogue
