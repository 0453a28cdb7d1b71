"""The pictures of docs/shapes.md: random cells of every generator, solid dark; of 3D cells the middle slice.

``python benchmarks/shape_figures.py`` writes docs/figures/shapes-2d.png and shapes-3d.png.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from PIL import Image

from relaxdesign.microstructure.free_form.generators import GENERATORS, draw_shapes

FIGURES = Path(__file__).parents[1] / "docs" / "figures"
COLUMNS = 10


def draw(dim: int, grid: int) -> None:
    kinds = [kind for kind in GENERATORS.values() if dim in kind.dims]
    figure, axes = plt.subplots(len(kinds), COLUMNS, figsize=(COLUMNS, len(kinds)), dpi=80)
    for row, kind in zip(axes, kinds, strict=True):
        cells = draw_shapes(kind.name, COLUMNS, grid, dim, torch.Generator().manual_seed(2))
        for place, cell in zip(row, cells, strict=True):
            place.imshow((cell if dim == 2 else cell[..., grid // 2]).T, cmap="gray_r", origin="lower")
            place.set_xticks([])
            place.set_yticks([])
        row[0].set_ylabel(kind.name, rotation=0, ha="right", va="center", fontsize=9)
    figure.subplots_adjust(left=0.12, right=0.995, top=0.995, bottom=0.005, wspace=0.04, hspace=0.04)
    path = FIGURES / f"shapes-{dim}d.png"
    figure.savefig(path)
    with Image.open(path) as picture:
        picture.convert("L").quantize(8).save(path, optimize=True)


if __name__ == "__main__":
    draw(2, 64)
    draw(3, 32)
