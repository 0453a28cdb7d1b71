"""The map of a campaign: any two properties of its designs, their front, and the designs under the brush."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from relaxdesign.campaign import designs_table
from relaxdesign.library import CampaignRecord, DesignSearch, UnknownRun, Viewer
from relaxdesign.microstructure import FAMILIES, known_parameters
from relaxdesign.microstructure.base import singular
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.pareto import pareto_front
from relaxdesign.ui import navigation, server, visitor
from relaxdesign.ui.colours import DISTINCT
from relaxdesign.ui.components import campaign_downloads, candidates, pictures
from relaxdesign.ui.text import escape, plural

MOST_DRAWN = 20_000
MOST_CARDS = 8
GOOD = ("smaller", "larger")
BOUNDS: dict[str, tuple[str, str] | None] = {
    "Hashin–Shtrikman": ("K_hs_lower", "K_hs_upper"),
    "Voigt–Reuss": ("K_reuss", "K_voigt"),
    "None": None,
}


def draw(record: CampaignRecord) -> None:
    """Chart, selection and downloads."""
    table = _drawn(record)
    if table.empty:
        st.caption("The map appears with the first verified design.")
        return
    names = [name for name in ("density", "K", *QUANTITIES) if name in table.columns]
    names += [name for name in (*known_parameters(), "error") if name in table.columns]
    unknown = table.columns[table.isna().all()]  # as parameters of other families
    names = [name for name in dict.fromkeys(names) if name not in unknown]
    x, y, x_good, y_good, bars = st.columns(5)
    across = x.selectbox("Across", names, names.index("density"), format_func=_label, key="map_x")
    up = y.selectbox("Up", names, names.index("K"), format_func=_label, key="map_y")
    small_x = x_good.selectbox("Better across", GOOD, 0, key="map_small_x") == "smaller"
    small_y = y_good.selectbox("Better up", GOOD, 1, key="map_small_y") == "smaller"
    with_bounds = "K" in (across, up) and "K_voigt" in table.columns
    bounds = bars.selectbox("Bounds on K", list(BOUNDS), key="map_bounds", disabled=not with_bounds)
    front = pareto_front(table[across], table[up], small_x=small_x, small_y=small_y)
    event = st.plotly_chart(
        chart(table, across, up, front, BOUNDS[bounds] if with_bounds else None),
        key=_key(record),
        on_select="rerun",
        selection_mode=("points", "box", "lasso"),
        config={"displaylogo": False},
    )
    chosen = table.iloc[brushed(event["selection"]["points"], len(table))]
    st.caption(_caption(record, len(table), len(front), len(chosen), bounds if with_bounds and BOUNDS[bounds] else ""))
    campaign_downloads.draw(record, chosen, table.iloc[front])
    if not chosen.empty:
        _chosen(chosen)


def brushed(points: list[dict[str, Any]], count: int) -> list[int]:
    """Rows of the table that the points of a selection stand for, each once."""
    rows = {point["customdata"] for point in points if "customdata" in point}
    return sorted(row for row in rows if row < count)


def chart(
    table: pd.DataFrame, across: str, up: str, front: np.ndarray, bounds: tuple[str, str] | None = None
) -> go.Figure:
    """All designs, the front as a line, and bounds on K of its designs, by their columns, where K is an axis."""
    figure = go.Figure()
    materials = server.catalogue().materials
    if {across, up} == {"K", "density"}:
        places = {"K": [m.bulk for m in materials], "density": [m.density for m in materials]}
        figure.add_trace(
            go.Scattergl(
                x=places[across],
                y=places[up],
                mode="markers",
                name="Catalogue",
                marker={"size": 4, "color": "#7A8699", "opacity": 0.35},
                unselected={"marker": {"opacity": 0.35}},
                hoverinfo="skip",
            )
        )
    labels = [f"{made}<br>{run}".replace("<b", "‹b") for made, run in zip(_made_of(table), table.run_name, strict=True)]
    figure.add_trace(
        go.Scattergl(
            x=table[across],
            y=table[up],
            mode="markers",
            name="Designs",
            text=labels,
            customdata=list(range(len(table))),
            marker={"size": 7, "color": DISTINCT[0], "opacity": 0.65},
            hovertemplate="%{text}<br>%{x:.4g}, %{y:.4g}<extra></extra>",
        )
    )
    best = table.iloc[front]
    bars: dict[str, Any] = {}
    for name, bar in ((across, "error_x"), (up, "error_y")):
        if name == "K" and bounds is not None:
            low, high = (best[column] for column in bounds)
            bars[bar] = {"array": (high - best.K).clip(0), "arrayminus": (best.K - low).clip(0), "thickness": 1}
    figure.add_trace(
        go.Scatter(
            x=best[across],
            y=best[up],
            mode="lines+markers",
            name="Front",
            customdata=[int(row) for row in front],
            marker={"size": 9, "symbol": "diamond", "color": DISTINCT[5]},
            line={"width": 1.5, "color": DISTINCT[5]},
            hoverinfo="skip",
            **bars,
        )
    )
    figure.update_xaxes(title=_label(across), **_axis(table[across]))
    figure.update_yaxes(title=_label(up), **_axis(table[up]))
    figure.update_layout(
        height=430, margin={"l": 0, "r": 0, "t": 8, "b": 0}, dragmode="select", legend={"orientation": "h", "y": 1.08}
    )
    return figure


def _drawn(record: CampaignRecord) -> pd.DataFrame:
    """The newest designs; while some are selected, those among which they were selected.

    Streamlit forgets a selection when the figure changes, and its points are rows of the table.
    """
    state, key = st.session_state, f"drawn-{record.id}"
    selected = state.get(_key(record), {}).get("selection", {}).get("points")
    if not selected or key not in state:
        state[key] = _table(record.id, record.done, visitor.viewer())
    return state[key]


@st.cache_data(show_spinner=False, max_entries=4)
def _table(campaign_id: str, done: int, viewer: Viewer) -> pd.DataFrame:
    """The newest verified designs by their numbers, as a viewer sees them. done: read anew when more are there."""
    return designs_table(server.jobs().store.seen_by(viewer), campaign_id, MOST_DRAWN).to_pandas()


def _key(record: CampaignRecord) -> str:
    return f"map-{record.id}"


def _caption(record: CampaignRecord, drawn: int, on_front: int, selected: int, bounds: str) -> str:
    """What is on the map, and what is not."""
    total = server.store().count_designs(DesignSearch(campaign=record.id))
    if drawn == total:
        sentences = [f"{plural(total, 'verified design')}, {on_front} on the front."]
    else:
        newest = ", the newest" if drawn == MOST_DRAWN else ""
        sentences = [f"{drawn:,} of {total:,} verified designs drawn{newest}; {on_front} of those drawn on the front."]
    if bounds:
        sentences.append(f"Bars: {bounds} bounds on K of the designs on the front.")
    if not selected:
        sentences.append("Draw a box or a lasso on the map to see the designs in it.")
    elif record.status == "running":
        sentences.append("While designs are selected no new ones are drawn; a double click on the map ends that.")
    return " ".join(sentences)


def _chosen(chosen: pd.DataFrame) -> None:
    st.markdown(f"**{plural(len(chosen), 'design')} under the brush**")
    shown = chosen.head(MOST_CARDS)
    cards = shown.assign(made=_made_of(shown)).to_dict("records")
    for start in range(0, len(cards), 4):
        for column, row in zip(st.columns(4), cards[start : start + 4], strict=False):
            with column, st.container(border=True):
                _card(row)
    described = [name for name in (*known_parameters(), *_phases()) if name in chosen.columns]
    st.dataframe(chosen[["run_name", "index", "K", "density", "error", *described]], hide_index=True, placeholder="–")


def _card(row: dict[Any, Any]) -> None:
    try:
        design = server.store().design(row["run_id"], row["index"])
    except UnknownRun:
        st.caption("This design has been removed.")
        return
    st.image(pictures.phase_image(design), width="stretch", alt=f"Phases of a design of {row['run_name']}")
    st.caption(
        f"**{escape(row['run_name'])}**  \n{escape(row['made'])}  \nK {row['K']:.4g} GPa · ρ {row['density']:.3g} g/cm³"
    )
    st.markdown(candidates.headline(design))
    st.page_link(navigation.DESIGN, label="Open", icon=":material/open_in_new:", query_params={"run": row["run_id"]})


def _label(name: str) -> str:
    if name in QUANTITIES:
        quantity = QUANTITIES[name]
        return f"{quantity.title}{f', {quantity.unit}' if quantity.unit else ''}"
    parameter = known_parameters().get(name)
    return name.capitalize() if parameter is None else parameter.label.capitalize()


def _phases() -> list[str]:
    """The columns of materials that designs of any family have."""
    return list(dict.fromkeys(singular(phase) for family in FAMILIES.values() for phase in family.phases))


def _made_of(table: pd.DataFrame) -> list[str]:
    """The materials of every design."""
    rows = table[[name for name in _phases() if name in table.columns]].itertuples(index=False)
    return [" + ".join(name for name in row if isinstance(name, str)) for row in rows]


def _axis(values: Any) -> dict[str, Any]:
    """The designs fill the chart, small differences are not blown up; logarithmic beyond a factor of five."""
    low, high = values.min(), values.max()
    if low > 0 and high > 5 * low:
        margin = 0.06 * math.log10(high / low)
        return {"type": "log", "range": [math.log10(low) - margin, math.log10(high) + margin]}
    margin = max(0.06 * (high - low), 0.1 * abs(high)) or 1.0
    return {"type": "linear", "range": [low - margin, high + margin]}
