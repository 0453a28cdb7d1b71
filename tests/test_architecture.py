"""The house: lower floors know nothing of upper ones, no module needs itself to be imported, none is too long."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "relaxdesign"
FLOORS = (
    {"data"},
    {"materials"},
    {"physics"},
    {"microstructure"},
    {"prior"},
    {"io"},
    {"study"},
    {"scene"},
    {"export"},
    {"library"},
    {"server", "campaign"},
    {"validation"},
    {"cli", "ui"},
)
"""From the ground up. Rooms of one floor do not know each other."""
LONGEST_MODULE, LONGEST_FUNCTION = 400, 60
"""Lines."""


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports() -> dict[str, set[str]]:
    """For every module the modules of the package that it names, in functions and for types too."""
    files = {module_name(path): path for path in PACKAGE.rglob("*.py")}
    found: dict[str, set[str]] = {}
    for name, path in files.items():
        needed: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                needed |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                inner = {f"{node.module}.{alias.name}" for alias in node.names} & files.keys()
                needed |= inner or {node.module}
        found[name] = {module for module in needed if module in files} - {name}
    return found


def room(module: str) -> str:
    return [*module.split("."), ""][1]


def test_modules_and_functions_can_be_taken_in():
    trees = {path: ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")}
    modules = {f"{path}": len(path.read_text().splitlines()) for path in trees}
    functions = {
        f"{path}: {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not {name: lines for name, lines in modules.items() if lines > LONGEST_MODULE}
    assert not {name: lines for name, lines in functions.items() if lines > LONGEST_FUNCTION}


def test_every_room_has_its_floor():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms == set().union(*FLOORS)


def test_no_arrow_goes_up():
    floor = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}
    up = [
        f"{module} -> {needed}"
        for module, others in imports().items()
        for needed in others
        if room(module) in floor and room(needed) in floor and room(module) != room(needed)
        if floor[room(needed)] >= floor[room(module)]
    ]
    assert not up, "\n".join(sorted(up))


def test_no_module_needs_itself():
    try:
        TopologicalSorter(imports()).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None
