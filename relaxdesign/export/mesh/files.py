"""Meshes for other programs, by meshio: Gmsh's .msh, VTK's .vtu, and .xdmf with its arrays in HDF5."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import meshio
import numpy as np

from relaxdesign.export.cell import ExportError
from relaxdesign.export.mesh.deck import deck, set_name
from relaxdesign.export.mesh.model import WEDGE_15, Mesh
from relaxdesign.files import write_whole
from relaxdesign.physics.voxel_fields import UNITS

KINDS = ("inp", "msh", "vtu", "xdmf")

_FIELDS = {"E": "young", "nu": "poisson", "rho": "density", "k": "conductivity", "alpha": "expansion"}
"""Of a material, by the name of their arrays in files."""


def write_mesh(mesh: Mesh, path: Path, title: str, remarks: Sequence[str] = ()) -> list[Path]:
    """Writes a mesh in the format that the ending of its path names, and returns the paths of its files.

    title, remarks: for the comments of .inp, see `deck`. Raises ExportError for another ending.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in KINDS:
        raise ExportError(f"{path}: meshes are written as {', '.join(f'.{known}' for known in KINDS)}")
    contents = {path.name: deck(mesh, title, remarks)} if kind == "inp" else mesh_files(mesh, path.stem, kind)
    written = []
    for name, content in contents.items():
        written.append(path.with_name(name))
        write_whole(written[-1], content)
    return written


def mesh_files(mesh: Mesh, stem: str, kind: str) -> dict[str, bytes]:
    """Contents by file name. kind: "msh", "vtu" or "xdmf", which comes with STEM.h5; lengths in mm.

    Every element has ``phase`` and the properties of its material that are known of all phases; in .msh (version 2.2),
    phases are physical groups of their names. Wedges are written by their corners, as meshio knows no others.
    """
    mesh = mesh.linear() if mesh.kind == WEDGE_15 else mesh
    cells = {"phase": [mesh.phase.astype(np.int32)], **_properties(mesh)}
    whole = meshio.Mesh(mesh.points, [(mesh.kind.vtk, mesh.elements)], cell_data=cells)
    if kind == "msh":
        tags = mesh.phase.astype(np.int32) + 1  # groups count from 1
        whole.cell_data |= {"gmsh:physical": [tags], "gmsh:geometrical": [tags]}
        whole.field_data = {set_name(mesh, label): np.array([label + 1, 3]) for label in mesh.phases}
    with tempfile.TemporaryDirectory(prefix="relaxdesign-mesh-") as folder:
        path = Path(folder, f"{stem}.{kind}")
        meshio.write(path, whole, file_format={"msh": "gmsh22", "vtu": "vtu", "xdmf": "xdmf"}[kind])
        return {file.name: file.read_bytes() for file in sorted(Path(folder).iterdir())}


def _properties(mesh: Mesh) -> dict[str, list[np.ndarray]]:
    """Fields of the elements that all phases have, in GPa, g/cm³, W/(m K) and 1e-6/K."""
    found = {}
    for name, attribute in _FIELDS.items():
        values = {label: getattr(mesh.materials[label], attribute) for label in mesh.phases}
        if name in UNITS and None not in values.values():
            table = np.zeros(max(values) + 1)
            for label, value in values.items():
                table[label] = value
            found[name] = [table[mesh.phase]]
    return found
