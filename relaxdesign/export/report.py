"""A report in one HTML file: no script, no link to a server, figures inside; the browser prints it to PDF."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from relaxdesign.catalogue import Catalogue, Material
from relaxdesign.export.figures import ashby_png
from relaxdesign.export.formats import DesignExport
from relaxdesign.quantities import QUANTITIES
from relaxdesign.request import DesignRequest
from relaxdesign.result import Design, DesignResult

STAGES = {
    "relaxed": "Relaxed field",
    "projected": "Two phases",
    "snapped": "Catalogue materials",
    "refined": "Refined",
    "realised": "Realised cell",
}


def report_html(result: DesignResult, exports: Sequence[DesignExport], origin: dict[str, Any]) -> str:
    """Request, provenance and, per exported design, materials with sources, K of every stage, bounds, C and figures.

    exports: of the verified designs to be shown. origin: from `relaxdesign.export.provenance`.
    """
    shown = [export.design for export in exports]
    return _template().render(
        origin={key: value for key, value in origin.items() if value is not None},
        title=result.request.title,
        request=_rows(result.request.model_dump(mode="json", exclude={"objectives", "materials_csv"})),
        count=len(result.designs),
        verified=sum(design.ok for design in result.designs),
        failed=[design for design in result.designs if not design.ok],
        overview=_inline(ashby_png(shown, offered(result.request), result.request.target_bulk)),
        designs=[_chapter(export) for export in exports],
    )


def _chapter(export: DesignExport) -> dict[str, Any]:
    design, evaluation = export.design, export.evaluation
    return {
        "number": design.index + 1,
        "name": export.name,
        "design": design,
        "shape": " × ".join(str(n) for n in export.phase.shape),
        "flat": export.phase.shape[2] == 1,
        "fraction": float(export.phase.mean()),
        "edge": export.options.cell_size_mm,
        "load": export.options.load,
        "materials": [
            (role, material, _link(material))
            for role, material in (("Matrix", export.matrix), ("Particles", export.particle))
        ],
        "quantities": _quantities(design),
        "stages": [
            (title, [design.stages.get(name, {}).get(q) for q in _quantities(design)], _worst(design.misses_at(name)))
            for name, title in STAGES.items()
        ],
        "evaluation": evaluation,
        "bounds": (("K", evaluation.bulk, evaluation.bulk_bounds), ("G", evaluation.shear, evaluation.shear_bounds)),
        "C": _aligned(evaluation.C),
        "hash": export.record["origin"]["cell_sha256"],
        "cell": _inline(export.phase_figure),
        "stress": _inline(export.stress_figure),
        "stiffness": _inline(export.stiffness_figure),
    }


def _aligned(matrix: np.ndarray) -> list[list[str]]:
    """Entries with as many decimals as give the largest five digits."""
    decimals = max(0, 4 - math.floor(math.log10(np.abs(matrix).max())))
    return [[f"{value + 0.0:.{decimals}f}".replace("-", "−") for value in row] for row in matrix.round(decimals)]


def offered(request: DesignRequest) -> Sequence[Material]:
    """The materials a request could choose from, before its filter."""
    own = request.materials_csv
    return (Catalogue.default() if own is None else Catalogue.from_csv(own.encode())).materials


def _quantities(design: Design) -> list[str]:
    """What the stages are compared by: the bulk modulus and the quantities of the targets."""
    return list(dict.fromkeys(["K", *design.misses]))


def _worst(misses: dict[str, float]) -> float | None:
    return max(misses.values(), key=abs, default=None)


def _rows(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Settings as names and texts, nested ones with a dot; those left open are not shown."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            rows += _rows(value, f"{prefix}{name}.")
        elif value not in (None, [], ""):
            text = ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)
            rows.append((f"{prefix}{name}".replace("_", " "), text))
    return rows


def _link(material: Material) -> str:
    """The address of the source if it is one of the web, never a script's."""
    return material.url if material.url.startswith(("https://", "http://")) else ""


def _inline(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


@lru_cache(maxsize=1)
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = lambda value, digits=4: "–" if value is None else f"{value:.{digits}g}"
    environment.filters["percent"] = _percent
    environment.filters["quantity"] = lambda name: f"{name}, {QUANTITIES[name].unit}" if QUANTITIES[name].unit else name
    return environment.get_template("report.html")


def _percent(value: float | None) -> str:
    if value is None:
        return "–"
    return "0.00 %" if abs(value) < 5e-5 else f"{100 * value:+.2f} %".replace("-", "−")
