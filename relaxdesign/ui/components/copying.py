"""Buttons that put a text, or the address of the page, into the clipboard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from streamlit.components.v2 import component

_FRONTEND = Path(__file__).parent / "frontend"
_component = component(
    "relaxdesign_copy",
    html='<div class="copy"><span class="said" role="status"></span></div>',
    css=(_FRONTEND / "copying.css").read_text(),
    js=(_FRONTEND / "copying.js").read_text(),
)
LINK = None
"""In place of a text: the address of the page that is shown."""


def buttons(texts: Mapping[str, str | None], key: str) -> None:
    """One button for each text, by its label."""
    _component(data={"texts": [[label, text] for label, text in texts.items()]}, key=f"copy-{key}")


def of_matrix(C: NDArray, name: str = "C") -> dict[str, str]:
    """A matrix as it is pasted into a table, into Python, and into a file."""
    rows = [[f"{value:.6g}" for value in row] for row in np.where(abs(C) < 1e-9 * abs(C).max(), 0.0, C)]
    lines = ",\n    ".join(f"[{', '.join(row)}]" for row in rows)
    return {
        "Matrix": "\n".join("\t".join(row) for row in rows),
        "Python": f"{name} = np.array([\n    {lines},\n])",
        "CSV": "\n".join(",".join(row) for row in rows),
    }
