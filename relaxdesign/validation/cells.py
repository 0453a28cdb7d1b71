"""Tables of the page of results, and what stands in their cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import TypeVar

import numpy as np

from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.prior.model import load_prior, shipped_priors
from relaxdesign.study.methods import METHODS
from relaxdesign.study.realisation import REVISION, SHAPE_REVISION
from relaxdesign.study.request import guidance_defaults
from relaxdesign.study.run import prior_label
from relaxdesign.study.tuning import TUNING
from relaxdesign.validation.summary import Summary

Row = TypeVar("Row")
Cell = Callable[[Summary], str]
Pair = tuple[Summary | None, Summary]
"""The case with the seeds of the search, if it was measured, and the same case with held-out seeds."""

UNKNOWN = "–"
MARK = "†"


def table(rows: Iterable[Row], *columns: tuple[str, Callable[[Row], str]]) -> str:
    """A table in Markdown. columns: heading, and the cell of a row."""
    lines = [[heading for heading, _ in columns], *([cell(row) for _, cell in columns] for row in rows)]
    head, *body = ("| " + " | ".join(line) + " |" for line in lines)
    return "\n".join([head, "|" + "---|" * len(columns), *body])


@lru_cache
def shipped() -> frozenset[str]:
    """Names and hashes of the shipped weights."""
    return frozenset(prior_label(load_prior(name)) for name in shipped_priors())


def designs(s: Summary) -> str:
    """How many, with a mark if other weights, defaults or revisions than today's made them."""
    guided = s.set != "baselines"
    weights_differ = bool(set(s.priors) - shipped()) and (guided or METHODS[s.name].denoises)
    # A setting that there was not is one that did not act, as its default does not.
    recorded = guidance_defaults() | s.defaults
    defaults_differ = guided and (not s.defaults or recorded != guidance_defaults())
    method_differs = not guided and s.revision != METHODS[s.name].revision
    now = asdict(TUNING)
    tuning_differs = not s.tuning or any(now.get(name) != value for name, value in s.tuning.items())
    differs = weights_differ or defaults_differ or tuning_differs or method_differs
    earlier = differs or s.realisation != _realisation(s)
    return f"{s.designs}{f' {MARK}' if earlier else ''}"


def _realisation(s: Summary) -> int:
    """Today's revision of what made the designs: shapes alone can be asked for what depends on direction."""
    asked = {word for target in s.targets for word in target.split() if word in QUANTITIES}
    return SHAPE_REVISION if any(QUANTITIES[name].directional for name in asked) else REVISION


def dimension(s: Summary) -> str:
    return f"{s.dim}D"


def targets(s: Summary) -> str:
    return ", ".join(s.targets)


def share(stage: str, limit: str) -> Cell:
    """Share of designs within a limit at a stage."""
    return lambda s: percent(s.stages[stage].within[limit])


def median(stage: str) -> Cell:
    """Median miss at a stage."""
    return lambda s: UNKNOWN if (miss := s.stages[stage].median) is None else f"{100 * miss:.2f} %"


def made(level: str) -> Cell:
    """Share of designs whose materials go together at least so well."""
    return lambda s: percent(s.made.get(level))


def seconds(s: Summary) -> str:
    return number(s.seconds, ".1f")


def coverage(s: Summary) -> str:
    """Coverage of kinds of materials after refinement."""
    return with_error(s.group_coverage, s.group_coverage_error)


def snapped_coverage(s: Summary) -> str:
    """Coverage of kinds of materials before refinement."""
    return UNKNOWN if s.snapped is None else with_error(s.snapped.coverage, s.snapped.coverage_error)


def beside(cell: Cell) -> Callable[[Pair], str]:
    """The cell of both cases."""
    return lambda both: " → ".join(UNKNOWN if summary is None else cell(summary) for summary in both)


def in_standard_errors(stage: str, limit: str) -> Callable[[Pair], str]:
    """Change of the share of designs within a limit over its standard error, both samples pooled."""

    def cell(both: Pair) -> str:
        first, second = both
        if first is None:
            return UNKNOWN
        shares, counts = [s.stages[stage].within[limit] for s in (first, second)], [first.designs, second.designs]
        pooled = float(np.average(shares, weights=counts))
        error = (pooled * (1 - pooled) * (1 / counts[0] + 1 / counts[1])) ** 0.5
        return f"{(shares[1] - shares[0]) / error:+.1f}" if error else "0"

    return cell


def with_error(share: float, error: float | None) -> str:
    return f"{100 * share:.0f}{'' if error is None else f' ± {100 * error:.0f}'} %"


def mean(values: Sequence[float | None]) -> float | None:
    """Of those that are known."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def number(value: float | None, spec: str) -> str:
    return UNKNOWN if value is None else format(value, spec)


def percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{100 * share:.0f} %"
