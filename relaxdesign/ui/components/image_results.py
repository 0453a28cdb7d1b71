"""What is told of an imaged cell beside its values: interval, other boundaries, and whether it is large enough."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from relaxdesign.microstructure.imaged import (
    SHOWN,
    TITLES,
    block_values,
    embedded_dict,
    estimates_dict,
    interval_dict,
    representative_dict,
    verdict,
)
from relaxdesign.microstructure.representative import representativity
from relaxdesign.physics.effective_properties import Evaluation
from relaxdesign.physics.fem import ConvergenceError
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.cell_text import write_cell
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.stiffness import stiffness_objectives
from relaxdesign.ui import background, navigation, server
from relaxdesign.ui.components.cell_source import Imaged, Source
from relaxdesign.ui.text import escape, significant

BLOCKS = 12
"""Of each size, in the app."""


def beside(source: Source, solved: Evaluation) -> dict[str, Any] | None:
    """The table beside the values, and its content for the files; None while it is computed."""
    imaged = source.imaged
    assert imaged is not None
    key = ("beside", background.digest(*source.cell.data.arrays.values()), imaged.embed)
    try:
        told = background.result(key, partial(_computed, source, imaged, solved), "Computing interval and estimates")
    except (ConvergenceError, ValueError) as error:
        st.warning(f"No interval and no estimates: {escape(str(error))}.", icon=":material/warning:")
        return {"image": imaged.found.to_dict()}
    if told is None:
        return None
    rows = [_row(name, solved, told) for name in SHOWN if name in solved.values]
    st.markdown("**How well the image tells it** :gray[95 % interval of the voxels; other conditions at its faces]")
    st.dataframe(pd.DataFrame(rows), hide_index=True, key=f"beside-{source.key}")
    return told


def _computed(source: Source, imaged: Imaged, solved: Evaluation) -> dict[str, Any]:
    data, found = source.cell.data, imaged.found
    told: dict[str, Any] = {"image": found.to_dict(), "interval": interval_dict(found.shares, imaged.materials, solved)}
    if found.open:
        told["estimates"] = estimates_dict(data, solved)
    if imaged.embed:
        told["embedded"] = embedded_dict(data, None)
    return told


def _row(name: str, solved: Evaluation, told: dict[str, Any]) -> dict[str, str]:
    row = {"": QUANTITIES[name].heading, "As voxels": significant(solved.values[name])}
    if (found := (told["interval"] or {}).get(name)) is not None:
        half = 0.5 * (found["high"] - found["low"])
        row["Interval"] = f"{significant(found['value'])} ± {significant(half, 2)}"
    for kind, each in told.get("estimates", {}).items():
        row[TITLES[kind].capitalize()] = significant(each[name])
    if name in told.get("embedded", {}):
        row["Embedded"] = significant(told["embedded"][name])
    return row


def design_like(source: Source, solved: Evaluation) -> None:
    """Buttons that ask for designs of the same phases, with the stiffness of this cell or beginning from it, too."""
    imaged = source.imaged
    assert imaged is not None
    dim = 2 if source.cell.flat else 3
    try:
        request = DesignRequest(
            dim=dim,
            family="free-form",
            phases=tuple(material.id for material in imaged.materials),
            objectives=stiffness_objectives(solved.C, dim),
        )
    except ValueError:
        st.caption("Designs like this one need two or three different phases.")
        return
    like, begun = st.columns(2)
    if like.button("Design cells with this stiffness", icon=":material/grain:", key=f"like-{source.key}"):
        _open(request)
    size = server.grid_of_shapes(dim)
    fits = imaged.found.shape == ((size,) * dim + (1,) * (3 - dim))
    if begun.button(
        "Begin designs from this cell",
        icon=":material/start:",
        key=f"begin-{source.key}",
        disabled=not fits,
        help="Designs are variations of it: it is taken to a noise level and denoised towards what is wanted."
        if fits
        else f"For cells of {size} voxels per edge; this one has {' × '.join(map(str, imaged.found.shape))}. Crop or "
        "downsample it.",
    ):
        cell = write_cell(imaged.found.shares.argmax(0))
        _open(DesignRequest.model_validate(request.model_dump() | {"start_cell": cell}))


def _open(request: DesignRequest) -> None:
    """Opens the page of designs with a request."""
    st.session_state["to_load"] = request
    st.switch_page(navigation.DESIGN)


def representative(source: Source) -> None:
    """Whether the image is large enough, from blocks of growing size; computed when asked for."""
    imaged = source.imaged
    assert imaged is not None
    within = st.number_input(
        "Wanted half-width, %", 0.5, 50.0, 3.0, 0.5, key="image-within", persist_state="session", width=220
    )  # fmt: skip
    if any(done.step == "mirror" for done in imaged.found.steps):
        st.info("A mirror image tells nothing new of the material: take the image as it is.", icon=":material/info:")
        return
    data = source.cell.data
    key = ("representative", background.digest(*data.arrays.values()))

    def computed() -> dict[str, Any]:
        measure = partial(block_values, data, boundary="periodic")
        *_, (_, _, found) = representativity(data.E.shape, measure, most=BLOCKS)
        assert found is not None  # the last one
        return representative_dict(data, found, "periodic", float(within))

    if not st.toggle("Compute blocks of the image", key=f"image-blocks-{source.key}", persist_state="session"):
        st.caption("Cuts the image into blocks of growing size and computes each (Kanit et al. 2003): minutes in 3D.")
        return
    try:
        told = background.result(key, computed, "Computing blocks of the image")
    except (ConvergenceError, ValueError) as error:
        st.warning(f"{escape(str(error))}.", icon=":material/warning:")
        return
    if told is not None:
        _told(told, float(within), source.key)


def _told(told: dict[str, Any], within: float, key: str) -> None:
    length = told["correlation_length"]
    st.markdown(f"Two-point correlation length: {'beyond the image' if length is None else f'{length:.3g} voxels'}.")
    for name, found in told["estimates"].items():
        found = found | {"representative": found["relative"] <= within / 100.0}
        ends = QUANTITIES[name].with_unit(f"{significant(found['low'])} … {significant(found['high'])}")
        enough = found["representative"] or within == told["within"]
        words = verdict(found, within) if enough else f"this image is not big enough for ± {within:g} %"
        st.markdown(f"**{QUANTITIES[name].title}** of the infinite medium (95 %): {ends}: {words}.")
    rows = [
        {"Voxels per edge": size["edge"], "Blocks": size["count"]}
        | {
            QUANTITIES[name].heading: f"{significant(mean)} ± {significant(size['deviation'][name], 2)}"
            for name, mean in size["mean"].items()
        }
        for size in told["sizes"]
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, key=f"blocks-{key}")
