"""The figures of the page, as SVG. Each function draws from the stored series alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.verification import dilute as dilute_study
from benchmarks.verification.model import Study

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito: distinguishable with every kind of colour vision."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")

GREY = "#666666"

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.5,
    "svg.fonttype": "path",
    "svg.hashsalt": "relaxdesign",
}

Studies = dict[str, Study]


def draw(studies: Studies, folder: Path) -> None:
    """Write every figure whose studies are there."""
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        for name, (function, needed) in FIGURES.items():
            if all(key in studies for key in needed):
                path = folder / f"verification-{name}.svg"
                function(studies).savefig(path, metadata={"Date": None, "Creator": None})


# ---- parts -----------------------------------------------------------------------------------------


def _axes(count: int, width: float = 7.2, height: float = 2.9, rows: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(rows, count // rows, squeeze=False).flat)


def _line(axes: Axes, k: int, x: Sequence[float], y: Sequence[float], label: str | None = None) -> None:
    axes.plot(x, y, MARKERS[k] + "-", color=COLOURS[k], label=label)


def _grid_axis(axes: Axes, sizes: Sequence[int]) -> None:
    """Logarithmic horizontal axis with the powers of two among the grids, every other one if they are many."""
    axes.set_xscale("log", base=2)
    powers = [n for n in sizes if n & (n - 1) == 0]
    shown = powers[:: 1 if len(powers) < 6 else 2]
    axes.set_xticks(shown, [str(n) for n in shown])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("voxels per edge n")


def _log_axis(axes: Axes, label: str) -> None:
    """Logarithmic vertical axis with plain numbers; marks at 1, 2, 5 where it spans little."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 100.0 else (1.0,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel(label)


def _slope(axes: Axes, sizes: Sequence[int], start: float, order: float) -> None:
    """Dashed guide of a given order."""
    values = [start * (n / sizes[0]) ** -order for n in sizes]
    axes.plot(sizes, values, "--", color=GREY, linewidth=0.9, zorder=1, label=f"order {order:g}")


# ---- figures ---------------------------------------------------------------------------------------


def equal_shear(studies: Studies) -> Figure:
    series = studies["equal-shear"].series
    figure, (axes,) = _axes(1, width=4.2, height=3.0)
    for k, (seed, errors, order) in enumerate(zip(series["seeds"], series["errors"], series["orders"], strict=True)):
        _line(axes, k, series["sizes"], [100 * e for e in errors], f"cell {seed}, order {order:.2f}")
    _slope(axes, series["sizes"], 160 * max(e[0] for e in series["errors"]), 2.0)
    _grid_axis(axes, series["sizes"])
    _log_axis(axes, "error of K* (%)")
    axes.legend()
    return figure


def bounds(studies: Studies) -> Figure:
    series = studies["bounds"].series
    figure, panels = _axes(2, height=3.1)
    for axes, dim, what in zip(panels, ("3D", "2D"), ("K*", "in-plane k*"), strict=True):
        kinds = [key for key in series["positions"] if key.startswith(dim)]
        for k, key in enumerate(kinds):
            for n, (ratio, positions) in enumerate(series["positions"][key]):
                share = [m / max(1, len(positions) - 1) - 0.5 for m in range(len(positions))]
                spread = [ratio * 10 ** (0.26 * (k - 1) + 0.18 * s) for s in share]
                label = key[3:] if n == 0 else None
                axes.plot(spread, positions, MARKERS[k], color=COLOURS[k], markersize=2.2, alpha=0.7, label=label)
        axes.axhspan(0, 1, color="#f0f0f0", zorder=0)
        for level in (0.0, 1.0):
            axes.axhline(level, color=GREY, linewidth=0.9)
        axes.set_xscale("log")
        axes.set_xticks([10.0**e for e in (-4, -2, 0, 2, 4)])
        values = [p for key in kinds for _, positions in series["positions"][key] for p in positions]
        axes.set_ylim(min(-0.05, min(values) - 0.05), max(1.05, max(values) + 0.05))
        axes.set_xlabel("particle / matrix modulus")
        axes.set_ylabel("position between the bounds")
        axes.set_title(f"{what}, {dim} cells")
        axes.text(1.0, 0.02, "lower", ha="center", color=GREY, fontsize=7.5)
        axes.text(1.0, 0.98, "upper", ha="center", va="top", color=GREY, fontsize=7.5)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, markerscale=1.8)
    return figure


def dilute(studies: Studies) -> Figure:
    figure, panels = _axes(2)
    for axes, key in zip(panels, ("sphere", "fibre"), strict=True):
        for k, (name, s) in enumerate(studies[key].series.items()):
            c, _ = dilute_study.fit(s["share"], s["radius"], s["ratio"])
            inverse = [1.0 / r for r in s["radius"]]
            corrected = [y - c[1] * f for y, f in zip(s["ratio"], s["share"], strict=True)]
            axes.plot(inverse, corrected, MARKERS[k], color=COLOURS[k], label=name)
            line = [n * max(inverse) / 50 for n in range(51)]
            axes.plot(line, [c[0] + c[2] * x + c[3] * x * x for x in line], color=COLOURS[k], linewidth=1.0)
        axes.axhline(1.0, color=GREY, linewidth=0.9)
        axes.set_xlim(left=0.0)
        axes.set_xlabel("voxel size / radius, 1/R")
        axes.set_ylabel("strength, measured / exact")
        axes.set_title(f"one {key}")
    panels[0].legend(loc="upper left")
    return figure


def iterations(studies: Studies) -> Figure:
    first, second = studies["contrast"].series, studies["iterations"].series
    figure, panels = _axes(3, width=7.8)
    for k, dim in enumerate(("2D", "3D")):
        _line(panels[0], k, [10.0**e for e in first["exponents"]], first["iterations"][dim], dim)
    panels[0].set_xscale("log")
    panels[0].set_xticks([1e-4, 1e-2, 1.0, 1e2, 1e4])
    panels[0].set_xlabel("particle / matrix modulus")
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel("iterations")
    panels[0].set_title("higher contrast")
    panels[0].legend()
    for axes, dim in zip(panels[1:], ("2D", "3D"), strict=True):
        sizes, counts = second[dim]["sizes"], second[dim]["iterations"]
        for k, (name, values) in enumerate(counts.items()):
            _line(axes, k, sizes[: len(values)], values, name)
        _grid_axis(axes, sizes)
        axes.set_ylim(10, 20 * max(map(max, counts.values())))
        _log_axis(axes, "iterations")
        axes.set_title(f"finer grids, {dim}")
    panels[1].legend(loc="upper left")
    return figure


def grid(studies: Studies) -> Figure:
    figure, panels = _axes(2, width=6.6, height=3.1)
    for axes, key, title in zip(panels, ("grid-sphere", "grid-disc"), ("one sphere, 3D", "one disc, 2D"), strict=True):
        series = studies[key].series
        magnitudes = [[100 * abs(e) for e in pair["errors"]] for pair in series["pairs"].values()]
        for k, (name, pair) in enumerate(series["pairs"].items()):
            _line(axes, k, series["sizes"], magnitudes[k], f"{name}: order {pair['order']:.2f}")
        _slope(axes, series["sizes"], 2.0 * max(m[0] for m in magnitudes), 1.0)
        _grid_axis(axes, series["sizes"])
        axes.set_ylim(bottom=0.05 * min(map(min, magnitudes)))
        _log_axis(axes, "|error of K*| (%)")
        axes.set_title(title)
        axes.legend(loc="lower left")
    return figure


def packing(studies: Studies) -> Figure:
    series = studies["grid-packing"].series
    figure, panels = _axes(2, height=3.1)
    for axes, dim in zip(panels, (3, 2), strict=True):
        chosen = {name: s for name, s in series.items() if s["dim"] == dim}
        for k, (name, s) in enumerate(chosen.items()):
            _line(axes, k, s["sizes"], [v / s["values"][-1] for v in s["values"]], name[4:])
            _grid_axis(axes, s["sizes"])
        axes.axhline(1.0, color=GREY, linewidth=0.9)
        axes.set_ylabel("K* / K* on the finest grid")
        axes.set_title(f"packings, {dim}D")
    panels[0].legend()
    return figure


def locking(studies: Studies) -> Figure:
    series = studies["locking"].series
    figure, panels = _axes(2 * len(series), height=2.6 * len(series) + 0.3, rows=len(series))
    for row, (dim, s) in enumerate(series.items()):
        for axes, name in zip(panels[2 * row :], ("K", "(C11−C12)/2"), strict=False):
            for k, (nu, errors) in enumerate(s["errors"].items()):
                _line(
                    axes,
                    k,
                    s["sizes"],
                    [100 * abs(e) if abs(e) > 1e-7 else math.nan for e in errors[name]],
                    f"ν = {nu}",
                )
                if name != "K":
                    values = [100 * e for e in errors["standard"]]
                    axes.plot(s["sizes"][: len(values)], values, MARKERS[k] + ":", color=COLOURS[k], markersize=3)
            _grid_axis(axes, s["sizes"])
            _log_axis(axes, f"|error of {'K*' if name == 'K' else name}| (%)")
            axes.set_title(f"{dim}: {'bulk modulus' if name == 'K' else 'shear modulus'}")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def duality(studies: Studies) -> Figure:
    series = studies["conduction-duality"].series
    figure, panels = _axes(2, width=6.6)
    for axes, name, title in zip(panels, ("board", "product"), ("checkerboard", "duality of rectangles"), strict=True):
        for k, (contrast, s) in enumerate(series["contrasts"].items()):
            _line(axes, k, series["sizes"], [100 * e for e in s[name]], f"contrast {contrast}")
            if name == "board":
                theory = [130 * s[name][0] * (n / series["sizes"][0]) ** -s["theory"] for n in series["sizes"]]
                label = f"order {s['theory']:.2f}"
                axes.plot(series["sizes"], theory, "--", color=COLOURS[k], linewidth=0.9, label=label)
        _grid_axis(axes, series["sizes"])
        _log_axis(axes, "relative error (%)")
        axes.set_title(title)
        axes.legend()
    return figure


FIGURES: dict[str, tuple[Callable[[Studies], Figure], tuple[str, ...]]] = {
    "equal-shear": (equal_shear, ("equal-shear",)),
    "bounds": (bounds, ("bounds",)),
    "dilute": (dilute, ("sphere", "fibre")),
    "iterations": (iterations, ("contrast", "iterations")),
    "grid": (grid, ("grid-sphere", "grid-disc")),
    "packing": (packing, ("grid-packing",)),
    "locking": (locking, ("locking",)),
    "duality": (duality, ("conduction-duality",)),
}
"""Figure, what draws it, and the studies that it needs."""
