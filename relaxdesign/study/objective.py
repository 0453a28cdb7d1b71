"""An objective: the interval that an effective quantity shall reach, or that it shall be small or large."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Sense = Literal["reach", "minimise", "maximise"]

_COMMON = ("K", "G", "E", "nu", "density", "conductivity", "cte", "price")


class Objective(BaseModel):
    """An effective quantity shall lie between ``low`` and ``high``, or be small or large.

    quantity: a name of `relaxdesign.physics.quantities.QUANTITIES`. low == high: a value; low alone: at least; high
    alone: at most. weight: relative to those of the other objectives, for requests that cannot meet all. scale: misses
    count relative to this amount of the quantity, in its unit, as those of the entries of a wanted stiffness do to its
    norm; None: as the quantity's own do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantity: str
    sense: Sense = "reach"
    low: float | None = None
    high: float | None = None
    weight: float = Field(default=1.0, ge=1e-6, le=10, allow_inf_nan=False)
    scale: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _possible(self) -> Objective:
        from relaxdesign.physics.quantities import QUANTITIES, check_value

        if self.quantity not in QUANTITIES:
            near = get_close_matches(self.quantity, QUANTITIES, n=3, cutoff=0.5)
            known = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(_COMMON)} and others"
            raise ValueError(f"unknown quantity {self.quantity!r}; {known}")
        limits = [limit for limit in (self.low, self.high) if limit is not None]
        if self.sense != "reach":
            if limits:
                raise ValueError(f"{self.sense} {self.quantity} takes no limits: give a second objective for them")
            return self
        if not limits:
            raise ValueError(f"say which {QUANTITIES[self.quantity].label} is wanted: a value, at least or at most")
        for problem in (check_value(self.quantity, limit) for limit in limits):
            if problem:
                raise ValueError(problem)
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"{self.quantity} cannot lie between {self.low:g} and {self.high:g}: swap them")
        return self

    @property
    def value(self) -> float | None:
        """The one value wanted, if it is one."""
        return self.low if self.low == self.high else None

    @property
    def sign(self) -> int:
        """Direction in which the quantity gets worse: -1 if it is to be large, else 1."""
        return -1 if self.sense == "maximise" else 1

    def nearest(self, value: float) -> float:
        """The wanted value nearest to a given one (the value itself inside the interval)."""
        if self.low is not None and value < self.low:
            return self.low
        return self.high if self.high is not None and value > self.high else value

    def coordinate(self, value: Any) -> Any:
        """The coordinate of a value (float, array or tensor) in which misses count: value / scale, if it has one."""
        from relaxdesign.physics.quantities import QUANTITIES

        return QUANTITIES[self.quantity].coordinate(value) if self.scale is None else value / self.scale

    def gap(self, coordinate: Any) -> Any:
        """Signed distance of coordinates (array or tensor) of the quantity from the interval's, 0 inside."""
        low, high = (None if limit is None else float(self.coordinate(limit)) for limit in (self.low, self.high))
        return coordinate - coordinate.clip(low, high)

    def miss(self, value: float) -> float:
        """Signed distance from the interval (relative for positive quantities), 0 inside and for senses without one."""
        from relaxdesign.physics.quantities import QUANTITIES

        if self.sense != "reach":
            return 0.0
        if self.scale is not None:
            return (value - self.nearest(value)) / self.scale
        return QUANTITIES[self.quantity].miss(value, self.nearest(value))

    def __str__(self) -> str:
        from relaxdesign.physics.quantities import format_value

        name = self.quantity
        if self.sense != "reach":
            return f"{self.sense} {name}"
        if self.value is not None:
            return f"{name} = {format_value(name, self.value)}"
        if self.low is not None and self.high is not None:
            return f"{self.low:.4g} ≤ {name} ≤ {format_value(name, self.high)}"
        limit = self.low if self.high is None else self.high
        return f"{name} {'≤' if self.low is None else '≥'} {format_value(name, float(limit or 0.0))}"


def targets_of(objectives: Iterable[Objective]) -> tuple[Objective, ...]:
    """The objectives with an interval to reach."""
    return tuple(objective for objective in objectives if objective.sense == "reach")


def extremes_of(objectives: Iterable[Objective]) -> tuple[Objective, ...]:
    """The objectives of quantities that are to be small or large."""
    return tuple(objective for objective in objectives if objective.sense != "reach")


_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
_NAME = r"([A-Za-z][\w/]*)"
_FORMS = {
    "range": re.compile(rf"{_NUMBER}\s*(?:<=?|≤)\s*{_NAME}\s*(?:<=?|≤)\s*{_NUMBER}"),
    "limit": re.compile(rf"{_NAME}\s*(==?|<=?|>=?|≤|≥)\s*{_NUMBER}"),
    "sense": re.compile(rf"(minimi[sz]e|maximi[sz]e)\s+{_NAME}"),
}


def parse_objective(text: str) -> Objective:
    """An objective in words: ``"K = 50"``, ``"density <= 3"``, ``"10 <= G <= 20"``, ``"minimise density @ 2"``.

    The number after @ is its weight. Raises ValueError with the accepted forms.
    """
    body, _, weight = (part.strip() for part in text.partition("@"))
    try:
        values: dict[str, Any] = {"weight": float(weight)} if weight else {}
    except ValueError:
        raise ValueError(f"{text!r}: the weight after @ must be a number, got {weight!r}") from None
    if found := _FORMS["range"].fullmatch(body):
        low, name, high = found.groups()
        values |= {"quantity": name, "low": float(low), "high": float(high)}
    elif found := _FORMS["sense"].fullmatch(body):
        sense, name = found.groups()
        values |= {"quantity": name, "sense": sense.replace("z", "s")}
    elif found := _FORMS["limit"].fullmatch(body):
        name, relation, limit = found.groups()
        values["quantity"] = name
        if relation[0] in "=>≥":
            values["low"] = float(limit)
        if relation[0] in "=<≤":
            values["high"] = float(limit)
    else:
        raise ValueError(
            f"cannot read the objective {text!r}; write e.g. 'K = 50', 'density <= 3', '10 <= G <= 20', "
            "'minimise density' or, with a weight, 'G = 20 @ 2'"
        )
    return Objective.model_validate(values)
