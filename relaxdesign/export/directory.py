"""A result as a folder: ``result.json`` and one folder per design with its VTI, STL and JSON."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from relaxdesign.export.cell import design_name, inclusion_phase
from relaxdesign.export.records import design_json, result_json
from relaxdesign.export.stl import stl_bytes
from relaxdesign.export.vti import vti_bytes
from relaxdesign.files import write_whole
from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import Inclusions
from relaxdesign.study.result import Design, DesignResult

RESULT_NAME = "result.json"
_DESIGN_FILES = {"vti": "design.vti", "stl": "design.stl", "json": "design.json"}
_SECOND = {"stl_2": "design-2.stl"}
"""Of shapes of three phases: the last one, beside the second in ``stl``."""
_NAMES = "|".join(re.escape(name) for name in (*_DESIGN_FILES.values(), *_SECOND.values()))
_OURS = re.compile(rf"{_NAMES}|\.({_NAMES})(\.\w+)?\.partial")
"""Files of a design, whole or left half written by a process that was killed."""


def write_design(
    design: Design, directory: str | Path, cell_size_mm: float = 1.0, thickness_mm: float | None = None
) -> dict[str, str]:
    """Writes one design into its own folder; returns its files by kind, relative to ``directory``.

    A design that was not realised gets its JSON only.
    """
    folder = Path(directory) / design_name(design)
    two = len(design.materials) > 2 and not isinstance(FAMILIES[design.family], Inclusions)
    kinds = _DESIGN_FILES | (_SECOND if two else {})
    names = {kind: f"{folder.name}/{name}" for kind, name in kinds.items() if design.ok or kind == "json"}
    contents = {"json": design_json(design, names).encode()}
    if design.ok:
        contents["vti"] = vti_bytes(design, cell_size_mm)
        contents["stl"] = stl_bytes(design, cell_size_mm, thickness_mm, inclusion_phase(design))
        if two:
            contents["stl_2"] = stl_bytes(design, cell_size_mm, thickness_mm, 2)
    folder.mkdir(parents=True, exist_ok=True)
    for kind in names:
        write_whole(folder / kinds[kind], contents[kind])
    return names


def write_result(
    result: DesignResult,
    directory: str | Path,
    cell_size_mm: float = 1.0,
    thickness_mm: float | None = None,
    written: dict[int, dict[str, str]] | None = None,
) -> dict[int, dict[str, str]]:
    """Writes all designs and ``result.json``; returns the files per design index, relative to ``directory``.

    written: designs that ``write_design`` already wrote there, with what it returned. ``result.json`` comes
    last, so where it lies everything it names lies too.
    """
    files = dict(written or {})
    for design in result.designs:
        if design.index not in files:
            files[design.index] = write_design(design, directory, cell_size_mm, thickness_mm)
    Path(directory).mkdir(parents=True, exist_ok=True)
    write_whole(Path(directory) / RESULT_NAME, result_json(result, files).encode())
    return files


def clear_directory(directory: str | Path) -> None:
    """Makes the folder and takes an earlier result out of it; files of other origin stay."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for file in (directory / RESULT_NAME, *directory.glob(f".{RESULT_NAME}.*partial")):
        file.unlink(missing_ok=True)
    for folder in directory.glob("design-[0-9][0-9]*"):
        if folder.is_dir() and all(_OURS.fullmatch(file.name) for file in folder.iterdir()):
            shutil.rmtree(folder)
