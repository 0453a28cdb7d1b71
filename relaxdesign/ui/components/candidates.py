"""Cards of finished candidates: what a design is made of and how well it meets the target."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from relaxdesign.materials.catalogue import Material
from relaxdesign.materials.material import void_of
from relaxdesign.microstructure import FAMILIES, known_parameters
from relaxdesign.microstructure.base import VOLUME_FRACTION
from relaxdesign.scene import phase_scene
from relaxdesign.scene.palette import VOID
from relaxdesign.scene.stills import studio
from relaxdesign.study import pareto
from relaxdesign.study.objective import Objective
from relaxdesign.study.result import Design
from relaxdesign.study.stiffness import of_stiffness
from relaxdesign.ui import server
from relaxdesign.ui.colours import phase_colours, rgb
from relaxdesign.ui.components.microstructures import picture
from relaxdesign.ui.text import escape, missed, off, percent, plain

INTERVALS = (
    "95 % interval of what is built of this design: error of the grid, other placements of the same inclusions, and "
    "uncertainty of the materials' own numbers"
)
PIXELS = 256

ON_TARGET, NEAR_TARGET = 0.01, 0.05
"""Largest misses of designs that are called on target, or near it."""

MADE = {"established": "green", "plausible": "blue", "unlikely": "orange", "impossible": "red"}
"""Colours of how sure it is that a design can be made."""

MOST_ENTRIES = 2
"""Of a wanted stiffness, that are told one by one, as in the title of a request."""

STAGES = {
    "relaxed": "Relaxed field",
    "projected": "Two phases",
    "snapped": "Catalogue materials",
    "refined": "Refined",
    "realised": "Realised cell",
}


@dataclass(frozen=True)
class Choices:
    """What a card's buttons do. shown: the design inspected below. marked: those that are compared."""

    shown: int | None
    marked: Collection[int]
    show: Callable[[int], None]
    mark: Callable[[int], None]


def gallery(run_id: str, designs: Sequence[Design], choices: Choices | None = None) -> None:
    """Cards side by side, as many in a row as fit. choices: None: cards without buttons."""
    trade_offs = {design.index for design in pareto.trade_offs(designs)}
    with st.container(horizontal=True, gap="small"):
        for design in designs:
            key = f"card-{run_id}-{design.index}"
            with st.container(border=True, key=key, height="stretch", gap="small"):
                if design.ok:
                    with st.container(height="stretch", gap="small"):
                        _card(key, design, trade_off=design.index in trade_offs)
                    if choices is not None:
                        _buttons(run_id, design, choices)
                else:
                    st.markdown(f"**Candidate {design.index + 1}**  \n:gray-badge[:material/block: no design]")
                    st.caption(escape(plain(design.index, design.message) or "It could not be turned into a design."))


def best(designs: Sequence[Design]) -> Design | None:
    """The verified design whose worst miss is the smallest."""
    verified = [design for design in designs if design.ok]
    return min(verified, key=lambda design: np.inf if design.error is None else abs(design.error), default=None)


def on_target(design: Design) -> bool:
    """Whether the realised cell is known to meet every target within 1 %."""
    reached = outcome(design)
    return (
        bool(reached) and len(reached) == len(design.targets) and all(abs(o.miss(v)) <= ON_TARGET for o, v in reached)
    )


def outcome(design: Design) -> list[tuple[Objective, float]]:
    """The targets with what the realised cell has of each."""
    reached = design.stages.get("realised", {})
    return [(o, reached[o.quantity]) for o in design.objectives if o.quantity in design.misses]


def shortfall(design: Design) -> str:
    """The targets that the realised cell misses by more than 1 %, and by how much: "K −19.0 %, density +42.0 %"."""
    far = [(o, value) for o, value in outcome(design) if abs(o.miss(value)) > ON_TARGET]
    return ", ".join(f"{o.quantity} {missed(o, value)}" for o, value in far)


def entries(design: Design) -> tuple[str, ...]:
    """The entries of a wanted stiffness that are told as one; none where few were asked for."""
    names = tuple(target.quantity for target in of_stiffness(design.objectives))
    return names if len(names) > MOST_ENTRIES and design.stiffness_error is not None else ()


def headline(design: Design) -> str:
    """What was asked for, as the realised cell has it: the quantity of every target with its miss.

    Of a whole stiffness its error relative to the norm.
    """
    reached, one = outcome(design), entries(design)
    if not reached:
        return f"**K = {escape(design.told('K'))}** {error_badge(design.error)}"
    error = design.stiffness_error
    lines = [f"**Stiffness** {error_badge(error, f'{off(error)} off')}"] if one and error is not None else []
    lines += [
        f"**{o.quantity} = {escape(design.told(o.quantity))}** {error_badge(o.miss(value), missed(o, value))}"
        for o, value in reached
        if o.quantity not in one
    ]
    return "  \n".join(lines)


def known(design: Design) -> list[str]:
    """The targets' quantities, or K, of which it is known how well they are known; of a whole stiffness the worst."""
    names, one = [name for name in design.misses or ("K",) if name in design.trust], entries(design)
    worst = max((name for name in names if name in one), key=lambda name: design.trust[name].width, default=None)
    return [name for name in names if name not in one or name == worst]


def intervals(design: Design) -> str:
    """How well the targets' quantities, or K, are known, and by what that is limited."""
    names = known(design)
    named = len(names) > 1 or bool(entries(design))
    return "  \n".join(f"{name if named else ''} {design.trust[name].brief}".lstrip() for name in names)


def phase_image(design: Design) -> np.ndarray:
    """The realised phases as a picture, RGBA, through whose voids the page is seen; 3D cells in perspective.

    Where this machine cannot render, the plane through their middle stands for them.
    """
    cell = design.cell
    colours = phase_colours(len(cell.materials), cell.void)
    if cell.dim == 3 and server.can_render():
        return studio().picture(phase_scene(cell.labels, colours, void=cell.void), PIXELS, PIXELS)
    labels = picture(cell.labels)
    labels = np.kron(labels, np.ones((max(1, PIXELS // labels.shape[0]),) * 2, labels.dtype))
    return np.array([(*rgb(c), 0 if i == cell.void else 255) for i, c in enumerate(colours)], np.uint8)[labels]


def swatch(colour: str) -> str:
    square = "□" if colour == VOID else "■"
    return f'<span style="color:{colour};-webkit-text-stroke:0.5px #8894a6">{square}</span>'


def error_badge(error: float | None, text: str = "") -> str:
    """The error in words and colour: green within 1 %, orange within 5 %. text: in place of the per cents."""
    colour = "red" if error is not None else "gray"
    if error is not None and abs(error) <= NEAR_TARGET:
        colour = "green" if abs(error) <= ON_TARGET else "orange"
    return f":{colour}-badge[{text or percent(error)}]"


def bounds_verdict(design: Design) -> str:
    """Where the realised K lies between the bounds, in words."""
    bounds, bulk = design.bounds, design.at("realised", "K")
    if bounds is None or bulk is None:
        return "no bounds"
    if not bounds.admits(bulk):
        return "outside the Voigt–Reuss bounds"
    slack = 1e-6 * bulk
    inside = bounds.hs_lower - slack <= bulk <= bounds.hs_upper + slack
    return "within the Hashin–Shtrikman bounds" if inside else "within the Voigt–Reuss bounds"


def stage_table(designs: Sequence[Design]) -> pd.DataFrame:
    """One row per candidate with the bulk modulus of every stage."""
    rows = []
    for design in designs:
        row = {"Candidate": design.index + 1}
        row |= {title: design.at(name, "K") for name, title in STAGES.items()}
        reached = design.stages.get("realised", {})
        row |= {f"{name}, realised": reached.get(name) for name in design.misses if name != "K"}
        row |= {
            "Error, %": None if design.error is None else round(100 * design.error, 2) + 0.0,  # no minus before 0.00
            "Spread, GPa": design.spread,
            "Density, g/cm³": design.value("density"),
            **({VOLUME_FRACTION.symbol: None} | described(design)),
            **{title: material.name for _, title, material in phases(design)},
            "Remark": design.message,
        }
        rows.append(row)
    titles = {title for design in designs for _, title, _ in phases(design)}
    return floats(pd.DataFrame(rows), but=("Candidate", "Remark", *titles))


def floats(table: pd.DataFrame, but: Collection[str]) -> pd.DataFrame:
    """The table with numbers in all columns except ``but``, also in those of which none is known."""
    return table.astype({name: float for name in table.columns if name not in but})


PARAMETER_COLUMNS = {
    parameter.symbol: st.column_config.NumberColumn(
        format="%.3f", help=f"{parameter.label.capitalize()}, {parameter.unit or 'fraction of the cell edge'}"
    )
    for parameter in known_parameters().values()
} | {
    VOLUME_FRACTION.symbol: st.column_config.NumberColumn(
        format="%.3f", help="Volume fraction of all phases but the first"
    )
}
"""How parameters of families are shown in tables, by their symbols."""

STAGE_COLUMNS = {
    **{title: st.column_config.NumberColumn(title, format="%.4g", help="K in GPa") for title in STAGES.values()},
    "Error, %": st.column_config.NumberColumn(format="%+.2f", help="Of the realised cell, against the target"),
    "Spread, GPa": st.column_config.NumberColumn(
        format="%.2g", help="Standard deviation of K over random placements of the same design"
    ),
    "Density, g/cm³": st.column_config.NumberColumn(format="%.3f"),
    **PARAMETER_COLUMNS,
}


@st.cache_data(show_spinner=False, max_entries=500)
def _encoded(key: str, _design: Design) -> bytes:
    # Kept by the card's key: galleries are redrawn at every click.
    buffer = io.BytesIO()
    Image.fromarray(phase_image(_design).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def _card(key: str, design: Design, *, trade_off: bool) -> None:
    st.image(_encoded(key, design), width="stretch", alt=f"Phases of candidate {design.index + 1}")
    st.markdown(
        f":gray[{design.index + 1}] {headline(design)}\n\n"
        + "  \n".join(f":small[{_phase(colour, material)}]" for colour, _, material in phases(design)),
        unsafe_allow_html=True,
    )
    density = design.value("density")
    if told := intervals(design):
        st.caption(told, help=INTERVALS)
    st.caption(
        f"{_shape(design)}  \nρ {'–' if density is None else f'{density:.3g} g/cm³'}  \n"
        f"{bounds_verdict(design)[:1].upper()}{bounds_verdict(design)[1:]}"
    )
    if (made := design.makeable) is not None:
        st.caption(f":{MADE[made.level]}-badge[{escape(made.route or made.level)}]", help=escape(made.words))
    if trade_off:
        st.caption(":violet-badge[on the Pareto front]", help="No other candidate betters it in every objective.")
    if design.message:
        st.caption(f":orange[{escape(design.message)}]")


def _shape(design: Design) -> str:
    """Volume fraction and what else the family says of its cells."""
    return " · ".join(f"{symbol} {value:.3f}" for symbol, value in described(design).items())


def described(design: Design) -> dict[str, float]:
    """The volume fraction and the parameters of the family, by symbol."""
    shown = {} if design.volume_fraction is None else {VOLUME_FRACTION.symbol: design.volume_fraction}
    symbols = {parameter.name: parameter.symbol for parameter in FAMILIES[design.family].parameters}
    return shown | {symbols[name]: value for name, value in design.parameters.items()}


def phases(design: Design) -> list[tuple[str, str, Material]]:
    """Colour, title and material of every phase; none where the design was not realised."""
    titles = (name.capitalize() for name in design.phases)
    return list(
        zip(phase_colours(len(design.materials), void_of(design.materials)), titles, design.materials, strict=False)
    )


def _phase(colour: str, material: Material) -> str:
    kind = "" if material.void else f" :gray[{escape(material.sort)}]"
    return f"{swatch(colour)} {escape(material.name)}{kind}"


def _buttons(run_id: str, design: Design, choices: Choices) -> None:
    shown, marked = design.index == choices.shown, design.index in choices.marked
    st.button(
        "Shown below" if shown else "Inspect",
        key=f"inspect-{run_id}-{design.index}",
        type="primary" if shown else "secondary",
        icon=":material/arrow_downward:" if shown else ":material/view_in_ar:",
        width="stretch",
        on_click=choices.show,
        args=(design.index,),
    )
    st.button(
        "Compared" if marked else "Compare",
        key=f"compare-{run_id}-{design.index}",
        type="tertiary",
        icon=":material/check_box:" if marked else ":material/check_box_outline_blank:",
        width="stretch",
        on_click=choices.mark,
        args=(design.index,),
    )
