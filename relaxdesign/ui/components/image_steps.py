"""The steps from grey values to phases, chosen and put in order, with one slice before and after."""

from __future__ import annotations

import itertools

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from relaxdesign.io.previews import Preview, Slab
from relaxdesign.io.uploads import UploadError, preview_steps
from relaxdesign.ui import background
from relaxdesign.ui.colours import phase_colours, rgb
from relaxdesign.ui.text import escape, significant

STEPS = {
    "crop": (
        "Crop",
        "0:100, 0:100, 0:100",
        "Keeps a box of voxels, first:last along x, y, z; an empty end is the image's",
    ),
    "median": ("Median", "3", "Median over a cube of so many voxels: less noise"),
    "nlm": (
        "Non-local means",
        "0.8",
        "Less noise, edges kept; strength in standard deviations of the noise. Slow in 3D",
    ),
    "otsu": ("Otsu", "2", "Divides the grey values into so many classes"),
    "threshold": ("Threshold by hand", "", "Divides the grey values at these: 90 or 90, 170"),
    "remove": ("Remove pieces", "20", "Pieces of fewer voxels go to the phase around them"),
    "downsample": ("Downsample", "2", "Joins blocks of so many voxels per edge; they hold shares of phases"),
    "cubic": ("Cubic voxels", "", "Resamples voxels that are no cubes; their edge, or empty for the shortest"),
}
"""By the name of the step: title, what its number is at first, help."""

_SHOWN = 320  # pixels of a slice at least
_KEY, _CHOSEN = "image-steps", "image-step-new"
_numbers = itertools.count()


def choose(slab: Slab) -> tuple[str, ...]:
    """The rows of the steps; their texts in order."""
    rows = st.session_state.setdefault(_KEY, _usual(slab))
    columns = st.columns([2, 1], vertical_alignment="bottom")
    columns[0].selectbox(
        "Step", list(STEPS), format_func=lambda name: STEPS[name][0], key=_CHOSEN, persist_state="session",
        help="  \n".join(f"**{title}**: {help_}" for title, _, help_ in STEPS.values()),
    )  # fmt: skip
    columns[1].button("Add", icon=":material/add:", key="image-step-add", on_click=_add, args=(slab,))
    texts = []
    for place, (number, name) in enumerate(rows):
        title, start, help_ = STEPS[name]
        with st.container(horizontal=True, vertical_alignment="bottom", key=f"image-step-row-{number}"):
            value = st.text_input(
                f"{place + 1}. {title}", st.session_state.get(f"image-step-start-{number}", start), help=help_,
                key=f"image-step-{number}", persist_state="session",
            )  # fmt: skip
            for icon, move, told in (("arrow_upward", -1, "up"), ("arrow_downward", 1, "down"), ("close", 0, "away")):
                st.button(
                    "", icon=f":material/{icon}:", key=f"image-step-{told}-{number}", on_click=_move,
                    args=(place, move), help=f"Take this step {told}",
                )  # fmt: skip
        texts.append(f"{name} {value.replace(', ', ',').strip()}".strip())
    return tuple(texts)


def show(slab: Slab, texts: tuple[str, ...], digest: str) -> Preview | None:
    """One slice before and after the steps, the histogram, and what the steps found; None while it is computed."""
    before, after = st.columns(2)
    before.image(_picture(slab.shown, bool(slab.labels)), f"Slice {slab.index} before", width="stretch")
    try:
        with after:
            made = background.result(
                ("image-preview", digest, slab.index, texts), lambda: preview_steps(slab, texts), "Taking the steps"
            )
    except UploadError as error:
        st.warning(escape(str(error)), icon=":material/warning:")
        return None
    if made is None:
        return None
    after.image(_picture(made.after, made.labelled), "After the steps", width="stretch")
    if not slab.labels:
        _histogram(slab, made)
    if made.problem:
        st.warning(f"{escape(made.problem[0].upper() + made.problem[1:])}.", icon=":material/info:")
    return made


def told(found: dict) -> str:
    """``median 3``; ``otsu: thresholds 127``."""
    numbers = {name: value for name, value in found.items() if name not in ("step", "warning")}
    words = ", ".join(f"{name} {_short(value)}" for name, value in numbers.items())
    return f"{found['step']}: {words}" if words else found["step"]


def _short(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_short, value))
    return significant(value) if isinstance(value, float) else str(value)


def _usual(slab: Slab) -> list[tuple[int, str]]:
    """The first steps: of grey values a filter and a threshold, of labels none."""
    return [] if slab.labels else [(next(_numbers), name) for name in ("median", "otsu")]


def _add(slab: Slab) -> None:
    """Adds the step that is chosen now: whoever is quick presses before the page is drawn with the choice."""
    name, number = st.session_state[_CHOSEN], next(_numbers)
    if name == "threshold":
        middle = 0.5 * float(slab.edges[0] + slab.edges[-1])
        st.session_state[f"image-step-start-{number}"] = f"{middle:.4g}"
    if name == "crop":
        st.session_state[f"image-step-start-{number}"] = ",".join(f"0:{count}" for count in slab.shape)
    st.session_state[_KEY].append((number, name))


def _move(place: int, by: int) -> None:
    """Moves a step; by 0: takes it away."""
    rows = st.session_state[_KEY]
    row = rows.pop(place)
    if by:
        rows.insert(max(0, place + by), row)


def _picture(values: np.ndarray, labelled: bool) -> np.ndarray:
    """A slice (nx, ny) as an image whose rows are y, uint8: grey, or a colour for every label."""
    if labelled:
        names, index = np.unique(values, return_inverse=True)
        colours = np.array([rgb(colour) for colour in phase_colours(len(names))], dtype=np.uint8)
        shown = colours[index.reshape(values.shape)]
    else:
        low, high = np.percentile(values, (0.5, 99.5))
        shown = np.clip((values - low) / max(high - low, 1e-12) * 255, 0, 255).astype(np.uint8)
    times = max(1, _SHOWN // max(values.shape))
    return shown.swapaxes(0, 1).repeat(times, 0).repeat(times, 1)


def _histogram(slab: Slab, made: Preview) -> None:
    """How often grey values are, with the thresholds that the steps set."""
    middles = 0.5 * (slab.edges[1:] + slab.edges[:-1])
    figure = go.Figure(go.Bar(x=middles, y=slab.counts, marker_color="#7A7A8C", name="voxels"))
    for found in made.found:
        for value in found.get("thresholds", ()):
            figure.add_vline(value, line_color="#D55E00", annotation_text=significant(value))
    figure.update_layout(
        height=170, margin={"l": 10, "r": 10, "t": 20, "b": 30}, bargap=0, showlegend=False,
        xaxis_title="grey value", yaxis_visible=False,
    )  # fmt: skip
    st.plotly_chart(
        figure, key="image-histogram", config={"displayModeBar": False}, alt="Histogram of the grey values of the image"
    )
