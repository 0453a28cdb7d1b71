"""What a campaign computes: a grid or a list of design requests, in a YAML file whose errors name line and field.

::

    name: stiffness map
    base:                      # what all requests share: any field of a design request
      dim: 2
      count: 4
      objectives: [minimise density]
    vary:                      # a grid: every combination
      K: {from: 5, to: 300, count: 20, scale: log}       # a quantity of the objectives, or …
      seed: [0, 1, 2]                                    # … a field of the request
      categories: [[metal, ceramic], [polymer, glass]]
    requests:                  # a list: each laid over the base
      - {objectives: ["K = 40", "G >= 20"], seed: 7}
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from relaxdesign.campaign.checking import unknown_names, with_ids
from relaxdesign.materials.catalogue import Catalogue, CatalogueError
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.earlier import FAMILIES_OF_VERSION_0_1
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.request import DesignRequest, quoted

MOST_REQUESTS = 100_000
MOST_FAULTS = 20

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Fault:
    """What is wrong with a spec. place: path of the field at fault, which the text names; (): all of it."""

    message: str
    place: Place = ()

    def __str__(self) -> str:
        return f"{name_of(self.place)}: {self.message}" if self.place else self.message


class SpecError(ValueError):
    """A spec that cannot be run, with everything that was found wrong; the text has a line for each."""

    def __init__(self, *faults: Fault | str):
        self.faults = tuple(Fault(fault) if isinstance(fault, str) else fault for fault in faults)
        super().__init__("\n".join(map(str, self.faults)))


class Span(BaseModel):
    """Values between two ends, both included; a logarithmic scale has equal ratios."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)

    start: float = Field(alias="from")
    stop: float = Field(alias="to")
    count: int = Field(ge=2, le=10_000)
    scale: Literal["linear", "log"] = "linear"

    @model_validator(mode="after")
    def _possible(self) -> Span:
        if self.scale == "log" and min(self.start, self.stop) <= 0:
            raise ValueError("a logarithmic scale needs ends above 0")
        return self

    def values(self) -> list[float]:
        """With six digits, so that they read well and hash alike everywhere."""
        shares = [number / (self.count - 1) for number in range(self.count)]
        if self.scale == "log":
            values = [self.start * (self.stop / self.start) ** share for share in shares]
        else:
            values = [self.start + (self.stop - self.start) * share for share in shares]
        return [float(f"{value:.6g}") for value in values]


Axis = Annotated[
    Annotated[list[Any], Field(min_length=1), Tag("list")] | Annotated[Span, Tag("span")],
    Discriminator(lambda value: "span" if isinstance(value, dict | Span) else "list"),
]


@dataclass(frozen=True)
class Planned:
    """One request of a campaign. hash: the same for the same request and materials, in every campaign."""

    hash: str
    request: DesignRequest


class CampaignSpec(BaseModel):
    """A campaign. Make it by ``CampaignSpec.parse`` or ``read_spec``, which explain what is wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    base: dict[str, Any] = Field(default={}, description="fields that all requests share")
    vary: dict[str, Axis] = Field(default={}, description="fields or quantities with their values: every combination")
    requests: list[dict[str, Any]] = Field(default=[], description="requests one by one, each laid over the base")
    materials: Path | None = Field(default=None, description="CSV of own materials instead of the shipped catalogue")
    keep_samples: bool = Field(
        default=False, description="keep the relaxed fields too: about 50 kB a design in 2D and 400 kB in 3D"
    )

    @staticmethod
    def parse(values: Any) -> CampaignSpec:
        """Checked, with all its requests. Raises SpecError with the places of the faults."""
        if not isinstance(values, Mapping):
            raise SpecError(f"a spec is a mapping with name, base, vary and requests, got {type(values).__name__}")
        try:
            spec = CampaignSpec.model_validate(values)
        except ValidationError as error:
            faults = (Fault(_message(problem), _without_tags(problem["loc"])) for problem in error.errors())
            raise SpecError(*faults) from None
        spec.plan()
        return spec

    def plan(self) -> list[Planned]:
        """All requests, each once. Raises SpecError with the places of what is refused."""
        combinations = math.prod(len(_values(axis)) for axis in self.vary.values()) if self.vary else 0
        if combinations + len(self.requests) > MOST_REQUESTS:
            text = f"{combinations + len(self.requests)} requests, at most {MOST_REQUESTS} in one campaign"
            raise SpecError(Fault(f"{text}: split it", ("vary",)))
        digest, materials = self._own_materials()
        planned: dict[str, Planned] = {}
        faults: dict[Fault, None] = {}  # many requests share one
        for values, places in self._combinations():
            try:
                request = _request(values, places, materials)
            except SpecError as error:
                faults |= dict.fromkeys(error.faults)
                if len(faults) >= MOST_FAULTS:
                    raise SpecError(*faults, "there may be more, which show when these are put right") from None
                continue
            key = request_hash(request, digest)
            planned.setdefault(key, Planned(key, request))
        if faults:
            raise SpecError(*faults)
        return list(planned.values())

    def to_dict(self) -> dict[str, Any]:
        """JSON form, which ``parse`` reads."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def warnings(self) -> tuple[str, ...]:
        """What should be known of the own materials of the campaign, e.g. of columns that are not used."""
        _, materials = self._own_materials()
        if materials is None and (own := self.base.get("materials_csv")) is not None:
            materials = Catalogue.from_text(own)
        return () if materials is None else materials.warnings

    def _combinations(self) -> Iterator[tuple[dict[str, Any], dict[str, Place]]]:
        """The fields of every request and the places in the spec that they come from."""
        base: dict[str, Place] = {name: ("base", name) for name in self.base}
        names = list(self.vary)
        if names or not self.requests:
            choices = [list(enumerate(_values(self.vary[name]))) for name in names]
            for chosen in itertools.product(*choices):
                values, places = dict(self.base), dict(base)
                for name, (number, value) in zip(names, chosen, strict=True):
                    _set(values, name, value)
                    place: Place = ("vary", name)
                    places[name] = place if isinstance(self.vary[name], Span) else (*place, number)
                yield values, places
        for number, own in enumerate(self.requests):
            yield {**self.base, **own}, {**base, **{name: ("requests", number, name) for name in own}}

    def _own_materials(self) -> tuple[str, Catalogue | None]:
        """Digest and contents of the file of materials; "" and None without one."""
        if self.materials is None:
            return "", None
        try:
            content = self.materials.read_bytes()
            return hashlib.sha256(content).hexdigest(), Catalogue.from_csv(content)
        except OSError as error:
            problem = error.strerror or str(error)
        except CatalogueError as error:
            problem = "; ".join(error.problems[:3])
        raise SpecError(Fault(f"{self.materials}: {problem}", ("materials",)))


def request_hash(request: DesignRequest, materials: str = "") -> str:
    """Names a request by what it asks for: fields at their defaults do not count, so new ones change nothing.

    materials: digest of the materials on offer, "" for the shipped catalogue.
    """
    asked = request.model_dump(mode="json", exclude_defaults=True)
    if "family" in asked:  # under the name it had in version 0.1, whose folders go on
        family = asked.pop("family")
        asked["projection"] = {new: old for old, new in FAMILIES_OF_VERSION_0_1.items()}.get(family, family)
    asked.pop("makeable", None)
    if request.makeable != "any" and not request.phases:  # earlier versions took any pair, and given phases are given
        asked["makeable"] = request.makeable
    text = json.dumps([asked, materials], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def name_of(place: Place) -> str:
    """``vary.seed[2]``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".")


def _values(axis: list[Any] | Span) -> list[Any]:
    return axis.values() if isinstance(axis, Span) else axis


def _set(values: dict[str, Any], name: str, value: Any) -> None:
    """Sets a field, a nested one (``guidance.sampler``), or a quantity's target in place of one in the base."""
    if name == "target_bulk":
        name = "K"
    if name in QUANTITIES:
        if name == "K":
            values.pop("target_bulk", None)
        others = [objective for objective in _objectives(values) if not _is_target_of(name, objective)]
        values["objectives"] = [*others, {"quantity": name, "low": value, "high": value}]
    elif "." in name:
        outer, inner = name.split(".", 1)
        values[outer] = dict(values.get(outer) or {})
        _set(values[outer], inner, value)
    else:
        values[name] = value


def _request(values: dict[str, Any], places: dict[str, Place], materials: Catalogue | None) -> DesignRequest:
    """A request and all its names, checked. Raises SpecError."""
    try:
        if "objectives" in values:
            values = values | {"objectives": _objectives(values)}
        request = DesignRequest.model_validate(values)
    except ValidationError as error:
        faults = [Fault(_message(problem), _origin(problem["loc"], places)) for problem in error.errors()]
    except ValueError as error:  # an objective that cannot be read
        faults = [Fault(str(error), _origin(("objectives",), places))]
    else:
        faults = [Fault(text, _origin(location, places)) for location, text in unknown_names(request, materials)]
        if not faults:
            return with_ids(request, materials)
    raise SpecError(*faults)


def _objectives(values: dict[str, Any]) -> list[Any]:
    """Objectives in words become what the request reads."""
    given = values.get("objectives") or []
    if not isinstance(given, list | tuple):
        raise ValueError(f"give a list of objectives, e.g. [K = 50, minimise density], got {given!r}")
    return [parse_objective(item).model_dump() if isinstance(item, str) else item for item in given]


def _is_target_of(name: str, objective: Any) -> bool:
    reach = isinstance(objective, dict) and objective.get("sense", "reach") == "reach"
    return reach and objective.get("quantity") == name


def _origin(location: tuple[int | str, ...], places: dict[str, Place]) -> Place:
    """Where in the spec the field of a request was set."""
    for length in range(len(location), 0, -1):  # guidance.sampler before guidance
        name = ".".join(str(part) for part in location[:length])
        if name in places:
            return places[name] + tuple(location[length:])
    if location[:1] in ((), ("objectives",)):
        # Short forms become objectives before they are checked.
        for name, place in reversed(places.items()):
            if name in QUANTITIES or name in ("target_bulk", "density_weight", "objectives"):
                return place
    return ("base", *location)


def _message(problem: Any) -> str:
    text = problem["msg"].removeprefix("Value error, ")
    given = "" if isinstance(problem["input"], dict | BaseModel) else f", got {quoted(problem['input'])}"
    return f"{text[:1].lower()}{text[1:]}{given}"


def _without_tags(location: tuple[int | str, ...]) -> Place:
    """Without the names of the forms that an axis can have."""
    return location[:2] + location[3:] if location[:1] == ("vary",) else location
