"""Material cards of an effective stiffness, and of heat where that is known, for Abaqus, CalculiX and Ansys.

All three are written in the consistent units mm, t, s: stress in MPa and density in t/mm³ (1 GPa = 1000 MPa,
1 g/cm³ = 1e-9 t/mm³), so forces are in N and conductivities in mW/(mm K), of which 1 is 1 W/(m K). Axes 1, 2, 3 are
x, y, z of the cell; shear is engineering shear (γ = 2ε).
The programs order the components differently:

====================  ==============================  ===============================================================
here (Voigt)          xx yy zz yz xz xy               rows of C
Abaqus, CalculiX      11 22 33 12 13 23               upper triangle column by column: D1111, D1122, D2222, D1133, …
Ansys ``TB,ANEL``     x y z xy yz xz                  upper triangle row by row: D11, D12, …, D16, D22, …
====================  ==============================  ===============================================================

Of expansion and conductivity, components that couple axes are written where the program's order and its kind of shear
are certain: CalculiX takes 11 22 33 12 13 23 of both tensors (found by version 2.20 itself, see the tests), Abaqus
k11 k12 k22 k13 k23 k33. Else a remark tells what is left out.

References: Abaqus Keywords Guide, ``*ELASTIC, TYPE=ANISOTROPIC``; CalculiX CrunchiX manual, ``*ELASTIC``
(``TYPE=ANISO``, at most 20 characters a number), ``*EXPANSION``, ``*CONDUCTIVITY``; Ansys Material Reference,
"Anisotropic Elasticity", Command Reference, ``MP`` (``ALPX``, ``KXX``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relaxdesign.export.cell import ExportError
from relaxdesign.export.names import comment_text
from relaxdesign.physics.fem.elements import VOIGT

MPA_PER_GPA = 1e3
T_MM3_PER_G_CM3 = 1e-9
PER_K = 1e-6

ABAQUS_ORDER = (0, 1, 2, 5, 4, 3)
"""Positions in our Voigt order of Abaqus' components 11, 22, 33, 12, 13, 23."""
ANSYS_ORDER = (0, 1, 2, 5, 3, 4)
"""Positions in our Voigt order of Ansys' components x, y, z, xy, yz, xz."""
ABAQUS_CONDUCTIVITY = (0, 5, 1, 4, 3, 2)
"""Positions of Abaqus' conductivities k11, k12, k22, k13, k23, k33."""
ANSYS_LABELS = {"EXPANSION": ("ALPX", "ALPY", "ALPZ"), "CONDUCTIVITY": ("KXX", "KYY", "KZZ")}
_ORTHO = (0, 1, 2)

_UNITS = "Units: mm, t, s, N. Stiffness in MPa, density in t/mm3, expansion in 1/K, conductivity in mW/(mm K)."
_COUPLINGS = ("yz", "xz", "xy")
_NEGLIGIBLE = 1e-3
"""Of the largest component of a tensor: up to this, those that couple axes count as none."""
_AXES = "Axes 1, 2, 3 = x, y, z of the cell; engineering shear strain."


@dataclass(frozen=True)
class Heat:
    """What a material card tells of heat, as far as it is known.

    expansion: (6,) in 1e-6/K, Voigt order xx, yy, zz, yz, xz, xy, with engineering shear. conductivity: (3, 3) in
    W/(m K).
    """

    expansion: ArrayLike | None = None
    conductivity: ArrayLike | None = None

    @property
    def tensors(self) -> dict[str, NDArray[np.float64]]:
        """Expansion in 1/K and conductivity in mW/(mm K), components xx, yy, zz, yz, xz, xy, by keyword.

        Components that couple axes are 0 where they are negligible. Raises ExportError for unusable numbers.
        """
        found = {}
        if self.expansion is not None:
            half = np.array([1.0, 1.0, 1.0, 0.5, 0.5, 0.5])
            found["EXPANSION"] = PER_K * half * np.asarray(self.expansion, dtype=np.float64)
        if self.conductivity is not None:
            k = np.asarray(self.conductivity, dtype=np.float64)
            if np.linalg.eigvalsh(k).min() <= 0:
                raise ExportError("the conductivity is not positive definite: no program accepts it")
            found["CONDUCTIVITY"] = np.array([k[i, j] for i, j in VOIGT])
        for keyword, tensor in found.items():
            if not np.isfinite(tensor).all():
                raise ExportError(f"the {keyword.lower()} is not finite")
            tensor[3:][np.abs(tensor[3:]) <= _NEGLIGIBLE * np.abs(tensor).max()] = 0.0
        return found


def abaqus_card(
    C: ArrayLike, density: float, name: str = "COMPOSITE", remarks: Sequence[str] = (), heat: Heat = Heat()
) -> str:
    """``*MATERIAL`` with ``*ELASTIC, TYPE=ANISOTROPIC``, ``*DENSITY`` and what is known of heat.

    Args:
        C: effective stiffness (6, 6) in GPa, Voigt order xx, yy, zz, yz, xz, xy.
        density: g/cm³.
        name: of the material; made of letters, digits, - and _, begins with a letter.
        remarks: lines of comment, e.g. where the numbers come from.
        heat: becomes ``*EXPANSION`` and ``*CONDUCTIVITY``.

    Raises:
        ExportError: C or the conductivity is not a symmetric positive definite matrix, the density is not positive.
    """
    head = [
        "Abaqus material card; anisotropic sections need an orientation (*ORIENTATION on the section).",
        "Order: D1111 D1122 D2222 D1133 D2233 D3333 D1112 D2212 / D3312 D1212 D1113 D2213 D3313 D1213 D1313 D1123 /",
        "       D2223 D3323 D1223 D1323 D2323",
        *_left_out(heat, "EXPANSION"),
    ]
    # Whether its thermal shear is engineering shear the manual does not say.
    orders = {"EXPANSION": _ORTHO, "CONDUCTIVITY": ABAQUS_CONDUCTIVITY}
    return _abaqus_like(C, density, name, [*head, *remarks], "ANISOTROPIC", ", ", _heat_lines(heat, orders, ", "))


def calculix_card(
    C: ArrayLike, density: float, name: str = "COMPOSITE", remarks: Sequence[str] = (), heat: Heat = Heat()
) -> str:
    """``*MATERIAL`` with ``*ELASTIC,TYPE=ANISO``, ``*DENSITY`` and what is known of heat; as `abaqus_card`."""
    head = [
        "CalculiX material card; without *ORIENTATION its axes are the global ones.",
        "Order: D1111 D1122 D2222 D1133 D2233 D3333 D1112 D2212 / D3312 D1212 D1113 D2213 D3313 D1213 D1313 D1123 /",
        "       D2223 D3323 D1223 D1323 D2323",
    ]
    orders = {"EXPANSION": ABAQUS_ORDER, "CONDUCTIVITY": ABAQUS_ORDER}
    return _abaqus_like(C, density, name, [*head, *remarks], "ANISO", ",", _heat_lines(heat, orders, ","))


def ansys_card(
    C: ArrayLike, density: float, name: str = "COMPOSITE", remarks: Sequence[str] = (), heat: Heat = Heat()
) -> str:
    """APDL commands ``TB,ANEL`` (stiffness form), ``MP,DENS`` and what is known of heat; as `abaqus_card`.

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
        *_left_out(heat, *ANSYS_LABELS),
        *remarks,
    ]
    lines = [f"! {comment_text(comment)}" for comment in comments]
    lines += ["MATID=1", "TB,ANEL,MATID,1,21,0"]
    for first in range(0, 21, 6):
        numbers = ",".join(_number(value) for value in constants[first : first + 6])
        lines.append(f"TBDATA,{first + 1},{numbers}")
    lines.append(f"MP,DENS,MATID,{_number(rho)}")
    for keyword, tensor in heat.tensors.items():
        labels = ANSYS_LABELS[keyword]
        lines += [f"MP,{label},MATID,{_number(value)}" for label, value in zip(labels, tensor[:3], strict=True)]
    return "\n".join(lines) + "\n"


def material_name(text: str) -> str:
    """A name every program takes: a letter first, then letters, digits, - and _, at most 80."""
    name = re.sub(r"[^A-Z0-9_-]+", "-", comment_text(text).upper()).strip("-_")[:80]
    return name if name[:1].isalpha() else f"M-{name}"[:80].rstrip("-")


def _left_out(heat: Heat, *keywords: str) -> list[str]:
    """Remarks on components of these tensors that a card does not have."""
    remarks = []
    for keyword, tensor in heat.tensors.items():
        if keyword in keywords and tensor[3:].any():
            told = ", ".join(f"{axes} {value:.4g}" for axes, value in zip(_COUPLINGS, tensor[3:], strict=True))
            remarks.append(f"Components of the {keyword.lower()} that are left out (of the tensor): {told}.")
    return remarks


def _heat_lines(heat: Heat, orders: Mapping[str, Sequence[int]], separator: str) -> list[str]:
    """Keywords with their numbers. orders: positions of the components that a program takes beyond xx, yy, zz."""
    lines = []
    for keyword, tensor in heat.tensors.items():
        order = orders[keyword] if tensor[3:].any() else _ORTHO
        lines.append(f"*{keyword},TYPE={'ORTHO' if len(order) == len(_ORTHO) else 'ANISO'}")
        lines.append(separator.join(_number(tensor[i]) for i in order))
    return lines


def _abaqus_like(
    C: ArrayLike, density: float, name: str, comments: Sequence[str], kind: str, separator: str, heat: Sequence[str]
) -> str:
    D = _in_order(C, ABAQUS_ORDER)
    rho = _density(density)
    constants = [D[row, column] for column in range(6) for row in range(column + 1)]
    lines = [f"** {comment_text(comment)}" for comment in (*comments, _UNITS, _AXES)]
    lines += [f"*MATERIAL,NAME={material_name(name)}", f"*ELASTIC,TYPE={kind}"]
    for part in (constants[:8], constants[8:16], constants[16:]):
        lines.append(separator.join(_number(value) for value in part))
    lines += ["*DENSITY", _number(rho), *heat]
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
