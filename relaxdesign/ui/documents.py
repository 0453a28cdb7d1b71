"""The generated reports in ``docs/``, as pages show them."""

from __future__ import annotations

import pandas as pd

from relaxdesign.data import data_file

DOCS = data_file("docs")


def document(name: str) -> str:
    """Text of a report; empty if it is not installed."""
    path = DOCS / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


def summary_table(text: str) -> pd.DataFrame | None:
    """The first table of a Markdown report; None without one."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows: list[list[str]] = []
    for line in lines:
        cells = [cell.strip().replace("**", "") for cell in line.strip("|").split("|")]
        if rows and len(cells) != len(rows[0]):
            break
        if not set("".join(cells)) <= set("-: "):
            rows.append(cells)
    return pd.DataFrame(rows[1:], columns=rows[0]) if rows else None
