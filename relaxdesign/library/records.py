"""What the store hands out, and how designs become rows and rows designs again."""

from __future__ import annotations

import io
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import VOLUME_FRACTION, phase_names, singular
from relaxdesign.study.events import StepEvent
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Design

LIVE_STATES = ("queued", "running")
END_STATES = ("finished", "cancelled", "failed", "interrupted")


class UnknownRun(LookupError):
    """No run has this id: it was deleted, or the id belongs to another database."""


class LostRun(RuntimeError):
    """The run is no longer this process's: it was stopped, or another process took it over."""


@dataclass
class Curves:
    """What every denoising step measured: one entry per step; inner lists have one entry per candidate.

    bulk: GPa. density: g/cm³. losses: per objective, dimensionless. values: of the quantities asked for.
    None: not evaluated, or the candidate was dropped.
    """

    step: list[int] = field(default_factory=list)
    noise_level: list[float] = field(default_factory=list)
    bulk: list[list[float | None]] = field(default_factory=list)
    density: list[list[float | None]] = field(default_factory=list)
    losses: dict[str, list[list[float | None]]] = field(default_factory=dict)
    values: dict[str, list[list[float | None]]] = field(default_factory=dict)

    def append(self, step: StepEvent) -> None:
        self.step.append(step.step)
        self.noise_level.append(float(step.noise_level))
        self.bulk.append([value or None for value in _finite(step.bulk)])  # 0: not evaluated in this step
        self.density.append(_finite(step.mean_density))
        nothing: list[float | None] = [None] * len(step.bulk)
        for kept, new in ((self.losses, step.losses), (self.values, step.values)):
            for name in {**kept, **new}:
                rows = kept.setdefault(name, [nothing] * (len(self.step) - 1))
                rows.append(_finite(new[name]) if name in new else nothing)

    def copy(self) -> Curves:
        """A copy that later steps do not change."""
        named = ({name: list(rows) for name, rows in kept.items()} for kept in (self.losses, self.values))
        return Curves(list(self.step), list(self.noise_level), list(self.bulk), list(self.density), *named)


@dataclass(frozen=True)
class RunRecord:
    """One line of the library. seconds: computing time. error: what to tell the user of a failed run."""

    id: str
    name: str
    created: datetime
    status: str
    request: DesignRequest
    seconds: float | None
    error_id: str
    error: str
    design_count: int  # designs that were realised and verified
    best_error: float | None  # smallest |relative error| of them
    notes: str = ""
    tags: tuple[str, ...] = ()
    deleted: datetime | None = None  # in the bin since
    campaign_id: str | None = None
    author: str = ""  # who asked for it; empty: unknown
    private: bool = False  # seen by its author and administrators only


@dataclass(frozen=True)
class DesignRecord:
    """The numbers of one verified design and the run it is from. GPa, g/cm³, lengths in cell edges.

    family: of microstructures. parameters: of the family, and volume_fraction: of all phases but the first. properties:
    further effective properties of the realised cell by name. materials: their names, of the phases.
    """

    run_id: str
    index: int
    run_name: str
    created: datetime
    target_bulk: float | None
    bulk: float | None
    error: float | None
    density: float | None
    family: str
    parameters: dict[str, float]
    properties: dict[str, float] = field(default_factory=dict)
    materials: tuple[str, ...] = ()


def design_numbers(design: Design) -> dict:
    """The columns of a design's row; bounds of K are among the properties as K_reuss … K_voigt."""
    properties = {**(design.properties or {})}
    filled = {} if design.volume_fraction is None else {VOLUME_FRACTION.name: design.volume_fraction}
    if design.bounds is not None:
        properties |= {f"K_{name}": value for name, value in vars(design.bounds).items()}
    return {
        "ok": design.ok,
        "error": _number(design.error),
        "bulk": _number(design.at("realised", "K")),
        "density": _number(design.value("density")),
        "family": design.family,
        "parameters": _numbers(filled | design.parameters),
        "properties": _numbers(properties),
    }


def named_columns(family: str, parameters: Mapping[str, float], materials: Sequence[str]) -> dict[str, Any]:
    """What describes a design as columns of a table: parameters by their names, materials by those of their phases."""
    known = FAMILIES[family]
    names = (VOLUME_FRACTION.name, *(parameter.name for parameter in known.parameters))
    phases = phase_names(known, len(materials))
    made = itertools.zip_longest(map(singular, phases), materials[: len(phases)])
    return {name: parameters.get(name) for name in names} | dict(made)


def json_safe(values: dict) -> dict:
    """Plain JSON types: NumPy scalars become numbers, NaN and infinities null."""
    text = json.dumps(values, default=lambda value: value.item())
    return json.loads(text, parse_constant=lambda _: None)


def pack_arrays(design: Design) -> bytes:
    """The arrays of a design as one npz."""
    arrays = {"phase": design.labels, "relaxed": design.relaxed}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **{k: array for k, array in arrays.items() if array is not None})
    return buffer.getvalue()


def unpack_arrays(blob: bytes) -> dict[str, np.ndarray | None]:
    """The inverse of ``pack_arrays``; nothing is unpickled."""
    with np.load(io.BytesIO(blob), allow_pickle=False) as arrays:
        return {"labels": arrays.get("phase"), "relaxed": arrays.get("relaxed")}


def default_name(request: DesignRequest) -> str:
    """What a run is called until somebody names it."""
    return f"{request.title}, {request.dim}D"


def _finite(values: Iterable[float]) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]


def _numbers(values: Mapping[str, object]) -> dict[str, float]:
    """Those that are finite numbers."""
    return {name: number for name, value in values.items() if (number := _number(value)) is not None}


def _number(value: object) -> float | None:
    """Finite numbers as float; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return None
    return float(value) if math.isfinite(value) else None
