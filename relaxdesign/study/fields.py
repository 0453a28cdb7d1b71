"""The fields of a request as interfaces read them: command line, app and request file know a setting from here.

A setting is written once, in the model, with what pydantic knows of it (type, default, bounds, description) and a `Ui`
for the rest::

    count: Annotated[int, Field(ge=1, le=64, description="Number of candidates."), Ui("Candidates", "sampling")] = 8

`describe` reads this. Nothing here, nor in what it reads, may load torch: the command line makes its options of it
whenever it starts.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Group = Literal["cell", "sampling", "materials", "search", "guidance", "finishing"]
Kind = Literal["switch", "whole", "number", "choice", "text", "texts"]

_KINDS: dict[Any, Kind] = {bool: "switch", int: "whole", float: "number", str: "text", tuple[str, ...]: "texts"}


@dataclass(frozen=True)
class Ui:
    """What interfaces show of a field, beyond its type, default, bounds and description.

    label: heading of its control in the app. A field without one has no control: the app keeps what an opened request
    says. group: the part of the form it stands in. unit: of a number.
    """

    label: str = ""
    group: Group = "search"
    unit: str = ""
    words: Mapping[Any, str] = field(default_factory=dict)
    """Shown in place of choices that do not speak for themselves."""
    registry: Callable[[], Mapping[str, str]] | None = None
    """Makes a text a choice: the names that it may be, with what each is. Called when they are shown."""
    segmented: bool = False
    """Draws the choices beside each other; else as a list that opens."""
    step: float | None = None
    """Of the buttons beside a number."""
    per_row: int = 1
    """How many controls share a row; neighbours of the same number are drawn together."""
    tooltip: bool = True
    """Whether the control explains itself with the description; False where the label says it all."""
    option: str | None = None
    """Names on the command line, e.g. ``--distinct/--same-pairs``; None: made of the field's name; empty: no option."""
    file: bool = False
    """Whether the text is the path of a file."""


@dataclass(frozen=True)
class Setting:
    """One field of a request, of the types that interfaces can show.

    path: names of the fields that lead to it, ``("guidance", "mean")``. bounds: smallest and largest number accepted,
    None without; a bound that is itself refused counts as accepted, except for whole numbers. optional: whether it may
    be None.
    """

    path: tuple[str, ...]
    kind: Kind
    default: Any
    description: str
    bounds: tuple[float | None, float | None]
    optional: bool
    values: tuple[Any, ...]
    ui: Ui

    @property
    def name(self) -> str:
        """The field's own name: unique in a request, so that it can be a widget's key and an option."""
        return self.path[-1]

    @property
    def choices(self) -> dict[Any, str]:
        """The values on offer with their words, in order; empty for a setting without choices."""
        return {value: self.ui.words.get(value, str(value)) for value in self.values or self._registered()}

    @property
    def help(self) -> str:
        """The description, with what the choices of a registry are."""
        about = "; ".join(f"{name}: {text}" for name, text in self._registered().items())
        return f"{self.description} {about}." if about else self.description

    def _registered(self) -> Mapping[str, str]:
        return self.ui.registry() if self.ui.registry else {}

    def of(self, request: BaseModel) -> Any:
        """The value of the setting in a request."""
        value: Any = request
        for name in self.path:
            value = getattr(value, name)
        return value

    def put(self, values: dict[str, Any], value: Any) -> None:
        """Writes the setting into the fields of a request, nested as `BaseModel.model_dump` nests them."""
        for name in self.path[:-1]:
            values = values.setdefault(name, {})
        values[self.name] = value


def describe(model: type[BaseModel]) -> tuple[Setting, ...]:
    """The settings of a request, in the order of its fields; those of a nested model in the place of that field.

    Fields of other types (objectives) are left out: interfaces have parts of their own for them. Raises ValueError if
    two settings have one name.
    """
    settings = tuple(_settings(model, ()))
    names = [setting.name for setting in settings]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"more than one setting is named {', '.join(twice)}: interfaces could not tell them apart")
    return settings


def _settings(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[Setting]:
    for name, info in model.model_fields.items():
        annotation, optional = _without_none(info.annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _settings(annotation, (*above, name))
        elif (kind := _kind(annotation, ui := _ui(info))) is not None:
            yield Setting(
                path=(*above, name),
                kind=kind,
                default=None if info.is_required() else info.get_default(call_default_factory=True),
                description=info.description or "",
                bounds=_bounds(info, whole=kind == "whole"),
                optional=optional,
                values=get_args(annotation) if get_origin(annotation) is Literal else (),
                ui=ui,
            )


def _ui(info: FieldInfo) -> Ui:
    return next((entry for entry in info.metadata if isinstance(entry, Ui)), Ui())


def _kind(annotation: Any, ui: Ui) -> Kind | None:
    """The kind of a setting; None for types that interfaces do not show by themselves."""
    if get_origin(annotation) is Literal or (annotation is str and ui.registry is not None):
        return "choice"
    return _KINDS.get(annotation)


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """The type of ``X | None``, and whether None is accepted."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation, False
    others = [part for part in get_args(annotation) if part is not type(None)]
    return (others[0] if len(others) == 1 else annotation), len(others) < len(get_args(annotation))


def _bounds(info: FieldInfo, *, whole: bool) -> tuple[float | None, float | None]:
    limits = {
        kind: value
        for entry in info.metadata
        for kind in ("ge", "gt", "le", "lt")
        if (value := getattr(entry, kind, None)) is not None
    }
    low, high = limits.get("ge"), limits.get("le")
    if low is None and "gt" in limits:
        low = limits["gt"] + whole
    if high is None and "lt" in limits:
        high = limits["lt"] - whole
    return low, high
