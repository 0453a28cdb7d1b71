"""Designs and results as JSON text that any parser reads: no NaN, no infinities, no NumPy types."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from relaxdesign.study.result import Design, DesignResult


def design_json(design: Design, files: dict[str, str] | None = None) -> str:
    """One design with the bulk modulus of every stage. files: names of exported files by kind."""
    return to_json(numbered(design.to_dict(files)))


def result_json(result: DesignResult, files: dict[int, dict[str, str]] | None = None) -> str:
    """A whole result. files: per design index, names of exported files by kind."""
    return to_json(result_record(result, files))


def result_record(result: DesignResult, files: dict[int, dict[str, str]] | None = None) -> dict[str, Any]:
    """A whole result as `result_json` writes it."""
    values = result.to_dict(files)
    return values | {"designs": [numbered(design) for design in values["designs"]]}


def numbered(values: dict[str, Any]) -> dict[str, Any]:
    """A design's record with its number from 1, as pages and folders have it, in place of the index from 0."""
    return {"number": values["index"] + 1} | {name: value for name, value in values.items() if name != "index"}


def to_json(values: Any) -> str:
    """JSON text ending in a newline; NaN and infinities, which JSON lacks, become null."""
    return json.dumps(plain(values), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """A JSON-like value with Python types alone; NaN and infinities become None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
