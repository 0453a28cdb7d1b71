"""The chart that fills the design page before a run.

It shows the materials; of several objectives what composites have at once; of given phases what they bound.
"""

from __future__ import annotations

import streamlit as st

from relaxdesign.physics.attainable import BOUNDED
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.objective import Objective
from relaxdesign.study.selection import with_known_properties
from relaxdesign.study.together import Together
from relaxdesign.ui import server
from relaxdesign.ui.components import ashby, bounds_chart, catalogues, controls, objectives, offer, together
from relaxdesign.ui.components.ashby import Interval
from relaxdesign.ui.errors import guard
from relaxdesign.ui.text import escape


def materials_chart() -> None:
    """All materials on offer, by the first quantity wanted that they have too; with what is reachable and wanted.

    Of several objectives what pairs have at once, of given phases what their cells can have.
    """
    with guard("the chart of materials"):
        wanted = objectives.intervals()
        if offer.given():
            _given_phases(wanted)
            return
        if (found := _together()) is not None:
            together.chart(found)
            return
        name = next((name for name in wanted if name in ashby.AXES and offer.known(name)), "K")
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
        st.caption(
            f"{count} {_origin()}. Shaded blue: the {label} that pairs of them can reach; orange: what is wanted."
        )


def _together() -> Together | None:
    """Of several objectives, if a request for them can be run."""
    try:
        request = controls.current()
    except ValueError:
        return None  # the sidebar says what is wrong
    return None if len(request.objectives) < 2 or server.refusal(request) else server.together(request)


def _origin() -> str:
    """What the materials in use are."""
    if st.session_state["materials_csv"] is None:
        return "real materials, each with a source"
    record = catalogues.in_use()
    return "materials of your own" if record is None else f"materials of **{escape(record.name)}**"


def _given_phases(wanted: dict[str, Interval]) -> None:
    """Bounds on the first quantity wanted that has some over the fraction of the phases; else what is sought."""
    try:
        phases = offer.selected().materials
    except ValueError:
        return  # the sidebar says what is wrong
    names = " and ".join(material.name for material in phases)
    name = next((name for name in wanted if name in BOUNDED and len(phases) == 2), None)
    if name is None:
        asked = ", ".join(
            QUANTITIES[each].with_unit(f"{QUANTITIES[each].label} {ashby.words(ends)}") for each, ends in wanted.items()
        )
        with st.container(border=True):
            st.markdown(
                f":material/search: **Sought are cells of {escape(names)}**  \n:gray[with {escape(asked)}]",
            )
            of = "these quantities" if len(phases) == 2 else "three phases"
            st.caption(f"For {of} the fractions of the phases alone set no bounds that could be drawn.")
        return
    label, bound = QUANTITIES[name].label, BOUNDED[name]
    figure = bounds_chart.chart(name, phases, wanted)
    alt = f"{bound} bounds on the {label} of cells of {names}"
    st.plotly_chart(figure, key="bounds", config={"displayModeBar": False}, alt=alt)
    said = f"Shaded blue: the {label} that cells of {escape(names)} can have ({bound} bounds); orange: what is wanted."
    if (least := bounds_chart.least_fraction(name, phases, wanted[name])) is not None:
        said += f" {bounds_chart.fraction_of(phases)}: at least {100 * least:.0f} %."
    st.caption(said)
