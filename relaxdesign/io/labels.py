"""Labels of phases, voxel by voxel, and what they become with a material for each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

MOST_LABELS = 32
"""Arrays with more different values are grey values or properties, not labels."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Whole numbers (nx, ny, nz), of an integer type, that name the phase of every voxel."""

    array: str  # its name in the file
    values: np.ndarray
    edge: float | None = None  # of a voxel, in the file's unit of length; not every kind of file tells
    fractions: Mapping[int, float] | None = None  # by label, where voxels hold several phases; None: counted

    @cached_property
    def shares(self) -> dict[int, float]:
        """The labels that occur, ascending, with their volume fractions."""
        if self.fractions is not None:
            return dict(self.fractions)
        found, counts = np.unique(self.values, return_counts=True)
        return dict(zip(found.tolist(), (counts / self.values.size).tolist(), strict=True))

    def describe(self) -> str:
        """``1 (62.5 %), 2 (37.5 %)``."""
        shown = [f"{label} ({100 * share:.3g} %)" for label, share in list(self.shares.items())[:MOST_LABELS]]
        return ", ".join(shown)

    def check_materials(self, labels: Iterable[int]) -> None:
        """Raises ValueError unless every label that occurs is among these."""
        given = set(labels)
        if missing := [str(label) for label in self.shares if label not in given]:
            raise ValueError(
                f"no material for label {', '.join(missing)} of {self.array}, which holds {self.describe()}: name one "
                "for each"
            )


def parse_phases(texts: Iterable[str]) -> dict[int, str]:
    """``["1=epoxy-unfilled,2=alumina-ad-995"]`` as material by label; names may hold commas.

    Raises ValueError for text of another form and for a label that is named twice.
    """
    phases: dict[int, str] = {}
    for text in texts:
        pieces = re.split(r"(?:^|,)\s*(-?\d+)\s*=", text)
        if len(pieces) < 3 or pieces[0].strip():
            raise ValueError(
                f"{text!r} is no list of phases; write LABEL=MATERIAL,…, for example 1=epoxy-unfilled,2=alumina-ad-995"
            )
        for label, name in zip(map(int, pieces[1::2]), pieces[2::2], strict=True):
            if label in phases:
                raise ValueError(f"the label {label} has two materials, {phases[label]!r} and {name.strip()!r}")
            if not name.strip():
                raise ValueError(f"the label {label} has no material in {text!r}")
            phases[label] = name.strip()
    return phases
