"""The chart of materials that fills the design page before a run."""

from __future__ import annotations

import streamlit as st

from relaxdesign.ui import server
from relaxdesign.ui.components import ashby, controls
from relaxdesign.ui.errors import guard


def materials_chart() -> None:
    """All materials on offer, with the reachable band and the target as they were when the page was drawn."""
    with guard("the chart of materials"):
        catalogue = server.catalogue()
        categories, flagged, dim = controls.chosen_materials()
        try:
            offered = catalogue.select(categories=categories, flagged=flagged)
            reachable = server.reachable_bulk(categories, flagged, dim)
        except ValueError:
            return  # the sidebar says what is wrong
        limits = server.reachable_bulk(None, True, dim)
        figure = ashby.chart(offered, catalogue, limits, reachable, controls.target())
        st.plotly_chart(figure, key="materials", config={"displaylogo": False})
        st.caption(
            f"{len(offered)} real materials, each with a source. "
            "Shaded: effective bulk moduli that pairs of them can reach."
        )
