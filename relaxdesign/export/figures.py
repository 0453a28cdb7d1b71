"""PNG figures of cells, fields, stiffness and designs: no browser, no display, no GPU.

Cells in 3D are the scenes of `relaxdesign.scene`, rendered by PyVista; where that cannot be, and everything else, is
drawn by Matplotlib.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from relaxdesign.materials.catalogue import Material
from relaxdesign.microstructure.cell import Cell
from relaxdesign.physics.anisotropy import young_in_plane, young_surface
from relaxdesign.scene import Exact, Scene, painted_scene, phase_scene
from relaxdesign.scene.palette import DISTINCT, phase_colours
from relaxdesign.scene.stills import can_render, studio
from relaxdesign.study.result import Design

DPI = 150
MAP = "cividis"
_PIXELS = 640  # of a scene
_SLOPE = np.sqrt(3.0) / 2.0  # isometric: edges run 30° below the horizontal
_SHADE = (1.0, 0.86, 0.72)  # light from above: top, face x = 1 (left), face y = 1 (right)


def phase_png(cell: Cell, edge_mm: float, exact: Exact | None = None) -> bytes:
    """The phases of a cell with their names and the length of the edge; 3D cells in perspective.

    exact: what its inclusions are, where that is known.
    """
    phase, colours = cell.labels, phase_colours(len(cell.materials), cell.void)
    figure = Figure(figsize=(4.6, 4.9), layout="constrained")
    axes = figure.add_subplot()
    if _solid(phase):
        _draw_scene(axes, phase_scene(phase, colours, void=cell.void, exact=exact))
    else:
        _draw_cell(axes, phase.astype(float), ListedColormap(colours), Normalize(-0.5, len(colours) - 0.5), shaded=True)
    named = zip(colours, cell.materials, strict=True)
    handles = [Patch(color=colour, label=_label(material.name)) for colour, material in named]
    figure.legend(handles=handles, loc="outside lower center", frameon=False, fontsize=9)
    axes.set_title(f"edge {edge_mm:.4g} mm", fontsize=9)
    return _png(figure)


def field_png(values: np.ndarray, title: str, label: str) -> bytes:
    """A scalar field (nx, ny, nz) on its cell, with a colour bar up to the 99.5 % quantile; 3D cells in perspective."""
    figure = Figure(figsize=(5.2, 4.4), layout="constrained")
    axes = figure.add_subplot()
    norm = Normalize(float(values.min()), float(np.quantile(values, 0.995)))
    if _solid(values):
        colours = ScalarMappable(norm, MAP)
        _draw_scene(axes, painted_scene(values, lambda v: colours.to_rgba(v, bytes=True)[..., :3]))
    else:
        _draw_cell(axes, values, MAP, norm, shaded=False)
    axes.set_title(title, fontsize=10)
    figure.colorbar(ScalarMappable(norm, MAP), ax=axes, label=label, extend="max", shrink=0.85)
    return _png(figure)


def stiffness_png(C: np.ndarray) -> bytes:
    """Young's modulus by direction from C (6, 6) in GPa: as a surface, and as curves in the coordinate planes."""
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    directions, young = young_surface(C, count=46)
    solid: Any = figure.add_subplot(1, 2, 1, projection="3d")
    # An isotropic surface would have a range of round-off alone.
    norm = Normalize(float(young.min()) * 0.999, float(young.max()) * 1.001)
    x, y, z = np.moveaxis(young[..., None] * directions, -1, 0)
    colours = ScalarMappable(norm, MAP).to_rgba(young)
    solid.plot_surface(x, y, z, facecolors=colours, rstride=1, cstride=1, linewidth=0, antialiased=False, shade=False)
    reach = float(young.max())
    for setter, name in zip((solid.set_xlim, solid.set_ylim, solid.set_zlim), "xyz", strict=True):
        setter(-reach, reach)
        getattr(solid, f"set_{name}label")(name, labelpad=-8)
        getattr(solid, f"set_{name}ticklabels")([])
    solid.set_box_aspect((1, 1, 1))
    figure.colorbar(ScalarMappable(norm, MAP), ax=solid, label="E(n), GPa", shrink=0.7, pad=0.02)
    polar: Any = figure.add_subplot(1, 2, 2, projection="polar")
    for plane, colour, style in zip(("xy", "yz", "xz"), DISTINCT, ("-", "--", ":"), strict=False):
        angles, values = young_in_plane(C, plane)
        polar.plot(angles, values, style, color=colour, label=f"{plane} plane", linewidth=1.8)
    polar.set_rlim(0, None)
    polar.tick_params(labelsize=8)
    polar.legend(loc="lower center", bbox_to_anchor=(0.5, -0.22), ncols=3, frameon=False, fontsize=9)
    polar.set_title("E in the planes, GPa; angle from the first axis", fontsize=9)
    return _png(figure)


def ashby_png(designs: Sequence[Design], materials: Sequence[Material], target: float | None) -> bytes:
    """Density over bulk modulus, as in the app: verified designs among base materials, and the target if K has one."""
    figure = Figure(figsize=(7.6, 4.0), layout="constrained")
    axes = figure.add_subplot()
    axes.scatter(
        [m.bulk for m in materials], [m.density for m in materials], s=9, color="#9AA3B2", label="base materials"
    )
    numbers = [
        (design.index + 1, design.value("density") or 0.0, design.value("K") or 0.0) for design in designs if design.ok
    ]
    for place, (number, density, bulk) in enumerate(sorted(numbers, key=lambda known: known[1])):
        # Designs on target stand one above the other: neighbours' numbers must not.
        beside = (5 + 11 * (place % 4), -3)
        axes.annotate(
            str(number), (bulk, density), beside, textcoords="offset points", fontsize=8, color=DISTINCT[5],
            path_effects=[withStroke(linewidth=2.5, foreground="white")], zorder=4,
        )  # fmt: skip
    axes.scatter(
        [bulk for *_, bulk in numbers], [density for _, density, _ in numbers], s=46, color=DISTINCT[5],
        edgecolors="white", linewidths=0.7, zorder=3, label="designs",
    )  # fmt: skip
    if target is not None:
        axes.axvline(target, color=DISTINCT[5], linewidth=1, linestyle="--", label=f"target {target:.4g} GPa")
    shown = [bulk for *_, bulk in numbers] + ([target] if target else [])
    middle = float(np.exp(np.mean(np.log(shown)))) if shown else 30.0
    near = [m for m in materials if 1 / 30 < m.bulk / middle < 30] or list(materials)
    axes.set(xscale="log", yscale="log", xlabel="bulk modulus K, GPa", ylabel="density, g/cm³")
    axes.set_xlim(0.8 * min(m.bulk for m in near), 1.25 * max(m.bulk for m in near))
    axes.set_ylim(0.8 * min(m.density for m in near), 1.25 * max(m.density for m in near))
    axes.legend(frameon=False, fontsize=8)
    axes.grid(color="#E4E8EE", linewidth=0.6)
    axes.set_axisbelow(True)
    return _png(figure)


def _solid(values: np.ndarray) -> bool:
    """Whether a cell is drawn as a scene."""
    return values.shape[2] > 1 and can_render()


def _draw_scene(axes: Any, scene: Scene) -> None:
    axes.axis("off")
    axes.imshow(studio().picture(scene, _PIXELS, _PIXELS))


def _draw_cell(axes: Any, values: np.ndarray, colours: Any, norm: Normalize, *, shaded: bool) -> None:
    """A cell seen along z (2D: x to the right, y up), or as a cube whose faces z = 1, y = 1 and x = 1 are seen."""
    axes.set_aspect("equal")
    axes.axis("off")
    palette = ScalarMappable(norm, colours)
    if values.shape[2] == 1:
        axes.imshow(palette.to_rgba(values[:, :, 0].T), origin="lower", interpolation="nearest")
        return
    nx, ny, nz = values.shape
    height = nz / nx

    def corners(n: int, top: float = 1.0) -> np.ndarray:
        return np.linspace(0, top, n + 1)

    def screen(x: Any, y: Any, z: Any) -> tuple[Any, Any]:
        return _SLOPE * (y - x), z - (x + y) / 2

    depth = ny / nx
    x, y, z = corners(nx), corners(ny, depth), corners(nz, height)
    faces = (
        (screen(x[:, None], y[None], height), values[:, :, -1]),
        (screen(1.0, y[:, None], z[None]), values[-1]),
        (screen(x[:, None], depth, z[None]), values[:, -1]),
    )
    for ((across, up), face), shade in zip(faces, _SHADE, strict=True):
        rgba = palette.to_rgba(face)
        rgba[..., :3] *= shade if shaded else 1.0
        across, up = np.broadcast_arrays(across, up)
        axes.pcolormesh(across, up, rgba, edgecolors="face", linewidth=0.15)
    for a, b in (((0, depth), (1, depth)), ((1, 0), (1, depth))):
        axes.plot(*screen(*np.transpose([(*a, height), (*b, height)])), color=to_rgb("#1B2430"), linewidth=0.6)
    axes.plot(*screen(*np.transpose([(1, depth, 0), (1, depth, height)])), color=to_rgb("#1B2430"), linewidth=0.6)


def _label(name: str) -> str:
    """A material's name as a legend shows it: in two lines at most, never as Matplotlib's mathematics."""
    return "\n".join(textwrap.wrap(name, 48, max_lines=2, placeholder=" …")).replace("$", r"\$")


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # No software name and date inside: the same design gives the same bytes.
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()
