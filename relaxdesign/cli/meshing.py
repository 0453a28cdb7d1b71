"""The mesh of an evaluated cell, as options of ``relaxdesign evaluate``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relaxdesign.cli.console import messages

if TYPE_CHECKING:
    from relaxdesign.cli.cells import Cell


@dataclass(frozen=True)
class Meshing:
    """A mesh that is written, as options."""

    mesh: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write the cell as a finite element mesh with periodic conditions: .inp (Abaqus, CalculiX), "
            ".msh (Gmsh), .vtu or .xdmf.",
        ),
    ] = None
    mesh_kind: Annotated[
        str | None,
        typer.Option(
            help="voxels (default): hexahedra; linear, quadratic: smoothed tetrahedra, in 2D wedges, of first or "
            "second order."
        ),
    ] = None
    mesh_edge_mm: Annotated[float | None, typer.Option(help="Edge of the meshed cell along x, mm. Default: 10.")] = None

    def check(self) -> None:
        """Raises ValueError for options without a file, or an unknown kind or ending, before any work."""
        if self.mesh is None:
            if self.mesh_kind is not None or self.mesh_edge_mm is not None:
                raise ValueError("--mesh-kind and --mesh-edge-mm tell of a mesh: give --mesh FILE too")
            return
        from relaxdesign.export.mesh import check_mesh_kind
        from relaxdesign.export.mesh.files import KINDS

        check_mesh_kind(self.mesh_kind or "voxels")
        if self.mesh.suffix.lower().removeprefix(".") not in KINDS:
            raise ValueError(f"--mesh {self.mesh}: give a file that ends in {', '.join(f'.{kind}' for kind in KINDS)}")
        if not self.mesh.parent.is_dir():
            raise ValueError(f"--mesh {self.mesh}: there is no folder {self.mesh.parent}")

    def write(self, cell: Cell) -> None:
        """Writes the mesh, if one is asked for. Raises ExportError for a cell that cannot be meshed."""
        if self.mesh is None:
            return
        from relaxdesign.export.mesh import cell_mesh
        from relaxdesign.export.mesh.fields import cell_of_fields
        from relaxdesign.export.mesh.files import write_mesh

        mesh = cell_mesh(cell_of_fields(cell.data), self.mesh_kind or "voxels", self.mesh_edge_mm or 10.0)
        labels = (cell.phases or {}).get("labels", ())
        told = [
            f"Label {one['label']}: {one['material']}, {one['volume_fraction']:.6f} of the voxels" for one in labels
        ]
        for path in write_mesh(mesh, self.mesh, f"RelaxDesign {cell.name}", told):
            messages.print(f"Wrote {path}", soft_wrap=True)
