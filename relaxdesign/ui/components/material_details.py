"""One material in words: its numbers and their source, and how its substance is processed."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from relaxdesign.materials.catalogue import Material
from relaxdesign.materials.shaping import shaped
from relaxdesign.materials.substances import Substance, price_of, substances
from relaxdesign.ui.components import comparison
from relaxdesign.ui.text import escape, significant


def draw(material: Material, *, own: bool, buttons: Callable[[Material], None]) -> None:
    """The whole panel. own: whether it is not as shipped. buttons: draws what can be done with it."""
    with st.container(border=True, key="material-details"):
        badges = [f":gray-badge[{escape(material.sort)}]"]
        badges += [f":orange-badge[:material/warning: {escape(material.flag)}]"] * bool(material.flag)
        badges += [":blue-badge[own]"] * own
        st.markdown(f"**{escape(material.name)}**  \n{' '.join(badges)}")
        st.html(_numbers(material))
        if source := comparison.source(material):
            kind = f":gray[{escape(material.kind)}:] " if material.kind else ""
            st.markdown(f":small[{kind}{source}]")
        buttons(material)
        _substance(material)


def _numbers(material: Material) -> str:
    """HTML of the numbers, two beside each other where there is room; what is unknown is left out."""
    price = _price(material)
    known = {
        "E": _with_unit(material.young, "GPa", material.young_std),
        "ν": significant(material.poisson),
        "K": _with_unit(material.bulk, "GPa"),
        "G": _with_unit(material.shear, "GPa"),
        "Density": _with_unit(material.density, "g/cm³"),
        "Conductivity": _with_unit(material.conductivity, "W/(m K)", material.conductivity_std),
        "Expansion": _with_unit(material.expansion, "· 10⁻⁶/K"),
        "Price": price,
    }
    cells = "".join(
        f'<div><div style="opacity:.7;font-size:.85em">{name}</div><div>{value}</div></div>'
        for name, value in known.items()
        if value
    )
    columns = "repeat(auto-fill,minmax(7.5rem,1fr))"
    return f'<div style="display:grid;grid-template-columns:{columns};gap:.5rem .75rem">{cells}</div>'


def _with_unit(value: float | None, unit: str, std: float | None = None) -> str:
    if value is None:
        return ""
    spread = "" if std is None else f" ± {significant(std, 2)}"
    return f"{significant(value)}{spread} {unit}"


def _price(material: Material) -> str:
    """Its price by mass; that of a substance is an order of magnitude."""
    if material.price is None:
        return ""
    usual = material.price == price_of(material.substance)
    price = f"about {significant(material.price, 2)}" if usual else significant(material.price)
    return f"{price} {escape(material.money)}/kg" if material.money else f"{price} per kg"


def _substance(material: Material) -> None:
    """How the substance is processed, as designs judge pairs by it."""
    substance = substances().get(material.substance)
    if substance is None:
        said = f"The substance {escape(material.substance)} is not known" if material.substance else "No substance"
        st.caption(f"{said}: nothing is known of how it is processed, so that no pair with it is ruled out.")
        return
    st.markdown(f"**{escape(substance.name[:1].upper() + substance.name[1:])}** :gray[{escape(substance.kind)}]")
    lines = {
        "As matrix": _as_matrix(substance),
        "As inclusion": _as_inclusion(substance),
        "As lattice": f"{(lattice := shaped(material, 3)).brief} ({lattice.reason})",
        "Long use": "" if substance.service is None else f"up to {substance.service:,.0f} °C",
        "Hazards": substance.hazards,
    }
    st.markdown("\n".join(f"- {name}: {escape(text)}" for name, text in lines.items() if text))
    if substance.source:
        st.caption(escape(substance.source))


def _as_matrix(substance: Substance) -> str:
    if not substance.routes:
        return "no process puts particles into it"
    words = ", or ".join(route.words for route in substance.routes)
    return words if substance.may_be_matrix else f"not used as one, though it {words}"


def _as_inclusion(substance: Substance) -> str:
    forms = ", ".join(sorted(substance.forms))
    parts = [f"sold as {forms}" if forms else "", f"usually {substance.powder} µm" if substance.powder else ""]
    if substance.survives is not None:
        parts.append(f"{substance.limit or 'is stable'} at {substance.survives:,.0f} °C")
    if not substance.may_be_particle:
        parts.insert(0, "not used as one")
    return "; ".join(part for part in parts if part)
