"""What the steps measured, as lines for the browser: the properties asked for, and every loss."""

from __future__ import annotations

from relaxdesign.request import DesignRequest
from relaxdesign.store import Curves
from relaxdesign.ui.colours import line_colours

# Losses reach round-off; below this they are drawn as this.
SMALLEST_LOSS = 1e-8
# Points of a line: more than pixels are of no use.
MOST_POINTS = 320


def describe(curves: Curves, request: DesignRequest) -> dict:
    """One panel per property with its target band, and one per loss, on a common axis of steps."""
    stride = -(-len(curves.step) // MOST_POINTS) or 1
    kept = slice((len(curves.step) - 1) % stride if curves.step else 0, None, stride)  # the newest is always in
    panels = [_panel("Bulk modulus K, GPa", "GPa", curves.bulk[kept], target=_band(request.target_bulk))]
    for name, rows in curves.losses.items():
        panels.append(_panel(f"Loss of {name.replace('_', ' ')}", "", rows[kept], floor=SMALLEST_LOSS))
    return {
        "key": len(curves.step),
        "steps": request.steps,
        "step": curves.step[kept],
        "panels": panels,
        "colours": line_colours(request.count),
    }


def _band(target: float | None) -> list[float] | None:
    """What counts as met: within one per cent."""
    return None if target is None else [0.99 * target, 1.01 * target]


def _panel(title: str, unit: str, rows: list, *, target: list | None = None, floor: float | None = None) -> dict:
    series = [[_short(value) for value in line] for line in zip(*rows, strict=True)]
    return {"title": title, "unit": unit, "series": series, "target": target, "floor": floor, "log": True}


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")
