"""The form of one own material: a copy of another with other numbers, or one that is changed.

It stays open, with all that was typed, until it is saved or cancelled, whatever redraws the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from relaxdesign.library import NotYours, UnknownCatalogue
from relaxdesign.materials import read_material
from relaxdesign.materials.catalogue import Material
from relaxdesign.materials.substances import price_of, substances
from relaxdesign.materials.writing import cells_of, new_id
from relaxdesign.ui.components import catalogues, keeping, material_table, offer, ownership
from relaxdesign.ui.components.keeping import Place
from relaxdesign.ui.errors import guard
from relaxdesign.ui.text import escape, sentence, significant

LONGEST_TEXT = 200

_NUMBERS = {
    "E_GPa": ("Young's modulus E, GPa", ""),
    "nu": ("Poisson's ratio ν", ""),
    "rho_g_cm3": ("Density ρ, g/cm³", ""),
    "k_W_mK": ("Conductivity k, W/(m K)", "unknown"),
    "cte_1e-6_K": ("Expansion α, 1e-6/K", "unknown"),
    "price_per_kg": ("Price, per kg", "unknown"),
}
"""Labels and what stands in empty fields, by column."""

_FOLLOWS = {"E_GPa": ("K_GPa", "G_GPa", "E_std_GPa"), "nu": ("K_GPa", "G_GPa"), "k_W_mK": ("k_std_W_mK",),
            "source": ("kind", "url")}  # fmt: skip
"""Columns without a field that are no longer true once another one is changed."""


@dataclass(frozen=True)
class Draft:
    """What is being edited. new: whether it becomes another material. turn: tells the fields of forms apart."""

    material: Material
    new: bool
    turn: int


def copy(material: Material) -> None:
    """Opens the form with a copy. A callback."""
    taken = {each.name for each in offer.catalogue().materials}
    names = (f"{material.name}, own{number}" for number in ("", *(f" {n}" for n in range(2, len(taken) + 3))))
    copied = replace(material, name=next(name for name in names if name not in taken), source=f"after {material.name}")
    _open(replace(copied, kind="", url=""), new=True)


def edit(material: Material) -> None:
    """Opens the form with a material of the catalogue in use. A callback."""
    _open(material, new=False)


def draw() -> None:
    """The form, if something is being edited."""
    if (draft := st.session_state.get("draft")) is not None:
        show = st.dialog(
            "A new material" if draft.new else "Edit the material", width="large", dismissible=False,
            icon=":material/edit:",
        )(_form)  # fmt: skip
        show(draft)


def _open(material: Material, *, new: bool) -> None:
    turn = st.session_state.get("draft_turn", 0) + 1
    st.session_state.update(draft=Draft(material, new, turn), draft_turn=turn)
    st.session_state.pop("importing", None)  # one form at a time


def _form(draft: Draft) -> None:
    with guard("the form"):
        place = _place(draft)
        with st.form(f"draft-{draft.turn}", border=False):
            cells = _fields(draft)
            problem = st.container()
            cancel, save = st.columns(2)
            cancelled = cancel.form_submit_button("Cancel", width="stretch", key="draft-cancel")
            saved = save.form_submit_button(
                "Save", type="primary", icon=":material/check:", width="stretch", key="draft-save"
            )
        if cancelled:
            del st.session_state["draft"]
            st.rerun()
        if saved:
            try:
                _save(draft, cells, place)
            except (ValueError, UnknownCatalogue, NotYours) as error:
                problem.error(sentence(error), icon=":material/error:")
            else:
                del st.session_state["draft"]
                st.rerun()


def _place(draft: Draft) -> Place:
    """Where the material goes: into the catalogue in use, or where the visitor wants it."""
    if (record := catalogues.in_use()) is not None and ownership.may_change(record):
        where = "goes into" if draft.new else "is changed in"
        st.caption(f"It {where} the catalogue **{escape(catalogues.label(record))}**.")
        return Place(record, record.name, beside=False)
    shipped = st.session_state["materials_csv"] is None
    others = "The shipped ones and mine" if shipped else "The present ones and mine"
    st.caption("It is kept in the library, in a catalogue that designs can be made of:")
    return keeping.choose(f"draft-{draft.turn}-place", catalogues.free_name(), others=others, alone="Only mine")


def _fields(draft: Draft) -> dict[str, str]:
    """The controls; returns all cells of the material as they are set."""
    material, key = draft.material, f"draft-{draft.turn}"
    before = cells_of(material)
    typed = {"name": st.text_input("Name", before["name"], max_chars=LONGEST_TEXT, key=f"{key}-name")}
    category, substance, flag, currency = st.columns([3, 3, 2, 1.4])
    typed["category"] = category.selectbox(
        "Category", sorted({*offer.catalogue().categories, material.category}), accept_new_options=True,
        index=sorted({*offer.catalogue().categories, material.category}).index(material.category),
        key=f"{key}-category",
    ) or ""  # fmt: skip
    typed["substance"] = _substance(substance, material, key)
    typed["flag"] = flag.text_input(
        "Flag", before["flag"], max_chars=40, key=f"{key}-flag", placeholder="none",
        help="E.g. toxic. Flagged materials are offered to designs only if the settings include them.",
    )  # fmt: skip
    typed["currency"] = currency.text_input(
        "Currency", before["currency"], max_chars=8, key=f"{key}-currency", placeholder="EUR", help="Of the price below"
    )
    for first in (0, 3):
        names = list(_NUMBERS)[first : first + 3]
        for column, name in zip(st.columns(3), names, strict=True):
            label, empty = _NUMBERS[name]
            if name == "price_per_kg" and (usual := price_of(material.substance)) is not None:
                empty = f"{significant(usual, 2)}, of the substance"
            typed[name] = column.text_input(label, before[name], max_chars=60, key=f"{key}-{name}", placeholder=empty)
    typed["source"] = st.text_input(
        "Source", before["source"], max_chars=1000, key=f"{key}-source", placeholder="Where the numbers are from"
    )
    st.caption("The bulk and shear moduli follow from E and ν. Leave empty what is not known.")
    changed = [name for name, text in typed.items() if text.strip() != before[name]]
    return before | typed | {other: "" for name in changed for other in _FOLLOWS.get(name, ())}


def _substance(place: DeltaGenerator, material: Material, key: str) -> str:
    known = {"": "None of the known ones"} | {
        each.id: each.name for each in sorted(substances().values(), key=lambda each: each.name.casefold())
    }
    known.setdefault(material.substance, material.substance)
    return place.selectbox(
        "Substance", list(known), list(known).index(material.substance), format_func=known.__getitem__,
        key=f"{key}-substance", help="Tells how it is processed, and with what it can be combined.",
    )  # fmt: skip


def _save(draft: Draft, cells: dict[str, str], place: Place) -> None:
    """Puts the material into its catalogue. Raises ValueError, or UnknownCatalogue where that is gone."""
    others: Sequence[Material] = ()
    if place.record is not None:
        others = catalogues.materials_of(place.record.id)
    elif place.beside:
        others = offer.catalogue().materials
    made, warnings = _made(draft, cells, others)
    if draft.new or made.id not in {other.id for other in others}:
        materials = [*others, made]
    else:
        materials = [made if other.id == made.id else other for other in others]
    if place.record is None:
        catalogues.create(place.name, materials)
    else:
        catalogues.rewrite(place.record.id, materials)
    st.session_state["material_warnings"] = warnings
    material_table.show(made.id)


def _made(draft: Draft, cells: dict[str, str], others: Sequence[Material]) -> tuple[Material, tuple[str, ...]]:
    """The material of the cells, with warnings. Raises ValueError for what is none, and for a name that is taken."""
    own_id = draft.material.id
    if draft.new:
        taken = {*offer.catalogue().by_id, *(other.id for other in others)}
        own_id = new_id(cells["name"], taken)
    made, warnings = read_material(cells | {"id": own_id})
    same = made.name.casefold()
    if any(other.name.casefold() == same and other.id != own_id for other in others):
        raise ValueError(f"there is a material named {made.name!r} in this catalogue already: choose another name")
    return made, warnings
