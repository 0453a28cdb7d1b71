"""What CalculiX prints for an exported mesh, as effective stiffness and thermal expansion."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relaxdesign.export.cards import MPA_PER_GPA, PER_K
from relaxdesign.export.mesh.deck import CASES, STRAINS

_HEADING = re.compile(rf"displacements .* for set {STRAINS}\b")


@dataclass(frozen=True, eq=False)
class SolvedMesh:
    """Effective properties, in Voigt order xx, yy, zz, yz, xz, xy with engineering shear.

    C: (6, 6) in GPa. expansion: (6,) in 1e-6/K; None where not all phases have one.
    """

    C: NDArray[np.float64]
    expansion: NDArray[np.float64] | None


def read_results(text: str) -> SolvedMesh:
    """The effective properties from the ``.dat`` file that CalculiX writes for a mesh of `deck`.

    Every step printed the six macroscopic strains: under a unit stress of 1 MPa a column of the compliance in 1/MPa, in
    the last step, if there is one more, those of a rise of temperature by 1 K. Raises ValueError for another text.
    """
    strains, lines = [], iter(text.splitlines())
    for line in lines:
        if _HEADING.search(line):
            rows = [next(lines, "").split() for _ in range(3)][1:]
            strains.append([float(value) for row in rows for value in row[1:]])
    if len(strains) not in (len(CASES), len(CASES) + 1) or any(len(step) != len(CASES) for step in strains):
        raise ValueError(
            f"the file has the strains of {len(strains)} steps; expected those of an exported mesh, {len(CASES)} or "
            "one more: was CalculiX stopped, or is it the .dat of another model?"
        )
    compliance = np.array(strains[: len(CASES)]).T
    C = np.linalg.inv(compliance) / MPA_PER_GPA
    return SolvedMesh(C, np.array(strains[-1]) / PER_K if len(strains) > len(CASES) else None)
