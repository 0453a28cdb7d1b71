"""Time and memory against the number of voxels, as SVG that is the same for the same numbers."""

from __future__ import annotations

from pathlib import Path

from .cases import OURS
from .others import LIBRARIES

CURVES = (
    ("2D, K and gradient", 2, "K+gradient", "#1f77b4", "o"),
    ("2D, full C", 2, "C", "#8fbbda", "o"),
    ("3D, K and gradient", 3, "K+gradient", "#d62728", "s"),
    ("3D, full C", 3, "C", "#ea9393", "s"),
)
OTHERS = (("#111111", "x"), ("#2ca02c", "^"), ("#9467bd", "v"), ("#c5b0d5", "v"), ("#8c564b", "D"))
KINDS = {"time": ("seconds_median", "seconds"), "memory": ("memory_MB", "growth of peak memory, MB")}


def draw(result: dict, folder: Path, suffix: str = "") -> list[Path]:
    """``evaluator{suffix}-time.svg`` and ``…-memory.svg`` of one machine; returns their paths."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    written = []
    for kind, (field, label) in KINDS.items():
        with pyplot.rc_context({"svg.hashsalt": "relaxdesign", "svg.fonttype": "none", "font.size": 9}):
            figure, axes = pyplot.subplots(figsize=(7.0, 5.2), layout="constrained")
            axes.grid(alpha=0.3)
            for points, look in _curves(result["rows"], field):
                axes.plot(*zip(*points, strict=True), markersize=4, **look)
            axes.set(xscale="log", yscale="log", xlabel="voxels of the cell", ylabel=label)
            if axes.lines:
                figure.legend(loc="outside lower center", ncols=2, frameon=False)
            path = folder / f"evaluator{suffix}-{kind}.svg"
            figure.savefig(path, metadata={"Date": None, "Creator": None})
            pyplot.close(figure)
        # Matplotlib ends some lines with a blank, which version control dislikes.
        path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")
        written.append(path)
    return written


def _curves(rows: list[dict], field: str):
    """(points, look) of everything that has points."""
    rows = [row for row in rows if row["status"] == "ok" and row["batch"] == 1 and row["dtype"] == "float64"]
    wanted = []
    for name, dim, output, colour, marker in CURVES:
        look = {"label": f"RelaxDesign, {name}", "color": colour, "marker": marker, "linestyle": "-"}
        wanted.append(((OURS, dim, output), look))
    looks = iter(OTHERS)
    for key, library in LIBRARIES.items():
        for output in library.outputs:
            name = f"{library.label}, {'K' if output == 'K' else 'K and gradient'}"
            colour, marker = next(looks)
            look = {"label": name, "color": colour, "marker": marker, "linestyle": "--"}
            wanted.append(((key, 3, output), look))
    for series, look in wanted:
        fitting = [row for row in rows if (row["solver"], row["dim"], row["output"]) == series and row[field] > 0.0]
        points = sorted((row["voxels"], row[field]) for row in fitting)
        if points:
            yield points, look
