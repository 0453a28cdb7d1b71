"""Cards of finished candidates: what a design is made of and how well it meets the target."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from relaxdesign.materials.catalogue import Material
from relaxdesign.microstructure import FAMILIES, known_parameters
from relaxdesign.microstructure.base import VOLUME_FRACTION, Parameter
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study import pareto
from relaxdesign.study.objective import Objective
from relaxdesign.study.result import NEAR_TARGET, ON_TARGET, Design
from relaxdesign.study.stiffness import of_stiffness
from relaxdesign.ui import units
from relaxdesign.ui.colours import ModulusScale, phases_of
from relaxdesign.ui.components import pictures
from relaxdesign.ui.text import escape, missed, off, percent, plain, symbol

INTERVALS = (
    "95 % interval of what is built of this design: error of the grid, other placements of the same inclusions, and "
    "uncertainty of the materials' own numbers"
)

USUAL = "within the Hashin–Shtrikman bounds"
COMPROMISE = "On the Pareto front: every other candidate is worse than this one in at least one objective."

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
    """What a card's buttons do. shown: the design that is inspected. marked: those that are compared."""

    shown: int | None
    marked: Collection[int]
    show: Callable[[int], None]
    mark: Callable[[int], None]


def gallery(
    run_id: str, designs: Sequence[Design], choices: Choices | None = None, scale: ModulusScale | None = None
) -> None:
    """Cards side by side, as many in a row as fit. choices: None: cards without buttons. scale: of the colours."""
    trade_offs = {design.index for design in pareto.trade_offs(designs)}
    with st.container(horizontal=True, gap="small", key=f"gallery-{run_id}"):
        for design in designs:
            key = f"card-{run_id}-{design.index}"
            with st.container(border=True, key=key, height="stretch", gap="small"):
                if design.ok:
                    with st.container(height="stretch", gap="small"):
                        _card(key, design, scale, trade_off=design.index in trade_offs)
                    if choices is not None:
                        _buttons(run_id, design, choices)
                else:
                    st.markdown(f"**Candidate {design.index + 1}**  \n:gray-badge[:material/block: no design]")
                    st.caption(escape(plain(design.index, design.message) or "It could not be turned into a design."))
    if scale is not None and any(design.ok and design.cell.void is None for design in designs):
        pictures.legend(scale)


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
        return f"**K = {escape(units.told(design, 'K'))}** {error_badge(design.error)}"
    error = design.stiffness_error
    lines = [f"**Stiffness** {error_badge(error, f'{off(error)} off')}"] if one and error is not None else []
    for o, value in reached:
        if o.quantity not in one:
            badge = error_badge(o.miss(value), missed(o, value))
            lines.append(f"**{symbol(o.quantity)} = {escape(units.told(design, o.quantity))}** {badge}")
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


def error_badge(error: float | None, text: str = "") -> str:
    """The error in words and colour: green within 1 %, orange within 5 %. text: in place of the per cents."""
    colour = "red" if error is not None else "gray"
    if error is not None and abs(error) <= NEAR_TARGET:
        colour = "green" if abs(error) <= ON_TARGET else "orange"
    return f":{colour}-badge[{text or percent(error)}]"


def bounds_verdict(design: Design) -> str:
    """Where the realised K lies between the bounds, in words; empty without bounds."""
    bounds, bulk = design.bounds, design.at("realised", "K")
    if bounds is None or bulk is None:
        return ""
    if not bounds.admits(bulk):
        return "outside the Voigt–Reuss bounds"
    if design.cell.void is not None:  # where the lower bounds are nothing
        return f"K is {100 * bulk / float(bounds.hs_upper):.0f} % of its upper bound"
    slack = 1e-6 * bulk
    inside = bounds.hs_lower - slack <= bulk <= bounds.hs_upper + slack
    return USUAL if inside else "within the Voigt–Reuss bounds"


def about_bounds(design: Design) -> str:
    """What the verdict on the bounds means, for a tip."""
    if design.bounds is None:
        return ""
    low, high = (units.text(float(end), "GPa", 3) for end in (design.bounds.hs_lower, design.bounds.hs_upper))
    if design.cell.void is not None:
        return (
            f"No arrangement of these solids in this amount has a bulk modulus above {high} on average over all "
            "directions (upper Hashin–Shtrikman bound). Beside a void there is no lower one."
        )
    return (
        f"Whatever their arrangement, these phases in these amounts give a bulk modulus from {low} to {high} "
        "(Hashin–Shtrikman bounds). A value outside of them, but between Voigt and Reuss, is an error of the grid: "
        "its voxels are too coarse for the shapes in it."
    )


def stage_table(designs: Sequence[Design]) -> pd.DataFrame:
    """One row per candidate with the bulk modulus of every stage, in the units that are shown."""
    gpa = units.unit_of("GPa")
    rows = []
    for design in designs:
        row = {"Candidate": design.index + 1}
        row |= {title: units.converted(design.at(name, "K"), "GPa") for name, title in STAGES.items()}
        reached = design.stages.get("realised", {})
        row |= {
            f"{units.heading(name)}, realised": units.converted(reached.get(name), QUANTITIES[name].unit)
            for name in design.misses
            if name != "K"
        }
        row |= {
            "Error, %": None if design.error is None else round(100 * design.error, 2) + 0.0,  # no minus before 0.00
            f"Spread, {gpa}": units.converted(design.spread, "GPa"),
            units.heading("Density", "g/cm³"): units.converted(design.value("density"), "g/cm³"),
            **({column(VOLUME_FRACTION): None} | described(design)),
            **{title: material.name for _, title, material in phases(design)},
            "Remark": design.message,
        }
        rows.append(row)
    titles = {title for design in designs for _, title, _ in phases(design)}
    return floats(pd.DataFrame(rows), but=("Candidate", "Remark", *titles))


def floats(table: pd.DataFrame, but: Collection[str]) -> pd.DataFrame:
    """The table with numbers in all columns except ``but``, also in those of which none is known."""
    return table.astype({name: float for name in table.columns if name not in but})


def column(parameter: Parameter) -> str:
    """The title of a parameter's column."""
    return parameter.label.capitalize()


PARAMETER_COLUMNS = {
    column(parameter): st.column_config.NumberColumn(
        format="%.3f", help=f"{parameter.label.capitalize()}, {parameter.unit or 'fraction of the cell edge'}"
    )
    for parameter in known_parameters().values()
} | {
    column(VOLUME_FRACTION): st.column_config.NumberColumn(
        format="%.3f", help="Volume fraction of all phases but the first"
    )
}
"""How parameters of families are shown in tables, by the titles of their columns."""


def stage_columns() -> dict[str, Any]:
    """How the columns of `stage_table` are shown."""
    gpa = units.unit_of("GPa")
    number = st.column_config.NumberColumn
    return {
        **{title: number(title, format="%.4g", help=f"K in {gpa}") for title in STAGES.values()},
        "Error, %": number(format="%+.2f", help="Of the realised cell, against the target"),
        f"Spread, {gpa}": number(
            format="%.2g", help="Standard deviation of K over random placements of the same design"
        ),
        units.heading("Density", "g/cm³"): number(format="%.4g"),
        **PARAMETER_COLUMNS,
    }


def _card(key: str, design: Design, scale: ModulusScale | None, *, trade_off: bool) -> None:
    pictures.show(design, key, scale)
    st.markdown(
        f":gray[{design.index + 1}] {headline(design)}\n\n"
        + "  \n".join(f":small[{_phase(colour, material)}]" for colour, _, material in phases(design, scale)),
        unsafe_allow_html=True,
    )
    st.caption(_shape(design), help=_about(design) or None)
    if (verdict := bounds_verdict(design)) not in ("", USUAL):
        st.caption(f"{verdict[:1].upper()}{verdict[1:]}", help=about_bounds(design))
    badges = []
    if (made := design.makeable) is not None:
        badges.append((f":{MADE[made.level]}-badge[{escape(made.route or made.level)}]", escape(made.words)))
    if trade_off:
        badges.append((":violet-badge[best compromise]", COMPROMISE))
    for badge, tip in badges:
        st.caption(badge, help=tip)
    if design.message:
        st.caption(f":orange[{escape(design.message)}]")


def _about(design: Design) -> str:
    """The tip of a card: how well its numbers are known, and where it lies between its bounds as most do."""
    known_as = intervals(design)
    told = [f"{known_as}  \n{INTERVALS}."] if known_as else []
    if bounds_verdict(design) == USUAL:
        told.append(f"K is {USUAL}. {about_bounds(design)}")
    return "\n\n".join(told)


def _shape(design: Design) -> str:
    """In a line: how much of the cell all phases but the first fill, what the family says of it, its density."""
    names = (phase.lower() for phase in design.phases)
    filled = [f"{100 * share:.3g} % {name}" for name, share in zip(names, design.shares, strict=False)][1:]
    known = {parameter.name: parameter for parameter in FAMILIES[design.family].parameters}
    sizes = [
        f"{known[name].label} {value:.3g} {known[name].unit or 'of the edge'}"
        for name, value in design.parameters.items()
    ]
    density = design.value("density")
    told = any(o.quantity == "density" for o, _ in outcome(design))  # above
    heavy = [] if density is None or told else [f"density {units.text(density, 'g/cm³', 3)}"]
    lines = [", ".join(filled), *sizes, *heavy]
    line = " · ".join(filter(None, lines))
    return f"{line[:1].upper()}{line[1:]}"


def described(design: Design) -> dict[str, float]:
    """The volume fraction and the parameters of the family, by the titles of their columns."""
    shown = {} if design.volume_fraction is None else {column(VOLUME_FRACTION): design.volume_fraction}
    known = {parameter.name: parameter for parameter in FAMILIES[design.family].parameters}
    return shown | {column(known[name]): value for name, value in design.parameters.items()}


def phases(design: Design, scale: ModulusScale | None = None) -> list[tuple[str, str, Material]]:
    """Colour, title and material of every phase; none where the design was not realised."""
    titles = (name.capitalize() for name in design.phases)
    return list(zip(phases_of(design.materials, scale), titles, design.materials, strict=False))


def _phase(colour: str, material: Material) -> str:
    kind = "" if material.void else f" :gray[{escape(material.sort)}]"
    return f"{pictures.swatch(colour)} {escape(material.name)}{kind}"


def _buttons(run_id: str, design: Design, choices: Choices) -> None:
    shown, marked = design.index == choices.shown, design.index in choices.marked
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Shown" if shown else "Inspect",
            key=f"inspect-{run_id}-{design.index}",
            type="primary" if shown else "secondary",
            icon=":material/visibility:",
            on_click=choices.show,
            args=(design.index,),
        )
        st.button(
            "Compared" if marked else "Compare",
            key=f"compare-{run_id}-{design.index}",
            type="tertiary",
            icon=":material/check_box:" if marked else ":material/check_box_outline_blank:",
            on_click=choices.mark,
            args=(design.index,),
        )
