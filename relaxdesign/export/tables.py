"""Designs as CSV for spreadsheets: one row per design, every number of its record; no cell is ever a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from relaxdesign.export.names import safe_cell
from relaxdesign.export.records import plain


def records_csv(records: Iterable[Mapping[str, Any]]) -> str:
    """CSV text (UTF-8 with a byte order mark, so that spreadsheets read ν and ² right) of JSON-like records.

    Nested names are joined by a dot: ``K.realised``, ``bounds.voigt``. A 6×6 matrix ``C`` becomes its 21 independent
    entries ``C11`` … ``C66``, another list its elements ``name.1``, …. Unknown values are empty. The ``geometry`` of a
    cell, with hundreds of centres, is left to JSON.
    """
    told = ({name: value for name, value in record.items() if name != "geometry"} for record in records)
    rows = [dict(_flat(plain(record))) for record in told]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([safe_cell(column) for column in columns])
    for row in rows:
        writer.writerow(["" if row.get(column) is None else safe_cell(row[column]) for column in columns])
    return "\ufeff" + buffer.getvalue()


def _flat(value: Any, name: str = "") -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and len(value) == 6 and all(isinstance(row, list) and len(row) == 6 for row in value):
        for i in range(6):
            for j in range(i, 6):
                yield f"{name}{i + 1}{j + 1}", value[i][j]
    elif isinstance(value, list):
        for number, item in enumerate(value, start=1):
            yield from _flat(item, f"{name}.{number}")
    else:
        yield name, value
