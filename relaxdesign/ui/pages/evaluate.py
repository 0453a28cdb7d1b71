"""The page "Evaluate": the solver as a tool of its own, for cells that are drawn here or uploaded."""

import streamlit as st

from relaxdesign.ui import server

st.markdown(
    "## Evaluate a cell\n"
    "Effective stiffness, conductivity, thermal expansion, bounds and local fields of a microstructure: draw one from "
    "two materials of the catalogue, or upload your own: voxels, a surface, or an image of a CT or a microscope."
)
server.wait()

from relaxdesign.ui.components import cell_results, cell_sources  # noqa: E402  (loads torch, see server.wait)
from relaxdesign.ui.errors import guard  # noqa: E402

with guard("the cell"):
    source = cell_sources.choose()
    if source is not None:
        cell_results.render(source)
