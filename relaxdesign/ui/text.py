"""Numbers and names as they are written on the pages."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from relaxdesign.materials.writing import COLUMNS
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.physics.voxel_fields import TRACE
from relaxdesign.study.methods import METHODS
from relaxdesign.study.objective import Objective
from relaxdesign.study.request import DesignRequest

STATES = {
    "queued": ("Waiting", "gray", ":material/hourglass_empty:"),
    "running": ("Running", "blue", ":material/play_circle:"),
    "paused": ("Paused", "violet", ":material/pause_circle:"),
    "finished": ("Finished", "green", ":material/check_circle:"),
    "cancelled": ("Stopped", "gray", ":material/stop_circle:"),
    "failed": ("Failed", "red", ":material/error:"),
    "interrupted": ("Interrupted", "orange", ":material/power_off:"),
}

NOTE_2D = (
    "2D means a cell one voxel thick, periodic in all three directions and solved with 3D elasticity, "
    "so K is the same quantity as in 3D."
)


def what_is_shown(method: str, *, shapes: bool = False) -> str:
    """What the fields and curves of a run's steps are, which are not yet designs. shapes: of given phases."""
    if shapes and METHODS[method].discrete:
        return "Random shapes that are tried on the way. The verified designs say what is met."
    if shapes:
        return "Forming shape: how likely every voxel is of either phase. The verified designs say what is met."
    if METHODS[method].discrete:
        return "Cells that are tried on the way, each with one random placement. The verified designs say what is met."
    return "Relaxed field: any material in every voxel. Real materials may not follow; the designs say what is met."


def significant(value: float, digits: int = 4) -> str:
    """118.7, 0.004213, 1052: no exponents."""
    text = f"{value:.{digits}g}"
    text = f"{float(text):.6f}".rstrip("0").rstrip(".") if "e" in text else text
    return "0" if float(text) == 0 else text


def span(low: float, high: float) -> str:
    """An interval that can be had: 0.002 – 114; from 0 where its end is but the trace that voids are solved with."""
    if 0 < low <= 2 * TRACE * high:
        low = 0.0
    return f"{significant(low, 3)} – {significant(high, 3)}"


def gpa(value: float | None) -> str:
    return "–" if value is None else f"{significant(value)} GPa"


def percent(value: float | None) -> str:
    """A relative error, signed: −1.1 %. Small ones keep two digits: +0.04 %."""
    if value is None:
        return "–"
    value *= 100
    if abs(value) < 0.005:
        return "0.00 %"
    digits = 2 if abs(value) < 0.995 else 1 if abs(value) < 99.5 else 0
    return f"{value:+.{digits}f} %".replace("-", "−")


def off(error: float) -> str:
    """A relative error without a sign."""
    return percent(abs(error)).removeprefix("+")


_SYMBOLS = {"nu": "ν", "density": "Density", "conductivity": "Conductivity k", "cte": "Expansion α", "AU": "Anisotropy"}


def symbol(quantity: str) -> str:
    """What a quantity is called in front of its value: its symbol where readers know it, else its title."""
    if quantity in _SYMBOLS:
        return _SYMBOLS[quantity]
    return quantity if len(quantity) <= 3 or "/" in quantity else QUANTITIES[quantity].title


def asked(request: DesignRequest) -> str:
    """The objectives of a request on one line, with symbols and names in place of those of files."""
    whole = request.title
    for objective in request.objectives:
        name = symbol(objective.quantity)
        short = name if len(name) <= 3 or "/" in name else name[0].lower() + name[1:]
        whole = whole.replace(str(objective), str(objective).replace(objective.quantity, short, 1))
    return re.sub(r"(?<![\w.])-(?=\d)", "−", whole[:1].upper() + whole[1:])


MET = "met"
_MET_WITHIN = 1e-4


def missed(target: Objective, value: float) -> str:
    """How far a value is from a target, signed: −19.0 %; in the unit of quantities that may be zero or negative.

    An interval that contains the value is met, also if only up to its last digits.
    """
    quantity, nearest = QUANTITIES[target.quantity], target.nearest(value)
    within = abs(value - nearest) <= _MET_WITHIN * max(abs(nearest), target.scale or 0.0)
    if within and target.value is None:
        return MET
    if quantity.positive:
        return percent(target.miss(value))
    difference = "0" if within else significant(value - nearest, 2)
    sign = "" if difference.startswith("-") else "+" if difference != "0" else ""
    return quantity.with_unit(f"{sign}{difference}".replace("-", "−"))


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 9.5 and not isinstance(seconds, int) else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def moment(when: datetime, timezone: str | None) -> str:
    """Today 14:03, Yesterday 09:12, or 21 Nov 2025, in the reader's time zone."""
    try:
        local = when.astimezone(ZoneInfo(timezone or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        local = when.astimezone(ZoneInfo("UTC"))
    days = (datetime.now(local.tzinfo).date() - local.date()) // timedelta(days=1)
    if days in (0, 1):
        return f"{('Today', 'Yesterday')[days]} {local:%H:%M}"
    return f"{local.day} {local:%b %Y}"


def escape(text: str) -> str:
    """A name that Markdown shows as it is written."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:&^])", r"\\\1", re.sub(r"[^\S\u202f]+", " ", text).strip())


def sentence(error: Exception) -> str:
    """The text of an error as Markdown; it begins with a capital letter unless with the name of a column."""
    text = str(error)
    return escape(text if text.split(" ", 1)[0] in COLUMNS else f"{text[:1].upper()}{text[1:]}")


def plain(index: int, message: str) -> str:
    """A candidate's message without its number in front, for places that say it already."""
    text = message.removeprefix(f"Candidate {index + 1}: ")
    return text[:1].upper() + text[1:]


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
