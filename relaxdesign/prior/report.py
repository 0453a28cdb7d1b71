"""The report on a prior: one HTML page that stands alone, its samples as PNG and its numbers as JSON."""

from __future__ import annotations

import base64
import html
import io
import json
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from PIL import Image
from plotly.subplots import make_subplots
from torch import Tensor

from relaxdesign.files import write_whole
from relaxdesign.prior.metrics import Population, distributions, two_point
from relaxdesign.prior.model import Prior

SHEET_COLUMNS, SHEET_ROWS = 12, 4
SAMPLES, DESIGNS = "#0b6e99", "#b0b7bd"


def sample_sheet(fields: Tensor, tile: int = 96) -> Image.Image:
    """Fields (count, channels, *grid) side by side; of 3D ones the middle slice.

    Three channels become red, green and blue; one becomes grey, dark where it is 1.
    """
    fields = -fields.expand(-1, 3, *fields.shape[2:]) if fields.shape[1] == 1 else fields
    flat = fields if fields.ndim == 4 else fields[..., fields.shape[-1] // 2]
    pixels = ((flat.clamp(-1, 1) + 1) * 127.5).byte().permute(0, 2, 3, 1).numpy()
    columns = min(SHEET_COLUMNS, len(pixels))
    rows = -(-len(pixels) // columns)
    sheet = Image.new("RGB", (columns * (tile + 4), rows * (tile + 4)), "white")
    for number, image in enumerate(pixels):
        place = ((number % columns) * (tile + 4), (number // columns) * (tile + 4))
        sheet.paste(Image.fromarray(image).resize((tile, tile), Image.Resampling.NEAREST), place)
    return sheet


def write_report(
    directory: Path, prior: Prior, metrics: dict, drawn: Tensor, populations: tuple[Population, Population, Population]
) -> Path:
    """Writes report.html, samples.png and metrics.json; returns the page.

    drawn: the samples as they came, (count, 3, *grid). populations: samples and two sets of random designs.
    """
    directory.mkdir(parents=True, exist_ok=True)
    write_whole(directory / "metrics.json", (json.dumps(metrics, indent=2) + "\n").encode())
    sheet = sample_sheet(drawn[: SHEET_COLUMNS * SHEET_ROWS])
    sheet.save(directory / "samples.png")
    page = directory / "report.html"
    write_whole(page, _page(prior, metrics, sheet, _figure(prior, populations)).encode())
    return page


def _figure(prior: Prior, populations: tuple[Population, Population, Population]) -> go.Figure:
    quantities = distributions(prior.channels, *populations)
    names = [*quantities, "two-point correlation"]
    columns = 3
    figure = make_subplots(-(-len(names) // columns), columns, subplot_titles=names, vertical_spacing=0.08)
    for number, (samples, designs, _) in enumerate(quantities.values()):
        low, high = np.percentile(np.concatenate((samples, designs)), (0.5, 99.5))
        bins = {"start": float(low), "end": float(high), "size": float(max(high - low, 1e-9)) / 30}
        row, column = number // columns + 1, number % columns + 1
        for values, name, colour in ((designs, "random designs", DESIGNS), (samples, "samples", SAMPLES)):
            histogram = go.Histogram(
                x=values, xbins=bins, histnorm="probability", name=name, marker_color=colour, opacity=0.65,
                legendgroup=name, showlegend=number == 0,
            )  # fmt: skip
            figure.add_trace(histogram, row=row, col=column)
    row, column = (len(names) - 1) // columns + 1, (len(names) - 1) % columns + 1
    for population, colour in ((populations[1], DESIGNS), (populations[0], SAMPLES)):
        curve = two_point(population)
        radius = np.arange(len(curve)) / prior.grid
        figure.add_trace(
            go.Scatter(x=radius, y=curve, line_color=colour, mode="lines", showlegend=False), row=row, col=column
        )
    figure.update_layout(
        barmode="overlay", template="plotly_white", height=300 * -(-len(names) // columns), legend_orientation="h"
    )
    return figure


def _page(prior: Prior, metrics: dict, sheet: Image.Image, figure: go.Figure) -> str:
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    image = base64.b64encode(buffer.getvalue()).decode()
    cut = ", middle slice" if prior.dim == 3 else ""
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in summary(metrics)
    )
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{html.escape(prior.name)}</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2rem auto;padding:0 1rem;color:#1d2429}}
table{{border-collapse:collapse}}th{{text-align:left;font-weight:500;padding:.25rem 1.5rem .25rem 0}}
td{{font-variant-numeric:tabular-nums}}img{{image-rendering:pixelated;max-width:100%}}</style>
<h1>{html.escape(prior.name)}</h1>
<p>{metrics["count"]} unguided samples ({html.escape(str(metrics["sampling"]))}) against as many fresh random designs.
Both are read by the same projection.</p>
<table>{rows}</table>
<h2>Samples</h2><p>Bulk modulus, shear modulus and density as red, green and blue{cut}.</p>
<img alt="samples" src="data:image/png;base64,{image}">
<h2>Distributions</h2>
{figure.to_html(full_html=False, include_plotlyjs=True)}
</html>
"""


def summary(metrics: dict) -> list[tuple[str, str]]:
    """The numbers as lines of text: what is measured, and its value."""
    flat, near, cover = metrics["flatness"], metrics["nearest_material"], metrics["coverage"]
    correlation = metrics["two_point_error"]
    lines = [
        ("two-phase composites", f"{metrics['two_phase']:.1%} (random designs: {metrics['two_phase_designs']:.1%})"),
        ("misfit, median", f"{metrics['misfit'][1]:.3f} (random designs: {metrics['misfit_designs'][1]:.3f})"),
        ("deviation within a phase, median", f"{flat['channel_units']:.4f} channel units"),
        ("… of K in phases above 10 GPa, median", f"{flat['bulk_GPa']:.2g} GPa, {flat['bulk_relative']:.1%}"),
        ("nearest material within 3 % of K", f"{near['within_3_percent_of_K']:.1%} of the phases"),
        ("property cells occupied", f"{cover['cells_samples']} (random designs: {cover['cells_designs']})"),
        (
            "pairs of materials that are distinct",
            f"{cover['pairs_samples']:.1%} (designs: {cover['pairs_designs']:.1%})",
        ),
        (
            "two-point correlation, r.m.s. difference",
            f"{correlation['samples']:.4f} (between random designs: {correlation['designs']:.4f})",
        ),
    ]
    if unseen := metrics.get("unseen"):
        cover = unseen["coverage"]
        lines += [
            (
                f"with {unseen['materials']} materials that training never saw: two-phase composites",
                f"{unseen['two_phase']:.1%} of {unseen['count']}",
            ),
            ("… misfit, median", f"{unseen['misfit'][1]:.3f} (random designs: {unseen['misfit_designs'][1]:.3f})"),
            ("… distinct pairs", f"{cover['pairs_samples']:.1%} (designs: {cover['pairs_designs']:.1%})"),
        ]
    for name, distance in metrics["wasserstein"].items():
        least = f"between random designs: {distance['designs']:.2g}; spread {distance['spread']:.2g}"
        lines.append((f"distance of {name}", f"{distance['samples']:.3g} ({least})"))
    return lines
