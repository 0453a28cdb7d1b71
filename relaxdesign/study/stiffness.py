"""A whole stiffness as target: its entries as objectives, whether two phases can have it, and how far a cell is off.

Misses count relative to the norm of the wanted stiffness, so that entries that shall vanish have a measure too. The
error of a cell is the relative Frobenius norm ‖C − C*‖ / ‖C*‖ over the 6 × 6 entries in Voigt notation (2D cells: over
those in the plane), of which an entry off the diagonal counts twice.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relaxdesign.physics.voigt_reuss import ENTRIES
from relaxdesign.study.objective import Objective

IN_PLANE = ("C11", "C22", "C12", "C66", "C16", "C26")
"""Entries that a 2D cell is asked for."""
IN_PLANE_ORDER = (1, 2, 6)
"""Its rows: xx, yy, xy."""
NINE = ("C11", "C22", "C33", "C12", "C13", "C23", "C44", "C55", "C66")
"""Entries of an orthotropic stiffness, in the order in which files give them; the others are 0."""

_SLACK = 1e-6


def stiffness_objectives(stiffness: ArrayLike, dim: int) -> tuple[Objective, ...]:
    """The entries of a stiffness (6, 6) in GPa as objectives, for cells of dimension 2 those in the plane.

    Raises ValueError for one that is not symmetric or not positive definite.
    """
    C = _checked(stiffness)
    names = IN_PLANE if dim == 2 else tuple(ENTRIES)
    norm = math.sqrt(sum(_times(name) * _entry(C, name) ** 2 for name in names))
    return tuple(
        Objective(quantity=name, low=_entry(C, name), high=_entry(C, name), scale=norm, weight=_times(name))
        for name in names
    )


def check_attainable(objectives: Sequence[Objective], bulk: float, shear: float) -> None:
    """Raises ValueError if a wanted stiffness exceeds that of the stiffer of two phases.

    C* ≤ C of the solid, as quadratic forms, holds for every cell (Hill 1952). bulk, shear: of the stiffer phase, GPa.
    """
    wanted = {target.quantity: target.value for target in of_stiffness(objectives)}
    names = [name for name in wanted if wanted[name] is not None]
    if not names:
        return
    indices = sorted({i for name in names for i in ENTRIES[name]})
    if not all(f"C{i}{j}" in wanted for i in indices for j in indices if i <= j):
        return
    C = np.array([[wanted[f"C{min(i, j)}{max(i, j)}"] for j in indices] for i in indices], dtype=np.float64)
    at = np.array(indices) - 1
    solid = _isotropic(bulk, shear)[np.ix_(at, at)]
    left = np.linalg.eigvalsh(solid - C)
    if left[0] < -_SLACK * solid.max():
        raise ValueError(
            "the wanted stiffness is out of reach: under some strain it stores more energy than the stiffer phase, "
            f"whose C11 is {solid[0, 0]:.4g} GPa (Voigt bound); ask for less or choose a stiffer solid"
        )


def of_stiffness(objectives: Sequence[Objective]) -> tuple[Objective, ...]:
    """The targets that are entries of one wanted stiffness."""
    return tuple(o for o in objectives if o.scale is not None and o.value is not None and o.quantity in ENTRIES)


def known_stiffness(values: Mapping[str, float | None], dim: int) -> NDArray[np.float64] | None:
    """The stiffness whose entries are all among the values, (6, 6) in GPa; None if one is missing.

    dim: for cells of dimension 2 what is in the plane, (3, 3) in the order xx, yy, xy.
    """
    order = IN_PLANE_ORDER if dim == 2 else tuple(range(1, 7))
    entries = [values.get(f"C{min(i, j)}{max(i, j)}") for i in order for j in order]
    if any(entry is None for entry in entries):
        return None
    return np.array(entries, dtype=np.float64).reshape(len(order), len(order))


def wanted_stiffness(objectives: Sequence[Objective], dim: int) -> NDArray[np.float64] | None:
    """The stiffness of which every entry has a value wanted, as in `known_stiffness`; None if one has none."""
    return known_stiffness({target.quantity: target.value for target in objectives}, dim)


def stiffness_error(objectives: Sequence[Objective], values: dict[str, float]) -> float | None:
    """The relative Frobenius error of a cell's quantities; None if no stiffness is wanted or known."""
    wanted = of_stiffness(objectives)
    if not wanted or any(target.quantity not in values for target in wanted):
        return None
    squares = (_times(t.quantity) * t.miss(values[t.quantity]) ** 2 for t in wanted)
    return math.sqrt(sum(squares))


def read_stiffness(path: Path) -> NDArray[np.float64]:
    """A stiffness (6, 6) from a JSON or a text file: 6 × 6, 3 × 3 (in the plane: xx, yy, xy) or nine numbers.

    The nine are C11 C22 C33 C12 C13 C23 C44 C55 C66, or entries by these names. Raises ValueError for anything else.
    """
    text = path.read_text(encoding="utf-8-sig")
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        numbers = re.findall(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.sub(r"C\d\d", "", text))
        found = [float(number) for number in numbers]
    if isinstance(found, dict) and "stiffness" in found:
        found = found["stiffness"]
    if isinstance(found, dict):
        return _of_entries(found, path.name)
    try:
        values = np.array(found, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.zeros(0)
    return _of_numbers(values, path.name)


def _of_entries(entries: dict, name: str) -> NDArray[np.float64]:
    C = np.zeros((6, 6))
    if unknown := sorted(set(entries) - set(ENTRIES)):
        raise ValueError(f"{name}: unknown entries {', '.join(map(str, unknown[:5]))}; known are C11, C12, … C66")
    for entry, value in entries.items():
        i, j = ENTRIES[entry]
        C[i - 1, j - 1] = C[j - 1, i - 1] = float(value)
    return C


def _of_numbers(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    if values.size == 36:
        return values.reshape(6, 6)
    if values.size == 9 and values.ndim == 2:
        C = np.zeros((6, 6))
        C[np.ix_((0, 1, 5), (0, 1, 5))] = values
        return C
    if values.size == 9:
        return _of_entries(dict(zip(NINE, values.tolist(), strict=True)), name)
    raise ValueError(
        f"{name}: a stiffness has 6 × 6 numbers or nine (C11 C22 C33 C12 C13 C23 C44 C55 C66), got {values.size}"
    )


def _checked(stiffness: ArrayLike) -> NDArray[np.float64]:
    C = np.asarray(stiffness, dtype=np.float64)
    if C.shape != (6, 6) or not np.isfinite(C).all():
        raise ValueError(f"a stiffness is a 6 × 6 array of finite numbers in GPa, got the shape {C.shape}")
    if np.abs(C - C.T).max() > 1e-6 * np.abs(C).max():
        raise ValueError("the wanted stiffness is not symmetric")
    present = np.flatnonzero(np.diag(C))
    if not len(present) or np.linalg.eigvalsh(C[np.ix_(present, present)])[0] <= 0.0:
        raise ValueError("the wanted stiffness is not positive definite: under some strain it would release energy")
    return C


def _isotropic(bulk: float, shear: float) -> NDArray[np.float64]:
    C = np.diag([2.0 * shear] * 3 + [shear] * 3)
    C[:3, :3] += bulk - 2.0 / 3.0 * shear
    return C


def _entry(C: NDArray[np.float64], name: str) -> float:
    i, j = ENTRIES[name]
    return float(C[i - 1, j - 1])


def _times(name: str) -> float:
    i, j = ENTRIES[name]
    return 1.0 if i == j else 2.0
