"""How ``relaxdesign evaluate`` is told to read or to make a cell: the options that do not depend on a family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from relaxdesign.cli.options import OwnMaterials, shown


@dataclass(frozen=True)
class CellOptions:
    """How a cell is read or made of materials: options of the command, None where they were not given.

    described: options of families, see `relaxdesign.cli.family_options`.
    """

    materials: OwnMaterials = None
    family: Annotated[
        str | None,
        typer.Option(help="Drawn: kind of microstructure, e.g. particles-two-sizes. Default: the first that fits."),
    ] = None
    seed: Annotated[int | None, typer.Option(min=0, help="Drawn: another seed, another placement.")] = None
    dim: Annotated[
        int | None,
        typer.Option(min=2, max=3, help="Drawn: 2 (default) or 3. Of an .stl: 3 (default), or 2: cut at half height."),
    ] = None
    grid: Annotated[
        int | None, typer.Option(min=4, max=256, help="Drawn or .stl: voxels per edge. Default: 64 in 2D, 32 in 3D.")
    ] = None
    edge: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH[,LENGTH,LENGTH]",
            help="Of an .stl: edges of the cell from the origin, in its unit, one for all or one per axis (10,10,5). "
            "Default: the smallest cube around it.",
        ),
    ] = None
    periodic: Annotated[
        bool | None,
        typer.Option(
            "--periodic", help="Of an .stl: what reaches out of the cell of --edge comes in again on its other side."
        ),
    ] = None
    labels: Annotated[
        str | None, typer.Option(metavar="ARRAY", help="Labels, images: the array that holds them. Default: phase.")
    ] = None
    phases: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=MATERIAL,…",
            help="Labels: the material of each, for example 1=epoxy-unfilled,2=alumina-ad-995. Repeatable.",
        ),
    ] = None
    units: Annotated[
        str | None,
        typer.Option(
            metavar="UNIT,…",
            help="Of a field: GPa (default), MPa or Pa of E; g/cm3 (default), kg/m3 or t/mm3 of rho; W/mK (default) or "
            "mW/mK of k; 1e-6/K (default) or 1/K of alpha. For example Pa,kg/m3.",
        ),
    ] = None

    described: Mapping[str, Any] = field(default_factory=dict)

    @property
    def given(self) -> dict[str, Any]:
        """The values that were given, by the names of their options."""
        values = {**self.described, **vars(self)}
        return {name: value for name, value in values.items() if value is not None and name != "described"}

    def refuse(self, names: Iterable[str], why: str) -> None:
        """Raises ValueError if one of these options was given."""
        if given := [name for name in names if name in self.given]:
            raise ValueError(f"{shown(*given)}: {why}")
