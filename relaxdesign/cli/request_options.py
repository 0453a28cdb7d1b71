"""The settings of a request as options of a command, made of the fields of the request."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from typer.core import TyperCommand, TyperOption

from relaxdesign.cli.options import option, spread
from relaxdesign.study.fields import Kind, Setting, describe
from relaxdesign.study.request import DesignRequest

_TYPES: dict[Kind, type] = {"switch": bool, "whole": int, "number": float, "text": str}


def request_options(model: type[BaseModel]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator of commands: their parameter ``settings`` becomes one option per setting of the request ``model``.

    The command receives a dictionary of the fields that were given, nested as the model nests them, for
    ``model.model_validate``. Values are checked there, not here, so that all that is wrong is told at once.
    """
    settings = [setting for setting in describe(model) if _is_option(setting)]
    options = [_option(setting) for setting in settings]
    return lambda command: spread(command, "settings", options, functools.partial(_fields, settings))


class RequestCommand(TyperCommand):
    """A command with `request_options` of a ``model``. Its help names the choices that the descriptions do not.

    They are looked up when help is asked for: to know those of a registry may take long.
    """

    model: type[BaseModel] = DesignRequest

    def invoke(self, ctx: Any) -> Any:
        """Runs the command. A setting that was not given is None: its default may come from elsewhere."""
        for setting in filter(_is_option, describe(self.model)):
            if setting.kind != "texts" and ctx.get_parameter_source(setting.name).name == "DEFAULT":
                ctx.params[setting.name] = None
        return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the help page."""
        settings = {setting.name: setting for setting in describe(self.model)}
        for parameter in self.params:
            if isinstance(parameter, TyperOption) and (setting := settings.get(parameter.name or "")):
                parameter.help = _with_choices(_text(setting, setting.help), setting)
        super().format_help(ctx, formatter)


def _is_option(setting: Setting) -> bool:
    """Fields of the request are options; those of a model inside it only if they have the name of one."""
    if setting.ui.option is None:
        return len(setting.path) == 1
    return bool(setting.ui.option)


def _option(setting: Setting) -> inspect.Parameter:
    names = [setting.ui.option] if setting.ui.option else []
    text = _text(setting, setting.description)
    if setting.kind == "texts":
        return option(setting.name, Annotated[list[str] | None, typer.Option(*names, help=text)], None)
    values, default = _type(setting), setting.default
    if len(setting.path) > 1:
        default = None  # not given: the default is of the model that the setting belongs to
    if setting.ui.file:
        annotation: Any = Annotated[values | None, typer.Option(*names, metavar="FILE", help=text)]
    else:
        annotation = Annotated[values | None if default is None else values, typer.Option(*names, help=text)]
    return option(setting.name, annotation, default)


def _text(setting: Setting, explained: str) -> str:
    unit, many = setting.ui.unit, setting.kind == "texts"
    return explained + (f" Unit: {unit}." if unit else "") + (" Repeatable." if many else "")


def _type(setting: Setting) -> Any:
    if setting.kind == "choice":
        return type(setting.values[0]) if setting.values else str
    return Path if setting.ui.file else _TYPES[setting.kind]


def _fields(settings: Sequence[Setting], given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a request from the values of the options that were given; the others are left to the model."""
    found: dict[str, Any] = {}
    for setting in settings:
        value = given[setting.name]
        if isinstance(value, Path):
            value = str(value.absolute())  # for whoever resumes the run elsewhere
        if value is not None and value != []:
            setting.put(found, tuple(value) if isinstance(value, list) else value)
    return found


def _with_choices(text: str, setting: Setting) -> str:
    names = [str(value) for value in setting.choices]
    return text if all(name in text for name in names) else f"{text} One of {', '.join(names)}."
