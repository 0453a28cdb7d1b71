"""Campaign specs from YAML files: no code runs, and every error names the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from relaxdesign.campaign.spec import CampaignSpec, Fault, Place, SpecError
from relaxdesign.files import write_whole

LARGEST_BYTES = 2**20
DEEPEST = 12
"""Fields in fields that a spec may have; its own are four deep."""


def read_spec(path: str | Path) -> CampaignSpec:
    """Raises SpecError, with a line for each fault.

    ``map.yaml, line 7: vary.seed[2]: input should be greater than or equal to 0, got -5``
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise SpecError(f"{path.name}: larger than {LARGEST_BYTES // 2**20} MB; a spec is a short text")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise SpecError(f"{path.name}: not a text in UTF-8") from None
    return parse_spec(text, path.name, path.parent)


def parse_spec(text: str, name: str = "spec", folder: Path | None = None) -> CampaignSpec:
    """A spec from YAML text. name: of its source, for errors. folder: relative paths start here; None: no file is read.

    Raises SpecError.
    """
    try:
        _check_events(text, name)
        root = yaml.compose(text, yaml.SafeLoader)
        lines = {} if root is None else _lines(root)
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f", line {error.problem_mark.line + 1}"
        raise SpecError(f"{name}{line}: {error.problem or 'not YAML'}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise SpecError(f"{name}: not YAML ({type(error).__name__})") from None
    except _Repeated as error:
        raise SpecError(f"{name}, line {error.line}: {error.key} is given twice") from None
    try:
        if isinstance(values, dict) and isinstance(values.get("materials"), str):
            if folder is None:
                raise SpecError(Fault("files are read by the command line only", ("materials",)))
            values["materials"] = str(folder / values["materials"])
        return CampaignSpec.parse(values)
    except SpecError as error:
        raise SpecError(*_told(error, name, lines)) from None


def _check_events(text: str, name: str) -> None:
    """Raises SpecError for what takes long to build, before anything is built.

    Some lines of anchors can stand for gigabytes, and the time that nested brackets take grows as their square.
    """
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise SpecError(f"{name}: aliases (*name) are not read; write the values out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise SpecError(f"{name}, line {event.start_mark.line + 1}: more than {DEEPEST} fields in one another")


def write_spec(spec: CampaignSpec, path: Path) -> None:
    """YAML that ``read_spec`` reads."""
    values: dict[str, Any] = spec.to_dict()
    if spec.materials is not None:
        values["materials"] = str(spec.materials.resolve())
    write_whole(path, yaml.safe_dump(values, sort_keys=False, allow_unicode=True).encode())


class _Repeated(Exception):
    def __init__(self, key: str, line: int):
        self.key, self.line = key, line


def _lines(node: yaml.Node, place: Place = ()) -> dict[Place, int]:
    """The line of every field, counted from 1."""
    lines = {place: node.start_mark.line + 1}
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                raise _Repeated(str(key.value), key.start_mark.line + 1)
            seen.add(key.value)
            lines |= _lines(value, (*place, str(key.value))) | {(*place, str(key.value)): key.start_mark.line + 1}
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            lines |= _lines(value, (*place, number))
    return lines


def _told(error: SpecError, name: str, lines: dict[Place, int]) -> list[str]:
    """All that is wrong, with its lines and in their order; what has none comes last."""
    last = max(lines.values(), default=0) + 1
    found = sorted((_line(lines, fault.place) or last, str(fault)) for fault in error.faults)
    return [f"{name}: {text}" if line == last else f"{name}, line {line}: {text}" for line, text in found]


def _line(lines: dict[Place, int], place: Place) -> int | None:
    """The line of a field, or of the nearest one around it; None of the whole."""
    return next((lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in lines), None)
