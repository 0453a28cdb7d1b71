"""The chart of materials that fills the design page before a run."""

from __future__ import annotations

import streamlit as st

from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.objective import Objective
from relaxdesign.study.selection import with_known_properties
from relaxdesign.ui.components import ashby, objectives, offer
from relaxdesign.ui.errors import guard


def materials_chart() -> None:
    """All materials on offer, by the first quantity wanted that they have too; with what is reachable and wanted."""
    with guard("the chart of materials"):
        wanted = objectives.intervals()
        name = next((name for name in wanted if name in ashby.AXES and offer.scale(name)), "K")
        try:
            offered = with_known_properties(offer.selected(), [Objective(quantity=name, sense="minimise")])
            reachable = offer.reachable(name)
        except ValueError:
            return  # the sidebar says what is wrong
        figure = ashby.chart(name, offered, offer.catalogue(), reachable, wanted)
        label = QUANTITIES[name].label
        alt = f"Materials by {label} and density"
        st.plotly_chart(figure, key="materials", config={"displaylogo": False}, alt=alt)
        count = len(offered)
        own = st.session_state["materials_csv"] is not None
        st.caption(
            f"{count} {'materials of your own' if own else 'real materials, each with a source'}. "
            f"Shaded blue: the {label} that pairs of them can reach; orange: what is wanted."
        )
