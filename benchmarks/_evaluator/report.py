"""From the JSON to ``docs/benchmarks.md``: goals, comparison, sizes, growth. Nothing on that page is typed by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

from . import cells
from .analysis import Goal, find, goals, growth, large_cells
from .cases import OURS
from .others import LIBRARIES

BUSY = 0.1
"""Cores busy with other work above which a row is marked as disturbed."""


# ---- Numbers as text -------------------------------------------------------------------------------


def seconds(value: float) -> str:
    return f"{1000 * value:.3g} ms" if value < 1.0 else f"{value:.3g} s" if value < 100.0 else f"{value:.0f} s"


def megabytes(value: float) -> str:
    return "< 1 MB" if value < 1.0 else f"{value:.0f} MB" if value < 1000.0 else f"{value / 1000:.3g} GB"


def _grid(dim: int, grid: int) -> str:
    return f"{grid}{'²' if dim == 2 else '³'}"


def _range(rows: Sequence[dict]) -> str:
    return " – ".join(_grid(row["dim"], row["grid"]) for row in (rows[0], rows[-1]))


def _output(output: str) -> str:
    return {"K": "K", "K+gradient": "K and gradient", "C": "full C"}[output]


def _mark(row: dict) -> str:
    return " †" if (row.get("other_cores") or 0.0) > BUSY else ""


def _iterations(row: dict) -> str:
    found = row.get("iterations")
    if not found:
        return "–"
    return str(found[0]) if min(found) == max(found) else f"{min(found)} – {max(found)}"


def _time(row: dict) -> str:
    return seconds(row["seconds_median"]) + _mark(row) if row["status"] == "ok" else row["status"]


def _memory(row: dict) -> str:
    return megabytes(row["memory_MB"]) if row["status"] == "ok" else "–"


def _residual(row: dict) -> str:
    value = row.get("residual") or row.get("residual_stated")
    return "–" if value is None else f"{value:.0e}"


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *rows])


# ---- The page --------------------------------------------------------------------------------------


def markdown(results: list[dict]) -> str:
    """The whole page from the content of one JSON file per machine."""
    parts = [
        "# How fast the evaluator is",
        "Written by `python benchmarks/evaluator.py` (part of `make bench`) from the JSON in `benchmarks/results/`; "
        "change that, not this page.",
    ]
    for result in results:
        parts += _machine_section(result)
    return "\n\n".join(part for part in parts if part) + "\n"


def _machine_section(result: dict) -> list[str]:
    machine, rows = result["machine"], result["rows"]
    gpu = machine["gpu"]
    dates = sorted({row["date"] for row in rows if row.get("date")})
    packages = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    memory = f", {machine['memory_GB']:g} GB of memory" if machine["memory_GB"] else ""
    threads = f"{machine['threads']} thread{'' if machine['threads'] == 1 else 's'}"
    parts = [
        f"## On {'a GPU: ' + gpu if gpu else 'the CPU'}",
        f"**{machine['processor']}**, {machine['cores']} cores{memory}, {machine['system']}; **{threads}**; "
        f"measured {_span(dates)}; {packages}.",
        "*This is the quick set: small cells, few of them.*" if result.get("quick") else "",
    ]
    if not gpu:
        parts += ["### Goals", _goal_table(rows)]
    parts += ["### Against other codes", *_comparison(rows, gpu)]
    parts += ["### From small cells to large ones", *_sizes(rows, machine["device"])]
    if result.get("parts"):
        parts += ["### Where the time goes", *_parts(result["parts"])]
    parts += ["### How it was measured", _method(rows)]
    return parts


def _span(dates: list[str]) -> str:
    return "" if not dates else dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"


def _goal_table(rows: list[dict]) -> str:
    verdict = {True: "yes", False: "**no**", None: "–"}
    lines = [(goal.what, *_limit_and_measured(goal), verdict[goal.met]) for goal in goals(rows)]
    return table(("goal", "limit", "measured", "met"), lines)


def _limit_and_measured(goal: Goal) -> tuple[str, str]:
    number = {"time": seconds, "memory": megabytes, "exponent": "{:.2f}".format}.get(goal.kind, "{:.3g} ×".format)
    limit = f"{'≥' if goal.kind == 'at least' else '≤'} {number(goal.limit)}"
    if goal.measured is None:
        return limit, "not measured"
    note = ""
    if goal.kind == "at least":  # says which code was the best
        note = f" ({LIBRARIES[goal.rows[0]['solver']].label}: {_output(goal.rows[0]['output'])})"
    if goal.kind == "exponent":
        note = f" ({_range(goal.rows)})"
    return limit, number(goal.measured) + note + (" †" if any(_mark(row) for row in goal.rows) else "")


def _comparison(rows: list[dict], gpu: str | None) -> list[str]:
    found = [row for row in rows if row["solver"] in LIBRARIES]
    if not found:
        return ["Not measured."]
    lines = []
    for grid in sorted({row["grid"] for row in found}):
        ours = find(rows, output="K+gradient", dim=3, grid=grid)
        compared = [row for row in found if row["grid"] == grid]
        compared.sort(key=lambda row: row.get("seconds_median", float("inf")))
        for row in ([ours] if ours else []) + compared:
            label = "**RelaxDesign**" if row is ours else LIBRARIES[row["solver"]].label
            if gpu and row["device"] == "cpu":
                label += " (on the CPU)"
            done = row["status"] == "ok"
            lines.append(
                (
                    _grid(3, grid),
                    label,
                    _output(row["output"]),
                    _time(row),
                    f"{row['seconds_median'] / ours['seconds_median']:.3g}" if done and ours else "–",
                    seconds(row["setup_seconds"]) if done and row is not ours else "–",
                    _memory(row),
                    _iterations(row),
                    _residual(row),
                    _agreement(row, ours) if done and ours and row is not ours else "–",
                )
            )
    head = ("cell", "code", "gives", "time", "× ours", "set-up", "memory", "iterations", "residual", "K against ours")
    used = [
        f"- **{library.label}**: {library.how}."
        + (
            " Its hexahedron is fully integrated, ours and the others' not: K differs a little."
            if library.full_integration
            else ""
        )
        for key, library in LIBRARIES.items()
        if any(row["solver"] == key for row in found)
    ]
    return [
        "One hydrostatic load case in float64 to a relative force residual of 1e-8, recomputed from every returned "
        "displacement by one function. “× ours” is the time divided by that of our K *with* gradient, also for codes "
        "that gave no gradient. Set-up is what depends on the grid alone (mesh, index maps, periodic ties); it is not "
        "part of the time of the other codes. In ours everything counts.",
        table(head, lines),
        "Each was used as well as we know how:\n\n" + "\n".join(used),
    ]


def _agreement(row: dict, ours: dict) -> str:
    """Relative difference of K, and of the norm of its gradient where both have one."""
    text = f"{row['value'][0] / ours['value'][0] - 1.0:.0e}"
    if row.get("gradient_norm") and ours.get("gradient_norm"):
        text += f"; norm of gradient {row['gradient_norm'] / ours['gradient_norm'] - 1.0:.0e}"
    return text


def _sizes(rows: list[dict], device: str) -> list[str]:
    suffix = "" if device == "cpu" else "-cuda"
    parts = [
        f"![{kind.capitalize()} against number of voxels](figures/evaluator{suffix}-{kind}.svg)"
        for kind in ("time", "memory")
    ]
    ours = [row for row in rows if row["solver"] == OURS and row["dtype"] == "float64"]
    for batch in sorted({row["batch"] for row in ours}):
        sizes = sorted({(row["dim"], row["grid"]) for row in ours if row["batch"] == batch})
        lines = [_size_line(ours, dim, grid, batch) for dim, grid in sizes]
        head = ("cell", "K and gradient", "memory", "iterations", "full C", "memory", "iterations, most", "C / K")
        title = "One cell" if batch == 1 else f"Batches of {batch} (time and memory of the whole batch)"
        parts.append(f"**{title}**, float64, force residual 1e-8:\n\n" + table(head, lines))
    return [*parts, _guidance(rows), _growth_table(rows)]


def _size_line(rows: list[dict], dim: int, grid: int, batch: int) -> list[str]:
    line, times = [_grid(dim, grid)], []
    for output in ("K+gradient", "C"):
        row = find(rows, output=output, dim=dim, grid=grid, batch=batch, status=None)
        line += ["not measured", "–", "–"] if row is None else [_time(row), _memory(row), _iterations(row)]
        times += [row["seconds_median"]] if row is not None and row["status"] == "ok" else []
    return [*line, f"{times[1] / times[0]:.2g}" if len(times) == 2 else "–"]


def _guidance(rows: list[dict]) -> str:
    lines = [
        (
            _grid(row["dim"], row["grid"]),
            str(row["batch"]),
            _time(row),
            seconds(row["seconds_median"] / row["batch"]) if row["status"] == "ok" else "–",
            _memory(row),
            _iterations(row),
            _residual(row),
        )
        for row in rows
        if row["solver"] == OURS and row["dtype"] == "float32"
    ]
    head = ("cell", "batch", "time", "per cell", "memory", "iterations", "force residual")
    title = "**At the precision of guidance**, float32, force residual 1e-4, started from zero:"
    return f"{title}\n\n{table(head, lines)}" if lines else ""


def _growth_table(rows: list[dict]) -> str:
    lines = []
    for dim, output, batch in itertools.product((2, 3), ("K+gradient", "C"), (1, 8)):
        fitted = large_cells(rows, dim, output, batch)
        exponents = [growth(fitted, field) for field in ("seconds_median", "memory_MB")]
        if len(fitted) > 1:
            numbers = ["–" if p is None else f"{p:.2f}" for p in exponents]
            lines.append((f"{dim}D", _output(output), str(batch), _range(fitted), *numbers))
    if not lines:
        return ""
    return (
        "**Growth with the number N of voxels**, as N^p, least squares in logarithms over the sizes named:\n\n"
        + table(("cells", "gives", "batch", "sizes", "p of time", "p of memory"), lines)
    )


def _parts(measured: list[dict]) -> list[str]:
    """Share, time and rate of every part of an iteration, one table for all grids."""
    lines = []
    for cell in measured:
        total = sum(part["seconds"] for part in cell["parts"].values())
        for name, part in cell["parts"].items():
            rate = part["bytes"] / part["seconds"]
            lines.append(
                (
                    _grid(3, cell["grid"]),
                    name,
                    seconds(part["seconds"]),
                    f"{part['seconds'] / total:.0%}",
                    f"{part['bytes'] / 1e6:.3g} MB",
                    f"{rate / 1e9:.3g} GB/s",
                    f"{rate / cell['copy_bytes_per_second']:.0%}",
                )
            )
        least = sum(part["bytes"] for part in cell["parts"].values()) / cell["copy_bytes_per_second"]
        threads = f"{cell['threads_used']} thread{'' if cell['threads_used'] == 1 else 's'}"
        lines.append(
            (
                _grid(3, cell["grid"]),
                f"**iteration** ({threads})",
                seconds(total),
                "100 %",
                "",
                "",
                f"**{least / total:.0%}**",
            )
        )
    head = ("cell", "part", "time", "share", "bytes at least", "rate", "of the copying rate")
    return [
        "One iteration for K in 3D, in float32 as the solver runs it. “Bytes at least” is what a part must read and "
        "write once. The last column compares with copying a large array on "
        "the same threads (above 100 %: the cell stays in the cache). Full C takes six such solves.",
        table(head, lines),
    ]


def _method(rows: list[dict]) -> str:
    contrast = cells.PARTICLE[0] / cells.MATRIX[0]
    lines = [
        f"- **Cell**: periodic; equal discs or spheres at random places, volume fraction {cells.VOLUME_FRACTION:g}, "
        f"diameter about {cells.DIAMETER:g} of the edge; contrast {contrast:g} (matrix K, G = {cells.MATRIX[0]:g}, "
        f"{cells.MATRIX[1]:g} GPa; particles {cells.PARTICLE[0]:g}, {cells.PARTICLE[1]:g} GPa); one geometry on every "
        "grid, the same for every code.",
        "- **Time**: median of up to 25 repeats in ten seconds after a first call of full size, in a process of its "
        "own; a first call of more than a minute is itself the measurement. The JSON has the fastest repeat too: the "
        "machine is shared, and work of others on the same processor slows all parts of a solve alike, up to 1.7 times "
        "for seconds on end.",
        "- **Memory**: growth of the peak resident memory of that process from just before set-up to the end of the "
        "first call, after imports and a tiny warm-up problem (on a GPU: growth of the allocated device memory).",
        "- A row that fails, or reaches its limit of time or memory, says so in place of its time.",
    ]
    lines += _commits(rows)
    if any(_mark(row) for row in rows if row["status"] == "ok"):
        lines.append(f"- † other work kept more than {BUSY:g} cores busy during this row: its time is too long.")
    return "\n".join(lines)


def _commits(rows: list[dict]) -> list[str]:
    """Which version of the evaluator each of its own rows is of: not all are measured anew after every change."""
    own: dict[str, list[str]] = {}
    for row in rows:
        if row["solver"] == OURS and row.get("revision"):
            own.setdefault(row["revision"], []).append(row["name"].removeprefix(f"{OURS}/"))
    if not own:
        return []
    groups = "; ".join(f"{revision}: {', '.join(names)}" for revision, names in own.items())
    return [f"- **Commits** that our own rows were measured at (+: with other changes): {groups}."]


def write(results: list[dict], docs: Path) -> Path:
    """Figures and page into a folder; returns the page."""
    from .figures import draw

    (docs / "figures").mkdir(parents=True, exist_ok=True)
    for result in results:
        suffix = "" if result["machine"]["device"] == "cpu" else "-cuda"
        draw(result, docs / "figures", suffix)
    page = docs / "benchmarks.md"
    page.write_text(markdown(results), encoding="utf-8")
    return page
