"""The page: summary, one section per study, figures beside it."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from benchmarks.verification.model import Check, Number, Study, Table
from benchmarks.verification.registry import STUDIES

FIGURES = {
    "equal-shear": "equal-shear",
    "bounds": "bounds",
    "fibre": "dilute",
    "iterations": "iterations",
    "grid-disc": "grid",
    "grid-packing": "packing",
    "locking": "locking",
    "conduction-duality": "duality",
}
"""Study after which a figure stands, and the figure."""

CAPTIONS = {
    "equal-shear": "Error of K* against Hill's formula; the numbers are the orders fitted from 8³ on.",
    "bounds": "Position between the Hashin–Shtrikman bounds (0 lower, 1 upper, on a logarithmic scale) of random cells:"
    " K* of 3D cells (left), in-plane k* of 2D cells (right).",
    "dilute": "Strength of one sphere (left) and one fibre (right), measured over exact, against the voxel size in"
    " radii. Marks are corrected for the neighbours by the fit; lines are the fit, which must meet 1 at zero.",
    "iterations": "Conjugate gradient iterations for K* to a relative residual of 10⁻⁸.",
    "grid": "Error of K* with one sphere (left) and one disc (right) that fill 20 % of the cell.",
    "packing": "K* of random packings over that on the finest grid.",
    "locking": "Error of K* (left) and of the most affected shear modulus (right), stiff block in a matrix of Poisson's"
    " ratio ν. Dotted: what 2×2×2 points throughout would give.",
    "duality": "Checkerboard and Keller's duality: relative error; dashed, the order that theory gives.",
}

LEAD = """# Verification of the evaluator

What the finite element evaluator (`relaxdesign.physics.fem`) computes, measured against closed forms, bounds,
invariances, differences and a second code. Every number on this page is written by `make verification`, which exits
with an error if a check fails; a reduced run is part of the tests. Units: GPa, W/(m K), lengths in cell edges. 2D means
one voxel thick, periodic through the thickness, three-dimensional elasticity.
"""


def machine() -> dict[str, str]:
    """Versions, processor and date of a run."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        processor = names[0] if names else processor
    packages = ("torch", "numpy", "scipy", "scikit-fem")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": f"{processor}, {os.cpu_count()} cores, {torch.get_num_threads()} threads used",
        "Python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def page(about: dict[str, str], studies: dict[str, Study], figures: str) -> str:
    """The Markdown page; ``figures`` is the path of the figures as seen from it."""
    ordered = {key: studies[key] for key in STUDIES if key in studies}
    parts = [LEAD, ", ".join(f"{name} {value}" for name, value in about.items()) + ".\n", "## Summary\n"]
    parts.append(_markdown(("study", "decisive check", "value", "tolerance", "verdict"), _summary(ordered)))
    parts.append(_limitations(ordered))
    for number, (key, study) in enumerate(ordered.items(), start=1):
        parts += [f"## {number}. {STUDIES[key].title}\n", STUDIES[key].text + "\n"]
        parts += [_table(item) for item in study.tables]
        if key in FIGURES:
            name = FIGURES[key]
            parts.append(f"![{CAPTIONS[name]}]({figures}/verification-{name}.svg)\n\nFigure: {CAPTIONS[name]}\n")
        parts += [note + "\n" for note in study.notes]
        parts.append("\n".join(_verdict(check) for check in study.checks) + "\n")
    return "\n".join(parts).rstrip() + "\n"


def _summary(studies: dict[str, Study]) -> list[list[str]]:
    rows = []
    for number, (key, study) in enumerate(studies.items(), start=1):
        name = f"{number}. {STUDIES[key].title}"
        if not study.checks:
            rows.append([name, "–", "–", "–", study.verdict])
            continue
        worst = max(study.checks, key=_severity)
        rows.append([name, worst.what, _value(worst), _tolerance(worst), f"**{study.verdict}**"])
    return rows


def _severity(check: Check) -> tuple[int, float]:
    """Failures first, then limitations, then how much of the tolerance is used."""
    rank = ("pass", "limitation", "FAIL").index(check.verdict)
    middle, half = 0.5 * (check.low + check.high), 0.5 * (check.high - check.low)
    return rank, abs(check.value - middle) / half if half > 0 else 0.0


def _limitations(studies: dict[str, Study]) -> str:
    found = [(key, check) for key, study in studies.items() for check in study.checks if check.verdict == "limitation"]
    if not found:
        return ""
    lines = [f"- {STUDIES[key].title}: {check.what}: {_value(check)} ({_tolerance(check)})" for key, check in found]
    return "### Known limitations\n\nReported, not hidden; they do not fail the run.\n\n" + "\n".join(lines) + "\n"


def _verdict(check: Check) -> str:
    return f"- **{check.verdict}** – {check.what}: {_value(check)} ({_tolerance(check)})"


def _value(check: Check) -> str:
    return _number(check.value, check.unit)


def _tolerance(check: Check) -> str:
    if check.low == check.high:
        return f"= {_number(check.high, check.unit)}"
    if check.low == 0.0:
        return f"≤ {_number(check.high, check.unit)}"
    return f"{_number(check.low, check.unit)} … {_number(check.high, check.unit)}"


def _number(value: float, unit: str) -> str:
    if unit == "%":
        return f"{100 * value:.3g} %"
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.5g}"
    return f"{value:.1e}"


def _table(item: Table) -> str:
    def cell(form: str, value: Number) -> str:
        return "–" if value is None else form.format(value)

    rows = [[cell(f, v) for f, v in zip(item.formats, row, strict=True)] for row in item.rows]
    return f"{item.caption}:\n\n" + _markdown(item.header, rows)


def _markdown(header: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
