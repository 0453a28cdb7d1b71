"""What a study returns: checks, tables and the series behind its figure, as plain numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Number = float | int | str | bool | None


@dataclass(frozen=True)
class Check:
    """One number against the interval it must lie in."""

    what: str
    value: float
    low: float
    high: float
    unit: str = ""
    """"%" or empty; with "%" all three are shown as percentages and stored as fractions."""
    limitation: bool = False
    """A known weakness: outside the interval it is reported as such and does not fail the run."""

    @property
    def passed(self) -> bool:
        """Whether the value is finite and inside."""
        return math.isfinite(self.value) and self.low <= self.value <= self.high

    @property
    def verdict(self) -> str:
        """pass, limitation or FAIL."""
        return "pass" if self.passed else "limitation" if self.limitation else "FAIL"


def at_most(what: str, value: float, limit: float, unit: str = "", *, limitation: bool = False) -> Check:
    """The magnitude of ``value`` must not exceed ``limit``."""
    return Check(what, abs(float(value)), 0.0, limit, unit, limitation)


def within(what: str, value: float, low: float, high: float, unit: str = "") -> Check:
    """``value`` must lie between ``low`` and ``high``."""
    return Check(what, float(value), low, high, unit)


@dataclass(frozen=True)
class Table:
    """Rows of numbers with one format per column, e.g. ``"{:.3f}"``."""

    caption: str
    header: tuple[str, ...]
    formats: tuple[str, ...]
    rows: tuple[tuple[Number, ...], ...]


def table(caption: str, columns: dict[str, str], rows: Iterable[Iterable[Number]]) -> Table:
    """A table from {heading: format} and rows."""
    return Table(caption, tuple(columns), tuple(columns.values()), tuple(tuple(row) for row in rows))


@dataclass(frozen=True)
class Study:
    """The numbers of one study."""

    checks: tuple[Check, ...]
    tables: tuple[Table, ...] = ()
    series: dict[str, Any] = field(default_factory=dict)
    """What the figure shows: lists of numbers by name."""
    notes: tuple[str, ...] = ()
    """Sentences that depend on the numbers or on what could be run."""

    @property
    def verdict(self) -> str:
        """The worst verdict of the checks; "not available" if there are none."""
        found = {check.verdict for check in self.checks}
        return next((v for v in ("FAIL", "limitation", "pass") if v in found), "not available")


def save(path: Path, machine: dict[str, str], studies: dict[str, Study]) -> None:
    """Write everything as one JSON document."""
    document = {"machine": machine, "studies": {key: asdict(study) for key, study in studies.items()}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(path: Path) -> tuple[dict[str, str], dict[str, Study]]:
    """Inverse of `save`."""
    document = json.loads(path.read_text(encoding="utf-8"))
    studies = {}
    for key, raw in document["studies"].items():
        tables = tuple(
            Table(t["caption"], tuple(t["header"]), tuple(t["formats"]), tuple(tuple(r) for r in t["rows"]))
            for t in raw["tables"]
        )
        checks = tuple(Check(**check) for check in raw["checks"])
        studies[key] = Study(checks, tables, raw["series"], tuple(raw["notes"]))
    return document["machine"], studies
