"""Material cards of an effective stiffness for Abaqus, CalculiX and Ansys.

All three are written in the consistent units mm, t, s: stress in MPa and density in t/mm³ (1 GPa = 1000 MPa,
1 g/cm³ = 1e-9 t/mm³), so forces are in N. Axes 1, 2, 3 are x, y, z of the cell; shear is engineering shear (γ = 2ε).
The programs order the components differently:

====================  ==============================  ===============================================================
here (Voigt)          xx yy zz yz xz xy               rows of C
Abaqus, CalculiX      11 22 33 12 13 23               upper triangle column by column: D1111, D1122, D2222, D1133, …
Ansys ``TB,ANEL``     x y z xy yz xz                  upper triangle row by row: D11, D12, …, D16, D22, …
====================  ==============================  ===============================================================

References: Abaqus Keywords Guide, ``*ELASTIC, TYPE=ANISOTROPIC``; CalculiX CrunchiX manual, ``*ELASTIC``
(``TYPE=ANISO``, at most 20 characters a number); Ansys Material Reference, "Anisotropic Elasticity".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relaxdesign.export.cell import ExportError
from relaxdesign.export.names import comment_text

MPA_PER_GPA = 1e3
T_MM3_PER_G_CM3 = 1e-9

ABAQUS_ORDER = (0, 1, 2, 5, 4, 3)
"""Positions in our Voigt order of Abaqus' components 11, 22, 33, 12, 13, 23."""
ANSYS_ORDER = (0, 1, 2, 5, 3, 4)
"""Positions in our Voigt order of Ansys' components x, y, z, xy, yz, xz."""

_UNITS = "Units: mm, t, s, N. Stiffness in MPa, density in t/mm3."
_AXES = "Axes 1, 2, 3 = x, y, z of the cell; engineering shear strain."


def abaqus_card(C: ArrayLike, density: float, name: str = "COMPOSITE", remarks: Sequence[str] = ()) -> str:
    """``*MATERIAL`` with ``*ELASTIC, TYPE=ANISOTROPIC`` and ``*DENSITY``.

    Args:
        C: effective stiffness (6, 6) in GPa, Voigt order xx, yy, zz, yz, xz, xy.
        density: g/cm³.
        name: of the material; made of letters, digits, - and _, begins with a letter.
        remarks: lines of comment, e.g. where the numbers come from.

    Raises:
        ExportError: C is not a symmetric positive definite matrix, or the density is not positive.
    """
    head = [
        "Abaqus material card; anisotropic sections need an orientation (*ORIENTATION on the section).",
        "Order: D1111 D1122 D2222 D1133 D2233 D3333 D1112 D2212 / D3312 D1212 D1113 D2213 D3313 D1213 D1313 D1123 /",
        "       D2223 D3323 D1223 D1323 D2323",
    ]
    return _abaqus_like(C, density, name, [*head, *remarks], "ANISOTROPIC", ", ")


def calculix_card(C: ArrayLike, density: float, name: str = "COMPOSITE", remarks: Sequence[str] = ()) -> str:
    """``*MATERIAL`` with ``*ELASTIC,TYPE=ANISO`` and ``*DENSITY``; arguments as in `abaqus_card`."""
    head = [
        "CalculiX material card; without *ORIENTATION its axes are the global ones.",
        "Order: D1111 D1122 D2222 D1133 D2233 D3333 D1112 D2212 / D3312 D1212 D1113 D2213 D3313 D1213 D1313 D1123 /",
        "       D2223 D3323 D1223 D1323 D2323",
    ]
    return _abaqus_like(C, density, name, [*head, *remarks], "ANISO", ",")


def ansys_card(C: ArrayLike, density: float, name: str = "COMPOSITE", remarks: Sequence[str] = ()) -> str:
    """APDL commands ``TB,ANEL`` (stiffness form) and ``MP,DENS``; arguments as in `abaqus_card`.

    The number of the material is the parameter ``MATID`` in its first line; the name is a comment.
    """
    D = _in_order(C, ANSYS_ORDER)
    rho = _density(density)
    constants = [D[row, column] for row in range(6) for column in range(row, 6)]
    comments = [
        f"Ansys Mechanical APDL material card of {material_name(name)}; read it with /INPUT in /PREP7.",
        "Order of components: x y z xy yz xz; C1..C21 are D11 D12 D13 D14 D15 D16 D22 D23 ... D66.",
        "Axes x, y, z: of the element coordinate system (ESYS).",
        _UNITS,
        _AXES,
        *remarks,
    ]
    lines = [f"! {comment_text(comment)}" for comment in comments]
    lines += ["MATID=1", "TB,ANEL,MATID,1,21,0"]
    for first in range(0, 21, 6):
        numbers = ",".join(_number(value) for value in constants[first : first + 6])
        lines.append(f"TBDATA,{first + 1},{numbers}")
    lines.append(f"MP,DENS,MATID,{_number(rho)}")
    return "\n".join(lines) + "\n"


def material_name(text: str) -> str:
    """A name every program takes: a letter first, then letters, digits, - and _, at most 80."""
    name = re.sub(r"[^A-Z0-9_-]+", "-", comment_text(text).upper()).strip("-_")[:80]
    return name if name[:1].isalpha() else f"M-{name}"[:80].rstrip("-")


def _abaqus_like(C: ArrayLike, density: float, name: str, comments: Sequence[str], kind: str, separator: str) -> str:
    D = _in_order(C, ABAQUS_ORDER)
    rho = _density(density)
    constants = [D[row, column] for column in range(6) for row in range(column + 1)]
    lines = [f"** {comment_text(comment)}" for comment in (*comments, _UNITS, _AXES)]
    lines += [f"*MATERIAL,NAME={material_name(name)}", f"*ELASTIC,TYPE={kind}"]
    for part in (constants[:8], constants[8:16], constants[16:]):
        lines.append(separator.join(_number(value) for value in part))
    lines += ["*DENSITY", _number(rho)]
    return "\n".join(lines) + "\n"


def _in_order(C: ArrayLike, order: Sequence[int]) -> NDArray[np.float64]:
    """C in MPa with rows and columns in another order, its round-off asymmetry taken out."""
    stiffness = np.asarray(C, dtype=np.float64)
    if stiffness.shape != (6, 6) or not np.isfinite(stiffness).all():
        raise ExportError(f"C has shape {stiffness.shape} or is not finite; expected a finite (6, 6) in GPa")
    scale = np.abs(stiffness).max()
    if np.abs(stiffness - stiffness.T).max() > 1e-4 * scale:
        raise ExportError("C is not symmetric: a stiffness must be, for these programs take 21 constants")
    stiffness = (stiffness + stiffness.T) / 2
    if np.linalg.eigvalsh(stiffness).min() <= 0:
        raise ExportError("C is not positive definite: no program accepts it as a stiffness")
    stiffness = np.where(np.abs(stiffness) < 1e-12 * scale, 0.0, stiffness)
    return MPA_PER_GPA * stiffness[np.ix_(order, order)]


def _density(density: float) -> float:
    if not (np.isfinite(density) and density > 0):
        raise ExportError(f"the density is {density} g/cm³; it must be positive")
    return T_MM3_PER_G_CM3 * float(density)


def _number(value: float) -> str:
    """At most 17 characters: nine significant digits."""
    return f"{value:.9g}" if value else "0."
