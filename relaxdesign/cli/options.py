"""Options that several commands share, and options in groups: a command takes a group as one argument.

A group is a dataclass whose fields are annotated as parameters of a command are; `grouped` makes options of these.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_origin, get_type_hints

import typer

from relaxdesign.cli.console import warn
from relaxdesign.cli.library import open_library

if TYPE_CHECKING:
    from relaxdesign.materials.catalogue import Catalogue

Dimension = Annotated[int, typer.Option(min=2, max=3, help="2 or 3; chooses the shipped prior.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]
Steps = Annotated[int, typer.Option(min=1, help="Denoising steps.")]
SamplerName = Annotated[
    Literal["ddpm", "ddim", "dpm++"], typer.Option(help="ddim and dpm++ add no noise: for 10 to 25 steps.")
]
PriorName = Annotated[str | None, typer.Option(help="Name of a shipped prior or path of a .safetensors file.")]
OwnMaterials = Annotated[
    str | None,
    typer.Option(
        "--materials",
        metavar="CSV|NAME",
        help="Own materials instead of the shipped catalogue: a file, or the name of a catalogue kept in the library.",
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="A running Dask scheduler, as tcp://head:8786, in place of local processes."),
]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, or its beginning; see: relaxdesign runs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def read_catalogue(given: str | None) -> Catalogue:
    """Own materials, with their warnings on standard error; None: the shipped ones. Raises as `materials_text`."""
    from relaxdesign.materials.catalogue import Catalogue

    if given is None:
        return Catalogue.default()
    catalogue = Catalogue.from_text(*materials_text(given))
    warn(Path(given).name, catalogue.warnings)
    return catalogue


def materials_text(given: str) -> tuple[str, tuple[str, ...]]:
    """The text of own materials, and warnings: of a file or, if there is none, of a catalogue of the library.

    Raises ValueError for what cannot be used, and for an unknown name, with those that there are.
    """
    from relaxdesign.materials import decode_table

    path = Path(given)
    if path.exists() or path.name != given or path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return decode_table(path.read_bytes())
    with open_library() as store:
        from relaxdesign.library import Catalogues

        catalogues = Catalogues(store)
        records = catalogues.list()
        wanted = " ".join(given.split()).casefold()
        found = [record for record in records if record.name.casefold() == wanted]
        if len(found) == 1:
            return catalogues.read(found[0].id), ()
    if found:
        owners = ", ".join(record.author or "nobody" for record in found)
        raise ValueError(f"--materials {given}: several catalogues have this name, of {owners}; export one as CSV")
    known = ", ".join(repr(record.name) for record in records) or "none"
    raise ValueError(
        f"--materials {given}: no such file, and no catalogue of the library has this name; its catalogues are: {known}"
    )


def grouped(function: Callable[..., None]) -> Callable[..., None]:
    """A command with one option per field in place of each parameter that is a dataclass. Decorates commands."""
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        if is_dataclass(group := parameter.annotation) and isinstance(group, type):
            hints = get_type_hints(group, include_extras=True)
            own = [field for field in fields(group) if get_origin(hints[field.name]) is Annotated]
            options = [option(field.name, hints[field.name], field.default) for field in own]
            function = spread(function, parameter.name, options, functools.partial(_made, group))
    return function


def option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    """A parameter of a command."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def spread(
    function: Callable[..., None],
    name: str,
    options: Sequence[inspect.Parameter],
    gather: Callable[[dict[str, Any]], Any],
) -> Callable[..., None]:
    """The command with these options in place of its parameter ``name``.

    gather: makes the argument of the options' values, by their names.
    """
    signature = inspect.signature(function, eval_str=True)

    @functools.wraps(function)
    def command(**values: Any) -> None:
        argument = gather({given.name: values.pop(given.name) for given in options})
        function(**values, **{name: argument})

    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        kept = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        parameters += options if parameter.name == name else [kept]
    # What typer reads: a command's signature and annotations.
    vars(command)["__signature__"] = signature.replace(parameters=parameters)
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _made(group: type, values: dict[str, Any]) -> Any:
    return group(**{name: None if value == [] else value for name, value in values.items()})


def shown(*names: str) -> str:
    """``--matrix and --particle``."""
    return " and ".join(f"--{name.replace('_', '-')}" for name in names)
