"""What the reality check found, as it is kept in ``results/reality.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relaxdesign.validation.reality.composites import Composite
from relaxdesign.validation.reality.judging import Judged
from relaxdesign.validation.reality.predicting import Settings


@dataclass(frozen=True)
class Results:
    """Judged composites, how they were predicted, on what machine and when (ISO date).

    machine: as `relaxdesign.validation.runner.machine` tells it.
    """

    judged: Sequence[Judged]
    settings: Settings
    machine: Mapping[str, Any]
    date: str

    def write(self, out: Path) -> None:
        """Writes ``results/reality.json`` below a folder."""
        path = _path(out)
        path.parent.mkdir(parents=True, exist_ok=True)
        values = {
            "machine": dict(self.machine),
            "date": self.date,
            "settings": self.settings.to_dict(),
            "composites": [each.to_dict() for each in self.judged],
        }
        path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @staticmethod
    def read(out: Path, composites: Sequence[Composite]) -> Results:
        """The results below a folder, judged by what the table of composites tells now.

        Raises OSError, and ValueError for a composite that the table has no more or at another fraction.
        """
        values = json.loads(_path(out).read_text(encoding="utf-8"))
        by_id = {each.id: each for each in composites}
        judged = []
        for row in values["composites"]:
            composite = by_id.get(row["id"])
            if composite is None or composite.fraction != row["fraction"]:
                raise ValueError(f"{row['id']} is not in the table as it was predicted: run without --report")
            judged.append(Judged.from_dict(row, composite))
        return Results(judged, Settings(**values["settings"]), values["machine"], values["date"])


def _path(out: Path) -> Path:
    return out / "results" / "reality.json"
