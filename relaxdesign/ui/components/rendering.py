"""Surfaces as pictures, rendered by PyVista on the server, for browsers that cannot draw them."""

from __future__ import annotations

import numpy as np

from relaxdesign.ui.colours import ModulusScale

SIZE = (640, 480)


def surface_image(young: np.ndarray, scale: ModulusScale, *, dark: bool) -> np.ndarray:
    """The surface between stiff and soft voxels of a field (nx, ny, nz) in GPa, as a picture (480, 640, 3)."""
    import pyvista as pv

    cell = pv.ImageData(dimensions=np.array(young.shape) + 1)
    cell.cell_data["E"] = young.ravel(order="F")
    middle = float(np.sqrt(young.min() * young.max()))
    stiff = cell.threshold(middle, scalars="E").extract_surface()
    plotter = pv.Plotter(off_screen=True, window_size=list(SIZE))
    try:
        plotter.renderer.set_background("#12171F" if dark else "#FFFFFF")
        plotter.add_mesh(stiff, scalars="E", cmap="viridis", clim=(scale.low, scale.high), log_scale=True,
                         show_scalar_bar=False, ambient=0.3)  # fmt: skip
        plotter.add_mesh(cell.outline(), color="#8894A6", line_width=2)
        plotter.renderer.view_isometric()
        return np.asarray(plotter.screenshot(return_img=True))
    finally:
        plotter.close()
