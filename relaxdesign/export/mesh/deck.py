"""A mesh as an input file of Abaqus and CalculiX: sets, materials, periodic conditions, and load cases that give C.

Units are those of `relaxdesign.export.cards`: mm, t, s, N, MPa. The macroscopic strain lives in two reference nodes:
the first has εxx, εyy, εzz as its displacements 1, 2, 3, the second γyz, γxz, γxy. Every node on a face that is the
image of another follows it by the equation

    u(image) − u(node) = ε d,        d: the edges of the cell between the two.

A force on a component of a reference node is then the volume of the cell V times the macroscopic stress conjugate to
it (Hill–Mandel: V σ : δε is the work of the forces on the reference nodes). The steps apply a unit stress each and
print the displacements of the reference nodes, a column of the compliance S; C = S⁻¹. Stress is applied, and not
strain, as CalculiX prints no reaction forces of nodes without elements (version 2.20).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from relaxdesign.export.cards import MPA_PER_GPA, PER_K, T_MM3_PER_G_CM3, material_name
from relaxdesign.export.mesh.model import Mesh
from relaxdesign.export.names import comment_text
from relaxdesign.materials import Material

CASES = ("xx", "yy", "zz", "yz", "xz", "xy")
STRAINS = "STRAINS"
"""The set of the two reference nodes, first that of the normal strains."""

_STRAIN_OF = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])
"""Position of every component of the strain tensor in Voigt order."""
_PER_LINE = 4  # terms of an equation


def deck(mesh: Mesh, title: str, remarks: Sequence[str] = ()) -> bytes:
    """The input file. title, remarks: for its comments."""
    text = io.StringIO()
    for line in _head(mesh, title, remarks):
        text.write(f"** {comment_text(line)}\n")
    _nodes(text, mesh)
    for label in mesh.phases:
        name, of = set_name(mesh, label), np.flatnonzero(mesh.phase == label)
        text.write(f"*ELEMENT,TYPE={mesh.kind.abaqus},ELSET={name}\n")
        np.savetxt(text, np.column_stack([of + 1, mesh.elements[of] + 1]), fmt="%d", delimiter=",")
    for label in mesh.phases:
        text.write("\n".join(_material(mesh.materials[label], set_name(mesh, label))) + "\n")
    _equations(text, mesh)
    held = int(mesh.twins.node[0]) if len(mesh.twins.node) else 0
    text.write(f"*BOUNDARY\n{held + 1},1,3\n")
    text.write("\n".join(_steps(mesh)) + "\n")
    return text.getvalue().encode("ascii")


def set_name(mesh: Mesh, label: int) -> str:
    """Name of the element set and of the material of a phase; with its label where others are called the same."""
    names = [material_name(name) for name in mesh.names]
    return names[label] if names.count(names[label]) == 1 else f"{names[label][:76]}-{label}"


def _head(mesh: Mesh, title: str, remarks: Sequence[str]) -> Iterator[str]:
    volume = float(np.prod(mesh.size))
    yield f"{title}; periodic cell of {' x '.join(f'{edge:.6g}' for edge in mesh.size)} mm."
    yield from remarks
    yield from mesh.told
    yield f"Elements {mesh.kind.abaqus}, one set per phase, with the share of the cell that it fills:"
    for label in mesh.phases:
        yield f"  {set_name(mesh, label)}: {mesh.materials[label].name}, {mesh.shares[label]:.6f}"
    yield "Units: mm, t, s, N. Stress in MPa, density in t/mm3, expansion in 1/K, conductivity in mW/(mm K)."
    yield f"Reference nodes of the set {STRAINS}: displacements 1, 2, 3 of node {len(mesh.points) + 1} are the"
    yield f"macroscopic strains xx, yy, zz, those of node {len(mesh.points) + 2} the engineering shears yz, xz, xy."
    yield f"A force on them is the macroscopic stress times the volume of the cell, {volume:.9g} mm3."
    yield "Steps 1 to 6 apply a stress of 1 MPa each, in the order xx, yy, zz, yz, xz, xy. What a step prints of the"
    yield f"set {STRAINS} is a column of the compliance S in 1/MPa; C = inverse of S, in MPa."
    if _expands(mesh):
        yield f"Step 7 heats the free cell by 1 K: what it prints of {STRAINS} is its thermal expansion in 1/K."
    yield "For given strains replace *CLOAD by *BOUNDARY on the reference nodes; Abaqus then gives the macroscopic"
    yield "stress times the volume as their reaction forces, CalculiX 2.20 prints none of nodes without elements."
    yield "CalculiX: large meshes are solved faster with *STATIC,SOLVER=ITERATIVE SCALING."


def _nodes(text: io.StringIO, mesh: Mesh) -> None:
    text.write("*NODE,NSET=CELL\n")
    numbers = np.arange(1, len(mesh.points) + 1)
    np.savetxt(text, np.column_stack([numbers, mesh.points]), fmt=("%d", *["%.12g"] * 3), delimiter=",")
    normal, shear = len(mesh.points) + 1, len(mesh.points) + 2
    text.write(f"*NODE,NSET={STRAINS}\n{normal},0.,0.,0.\n{shear},0.,0.,0.\n")


def _material(material: Material, name: str) -> Iterator[str]:
    yield f"** {comment_text(material.name)} [{comment_text(material.id)}]"
    yield f"*MATERIAL,NAME={name}"
    yield "*ELASTIC"
    yield f"{MPA_PER_GPA * material.young:.9g},{material.poisson:.9g}"
    if material.density > 0:
        yield from ("*DENSITY", f"{T_MM3_PER_G_CM3 * material.density:.9g}")
    if material.expansion is not None:
        yield from ("*EXPANSION", f"{PER_K * material.expansion:.9g}")
    if material.conductivity is not None:
        yield from ("*CONDUCTIVITY", f"{material.conductivity:.9g}")
    yield f"*SOLID SECTION,ELSET={name},MATERIAL={name}"


def _equations(text: io.StringIO, mesh: Mesh) -> None:
    """Three equations per pair of nodes."""
    text.write("** Periodic: u(image) - u(node) = strain times the edges of the cell between them.\n*EQUATION\n")
    twins, size = mesh.twins, np.array(mesh.size)
    for image, node, turn in zip(twins.image.tolist(), twins.node.tolist(), twins.offset.tolist(), strict=True):
        for axis, terms in enumerate(_strain_terms(len(mesh.points), turn, size)):
            all_of = [f"{image + 1},{axis + 1},1.", f"{node + 1},{axis + 1},-1.", *terms]
            text.write(f"{len(all_of)}\n")
            for start in range(0, len(all_of), _PER_LINE):
                text.write(",".join(all_of[start : start + _PER_LINE]) + "\n")


def _strain_terms(nodes: int, turn: Sequence[int], size: NDArray[np.float64]) -> Iterator[list[str]]:
    """For each axis the terms −(ε d) by the components of the reference nodes."""
    for axis in range(3):
        terms = []
        for other, edges in enumerate(turn):
            if edges:
                voigt = int(_STRAIN_OF[axis, other])
                factor = -edges * size[other] * (1.0 if voigt < 3 else 0.5)
                terms.append(f"{nodes + 1 + voigt // 3},{voigt % 3 + 1},{factor:.12g}")
        yield terms


def _expands(mesh: Mesh) -> bool:
    return all(mesh.materials[label].expansion is not None for label in mesh.phases)


def _steps(mesh: Mesh) -> Iterator[str]:
    nodes, volume = len(mesh.points), float(np.prod(mesh.size))
    if _expands(mesh):
        yield from ("*INITIAL CONDITIONS,TYPE=TEMPERATURE", "CELL,0.")
    for number, case in enumerate(CASES):
        yield f"** Unit stress {case}"
        yield from ("*STEP", "*STATIC", "*CLOAD,OP=NEW")
        yield f"{nodes + 1 + number // 3},{number % 3 + 1},{volume:.12g}"
        yield from _printed()
    if _expands(mesh):
        yield "** Free thermal expansion"
        yield from ("*STEP", "*STATIC", "*CLOAD,OP=NEW", f"{nodes + 1},1,0.", "*TEMPERATURE", "CELL,1.")
        yield from _printed()


def _printed() -> Iterator[str]:
    yield from (f"*NODE PRINT,NSET={STRAINS}", "U", "*NODE FILE", "U", "*EL FILE", "S,E", "*END STEP")
