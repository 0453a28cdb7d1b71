"""What families of microstructures add to a command: materials of phases, numbers of the cells they draw."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from relaxdesign.cli.cell_options import CellOptions
from relaxdesign.cli.options import option, shown, spread

if TYPE_CHECKING:
    from relaxdesign.microstructure.base import Inclusions

SIZE = 0.25
"""Of inclusions where none is given, in cell edges, or the supported one that is nearest."""


def family_options(command: Callable[..., None]) -> Callable[..., None]:
    """Takes the parameter ``described`` off a command, for a `FamilyCommand`. Decorates commands.

    The command receives the values of its options by their names, None where they were not given.
    """
    return spread(command, "described", [], dict)


class FamilyCommand(TyperCommand):
    """A command with the options of all families; they are made when it is used, as families load torch."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parses the arguments, or shows the help, with these options."""
        assert self.callback is not None
        command = inspect.unwrap(self.callback, stop=lambda of: "described" in inspect.signature(of).parameters)
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command(self.name)(spread(command, "described", _options(), dict))
        return typer.main.get_command(app).make_context(info_name, args, parent, **extra)


@dataclass(frozen=True)
class Names:
    """Names of the options of a family: of the materials of its phases, of its volume fraction and of its size.

    amount: of how much there is of a third phase; empty for families of two.
    """

    materials: tuple[str, ...]
    fraction: str
    size: str
    amount: str = ""

    @staticmethod
    def of(family: Inclusions) -> Names:
        """Those of a family; a size that is called as an option of all cells has the name of the family before it."""
        from relaxdesign.microstructure.base import GivenThird, singular

        size = family.size.name
        taken = {field.name for field in fields(CellOptions)}
        return Names(
            tuple(map(singular, family.phases)),
            "fraction",
            f"{family.name}_{size}" if size in taken else size,
            family.amount.name if isinstance(family, GivenThird) else "",
        )

    @property
    def all(self) -> tuple[str, ...]:
        """Those of the materials first."""
        return (*self.materials, self.fraction, self.size, *filter(None, [self.amount]))


def names_of_families() -> dict[str, Names]:
    """The options of every family that can draw cells."""
    from relaxdesign.microstructure import drawable

    return {name: Names.of(family) for name, family in drawable().items()}


def family_of(given: Mapping[str, Any]) -> Inclusions:
    """The family that was asked for, or else the first that has all options that were given.

    Raises ValueError if there is none, or if it lacks some of the options.
    """
    from relaxdesign.microstructure import drawable

    known, wanted = names_of_families(), given.get("family")
    if wanted is not None and wanted not in known:
        raise ValueError(f"--family: {wanted!r} cannot be drawn; there are {', '.join(known)}")
    asked = [name for name in dict.fromkeys(name for of in known.values() for name in of.all) if name in given]
    for family, names in known.items():
        if set(asked) <= set(names.all) and wanted in (None, family):
            return drawable()[family]
    who = "no family of microstructures has" if wanted is None else f"{wanted} do not have"
    raise ValueError(f"{shown(*asked)}: {who} all of them")


def _options() -> list[inspect.Parameter]:
    """Of all families, each name once, those of the materials first."""
    from relaxdesign.microstructure import drawable
    from relaxdesign.microstructure.base import GivenThird, inclusions_of

    materials: dict[str, inspect.Parameter] = {}
    numbers: dict[str, inspect.Parameter] = {}
    text = "Id, name or words of it, for .stl, labels 0 and 1, or a drawn cell."
    for family in drawable().values():
        names, phase, size = Names.of(family), inclusions_of(family), family.size
        for name, of in zip(names.materials, family.phases, strict=True):
            told = text if of == family.phases[0] else f"The same of the {of}."
            kind = Annotated[str | None, typer.Option(metavar="MATERIAL", help=told)]
            materials.setdefault(name, option(name, kind, None))
        told_of = {
            names.fraction: f"Drawn: {family.share.label} of the {phase}.",
            names.size: f"Drawn: {size.label} of the {phase} in {size.unit or 'cell edges'}. "
            f"Default: {size.clip(SIZE):g}.",
        }
        if isinstance(family, GivenThird):
            amount = family.amount
            told_of[names.amount] = f"Drawn: {amount.label}, {amount.unit}. Default: {family.usual:g}."
        for name, told in told_of.items():
            numbers.setdefault(name, option(name, Annotated[float | None, typer.Option(help=told)], None))
    return [*materials.values(), *numbers.values()]
