"""Numbers of a case: hit rates and errors of every stage, diversity, density, cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from scipy.stats import sem

from relaxdesign.materials.catalogue import Catalogue, Material, occupied_cells
from relaxdesign.materials.verdict import LEVELS
from relaxdesign.study.objective import Objective
from relaxdesign.study.result import STAGES, Design
from relaxdesign.validation.cases import BATCH, Case

LIMITS = (0.005, 0.01, 0.02, 0.05, 0.10)
COMPUTING = 0.8
"""Least processor time per time for which a request's times tell of its method, not of other work it waited for."""
_OF_A_VALUE, _OF_AN_INTERVAL = 0.02, 0.001
_HYPERVOLUME_REFERENCE = (0.10, 20.0)
"""Error and density (g/cm³) at and beyond which a design adds nothing."""


@dataclass(frozen=True)
class StageSummary:
    """Of one stage. within: share of all designs with every target within each of ``LIMITS``; designs that did not
    reach the stage count as misses. median: of the largest miss, over those that did."""

    reached: int
    within: dict[str, float]
    median: float | None


@dataclass(frozen=True)
class SnappedDiversity:
    """How varied the designs of a request are before refinement, as their samples say: means over requests.

    pairs: different pairs of materials. coverage: of kinds of materials, relative to as many random designs, and its
    standard error, None for a single request. share_deviation: standard deviation of the particles' volume fraction.
    """

    pairs: float
    coverage: float
    coverage_error: float | None
    share_deviation: float


@dataclass(frozen=True)
class Summary:
    """Of one case. Times are per design, of the median request; coverage is relative to as many random designs.

    group_pairs, group_coverage: means over ``groups`` groups of ``BATCH`` designs, those of one request;
    group_coverage_error is the standard error of the latter, None for a single group. snapped: the diversity of the
    same groups before refinement, None where that was not recorded. made: share of the designs whose materials go
    together at least so well, by level; empty where that was not recorded. met: share of the designs that on twice
    their grid have every wanted value within 2 % and keep every interval within 0.1 %; None where not recorded.
    priors: names and hashes of the weights that were used. defaults: of the guidance settings when it was run; tuning:
    numbers found by search that were in use (`relaxdesign.study.tuning`); both are empty where that was not recorded.
    revision: of the method. realisation: its revision, see `relaxdesign.study.realisation.REVISION`.
    """

    set: str
    name: str
    dim: int
    quantile: float
    targets: list[str]
    designs: int
    stages: dict[str, StageSummary]
    pairs: int
    coverage: float
    group_pairs: float
    group_coverage: float
    density_median: float | None
    hypervolume: float
    seconds: float | None
    sampling_seconds: float | None
    load_cases: float | None
    sampling_load_cases: float | None
    iterations: float | None
    priors: list[str]
    defaults: dict[str, Any] = field(default_factory=dict)
    groups: int = 1
    group_coverage_error: float | None = None
    tuning: dict[str, float] = field(default_factory=dict)
    revision: int = 1
    realisation: int = 1
    snapped: SnappedDiversity | None = None
    made: dict[str, float] = field(default_factory=dict)
    met: float | None = None

    @property
    def case(self) -> tuple[str, str, int, float]:
        """What was measured, whatever number of designs."""
        return self.set, self.name, self.dim, self.quantile

    def to_dict(self) -> dict:
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Summary:
        rest = dict(values)
        stages = {stage: StageSummary(**of) for stage, of in rest.pop("stages").items()}
        snapped = rest.pop("snapped", None)
        if (known_kind := rest.pop("known_kind", None)) is not None:  # the only one that was recorded at first
            rest["tuning"] = {"known_kind": known_kind}
        return Summary(stages=stages, snapped=snapped and SnappedDiversity(**snapped), **rest)


def summarise(case: Case, designs: Sequence[Design], costs: Sequence[dict]) -> Summary:
    """Of the designs of a case. costs: of its chunks; those interrupted or kept waiting tell no time."""
    done = [design for design in designs if design.ok]
    starts = range(0, max(1, len(designs) - BATCH + 1), BATCH)
    whole_groups = [designs[start : start + BATCH] for start in starts]
    groups = [[design for design in group if design.ok] for group in whole_groups]
    covered = [_coverage(group) for group in groups]
    whole = [cost for cost in costs if not cost["resumed"]]
    timed = [cost for cost in whole if cost.get("computing", 1.0) >= COMPUTING]
    per_design = sum(request.count for request in case.requests()) / max(1, len(case.requests()))
    after = float(np.mean([design.load_cases or 0 for design in done])) if done else 0.0

    def per(of, name: str, costs: Sequence[dict] = whole) -> float | None:
        return float(of([cost[name] for cost in costs]) / per_design) if costs else None

    load_cases = per(np.mean, "load_cases")
    densities = [density for design in done if (density := design.value("density")) is not None]
    return Summary(
        set=case.set,
        name=case.name,
        dim=case.dim,
        quantile=case.quantile,
        targets=[str(target) for target in case.requests()[0].objectives],
        designs=len(designs),
        stages={stage: _stage(designs, stage) for stage in STAGES},
        pairs=_pairs(done),
        coverage=_coverage(done),
        group_pairs=float(np.mean([_pairs(group) for group in groups])),
        group_coverage=float(np.mean(covered)),
        density_median=float(np.median(densities)) if densities else None,
        hypervolume=hypervolume([(abs(design.error or 0.0), design.value("density") or np.inf) for design in done]),
        seconds=per(np.median, "seconds", timed),
        sampling_seconds=per(np.median, "sampling_seconds", timed),
        load_cases=load_cases,
        sampling_load_cases=None if load_cases is None else max(0.0, load_cases - after),
        iterations=per(np.mean, "iterations"),
        priors=sorted({cost["prior"] for cost in costs}),
        groups=len(groups),
        group_coverage_error=_error(covered),
        defaults=next((cost["defaults"] for cost in costs if "defaults" in cost), {}),
        revision=next((cost["revision"] for cost in costs if "revision" in cost), 1),
        realisation=next((cost["realisation"] for cost in costs if "realisation" in cost), 1),
        tuning=next((cost["tuning"] for cost in costs if "tuning" in cost), {}),
        snapped=_snapped_diversity(whole_groups),
        made=_made(done),
        met=_met(designs),
    )


def _met(designs: Sequence[Design]) -> float | None:
    def meets(target: Objective, design: Design) -> bool:
        within = _OF_A_VALUE if target.value is not None else _OF_AN_INTERVAL
        return abs(target.miss(design.verified[target.quantity])) <= within

    if not any(design.verified for design in designs):
        return None
    met = [bool(d.verified) and all(meets(target, d) for target in d.targets) for d in designs]
    return sum(met) / len(met)


def _made(designs: Sequence[Design]) -> dict[str, float]:
    levels = [design.makeable.level for design in designs if design.makeable is not None]
    reached = {level: sum(LEVELS.index(of) >= LEVELS.index(level) for of in levels) for level in LEVELS[2:]}
    return {level: count / len(levels) for level, count in reached.items()} if levels else {}


def _stage(designs: Sequence[Design], stage: str) -> StageSummary:
    count = len(designs[0].targets) if designs else 0
    misses = [design.misses_at(stage) for design in designs]
    worst = [max(abs(miss) for miss in found.values()) for found in misses if len(found) == count and found]
    worst = [value for value in worst if np.isfinite(value)]
    within = {f"{limit:g}": sum(value <= limit for value in worst) / max(1, len(designs)) for limit in LIMITS}
    return StageSummary(len(worst), within, float(np.median(worst)) if worst else None)


def _snapped_diversity(groups: Sequence[Sequence[Design]]) -> SnappedDiversity | None:
    """Of the samples of each request, of those designs too that failed later; None if nothing is known of them."""
    known = [[design.snapped for design in group if design.snapped] for group in groups]
    known = [group for group in known if group]
    if not known:
        return None
    covered = [_coverage_of([_by_id()[name] for snapped in group for name in snapped.materials]) for group in known]
    return SnappedDiversity(
        pairs=float(np.mean([len({snapped.materials for snapped in group}) for group in known])),
        coverage=float(np.mean(covered)),
        coverage_error=_error(covered),
        share_deviation=float(np.mean([np.std([snapped.shares[-1] for snapped in group]) for group in known])),
    )


def _error(values: Sequence[float]) -> float | None:
    """Standard error of the mean; None of a single value."""
    return float(sem(values)) if len(values) > 1 else None


@lru_cache
def _by_id() -> dict[str, Material]:
    return {material.id: material for material in Catalogue.default().materials}


def _pairs(designs: Sequence[Design]) -> int:
    """Different combinations of materials."""
    return len({tuple(material.id for material in design.materials) for design in designs})


def _coverage(designs: Sequence[Design]) -> float:
    """Property cells that the materials of these designs occupy, relative to as many random designs."""
    materials = [material for design in designs for material in design.materials]
    return _coverage_of(materials)


def _coverage_of(materials: Sequence[Material]) -> float:
    return occupied_cells(materials) / _random_cells(len(materials)) if materials else 0.0


@lru_cache
def _random_cells(count: int, repeats: int = 20) -> float:
    """Mean number of cells that ``count`` randomly drawn materials occupy."""
    catalogue = Catalogue.default().select()
    generator = torch.Generator().manual_seed(0)
    draws = (catalogue.draw(count, generator=generator).tolist() for _ in range(repeats))
    return float(np.mean([occupied_cells([catalogue.materials[i] for i in draw]) for draw in draws]))


def hypervolume(points: Sequence[tuple[float, float]]) -> float:
    """Share of the rectangle between the origin and the reference that points (error, density) dominate."""
    reference = np.array(_HYPERVOLUME_REFERENCE)
    inside = sorted({tuple(np.array(point) / reference) for point in points if (np.array(point) < reference).all()})
    area, lowest = 0.0, 1.0
    for error, density in inside:
        if density < lowest:
            area += (1.0 - error) * (lowest - density)
            lowest = density
    return float(area)
