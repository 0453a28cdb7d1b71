"""What is known of making something: how sure it is, by which process, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["impossible", "unlikely", "plausible", "established"]
LEVELS: tuple[Level, ...] = ("impossible", "unlikely", "plausible", "established")
"""In ascending order."""


@dataclass(frozen=True)
class Verdict:
    """What is known of making a composite or a lattice.

    route: the process, empty if there is none. reason: in words. wall_mm: thinnest wall that the process makes, mm;
    None of composites.
    """

    level: Level
    route: str
    reason: str
    wall_mm: float | None = None

    @property
    def rank(self) -> int:
        """Place of the level, from 0."""
        return LEVELS.index(self.level)

    @property
    def brief(self) -> str:
        """Level and process: ``established: resin casting``."""
        return f"{self.level}: {self.route}" if self.route else self.level

    @property
    def words(self) -> str:
        """A sentence with the reason."""
        return f"{self.brief[:1].upper()}{self.brief[1:]} ({self.reason})."


def lowest(*levels: Level) -> Level:
    """The least sure of some levels."""
    return LEVELS[min(map(LEVELS.index, levels))]


def unknown(name: str) -> Verdict:
    """Of a material whose substance is not known: nothing speaks against it."""
    return Verdict("plausible", "", f"nothing is known of how {name} is processed")
