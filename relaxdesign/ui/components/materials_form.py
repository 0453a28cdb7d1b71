"""The materials in the sidebar: which of them are on offer, and the visitor's own in place of the shipped ones."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import streamlit as st

from relaxdesign.materials import decode_table
from relaxdesign.materials.catalogue import Catalogue, CatalogueError
from relaxdesign.materials.material import VOID
from relaxdesign.ui import navigation
from relaxdesign.ui.components import catalogues, offer, settings
from relaxdesign.ui.errors import guard
from relaxdesign.ui.text import escape, plural

LARGEST_UPLOAD_MB = 1
MOST_PROBLEMS = 10


def load_phases(names: tuple[str, ...]) -> None:
    """Sets the given phases, which a request may name in any way, by their ids; leaves out unknown ones."""
    found = []
    for name in names:
        with suppress(ValueError):
            found.append(offer.catalogue().phase(name).id)
    st.session_state["phases"] = found


def draw() -> None:
    """Which catalogue is used, what is chosen of it, and the upload of own materials."""
    catalogues.selector("catalogue_choice")
    problems(st.session_state.get("wrong_catalogue", ()), "that catalogue")
    materials = offer.catalogue()
    flagged = sum(bool(material.flag) for material in materials.materials)
    given = offer.given()
    settings.draw(
        "materials",
        without=_hidden(given),
        special={
            "phases": {
                "choices": {VOID.id: VOID.name} | _names(materials),
                "max_selections": 3,
                "on_change": offer.settle_shapes,
                "placeholder": "Found by the search",
                "help": "Void and a material for lattices and foams, two materials, or void and two: then only "
                "the shape is sought.",
            },
            "third_phase": {
                "choices": {"": "Choose one"} | _names(materials),
                "help": f"Material of the {offer.third_phase()}: every design has it.",
            },
            "third_amount": {"label": offer.third_amount()},
            "shape": {"disabled": not given},
            "categories": {
                "choices": {category: category.capitalize() for category in materials.categories},
                "placeholder": "All categories",
            },
            "exclude": {
                "choices": {material.id: material.name for material in materials.materials},
                "placeholder": "None left out",
            },
            "flagged": {
                "disabled": flagged == 0,
                "help": f"{flagged} of {len(materials)} materials are flagged, as toxic or exotic for instance. "
                "They are left out unless you include them.",
            },
        },
    )
    _own()


def _hidden(given: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the settings that make no sense for what is chosen. given: the phases, if they are."""
    third: tuple[str, ...] = ()
    if not offer.third_phase():
        st.session_state.update(third_phase="", third_amount=0.0)  # cannot be asked for, and is not seen
        third = "third_phase", "third_amount"
    return *third, *_hidden_of_shapes(given)


def _hidden_of_shapes(given: tuple[str, ...]) -> tuple[str, ...]:
    if not given:
        return "min_feature", "symmetry", "open_voids"
    choosing = "categories", "exclude", "flagged", "makeable"
    if st.session_state["dim"] == 3 and VOID.id in offer.phases():
        return choosing
    st.session_state["open_voids"] = False  # cannot be asked for, and its control is not seen
    return *choosing, "open_voids"


def _names(materials: Catalogue) -> dict[str, str]:
    """Names of materials by their ids, in alphabetical order."""
    return {m.id: m.name for m in sorted(materials.materials, key=lambda m: m.name.casefold())}


def problems(wrong: Sequence[str], where: str) -> None:
    """What is wrong with materials that could not be used, if anything is. where: the name of the file."""
    if wrong:
        first = f" The first {MOST_PROBLEMS}:" if len(wrong) > MOST_PROBLEMS else ""
        st.error(f"{plural(len(wrong), 'problem')} in {escape(where)}; nothing was changed.{first}")
        st.table({"What is wrong": [escape(text) for text in wrong[:MOST_PROBLEMS]]}, hide_index=True)


def _own() -> None:
    """The own materials that are used, or the upload of some."""
    if st.session_state["materials_csv"] is not None:
        materials = offer.catalogue()
        st.caption(f"Your own catalogue of {plural(len(materials), 'material')} is used.")
        for warning in st.session_state.get("reading_warnings") or materials.warnings:
            st.warning(escape(warning))
    else:
        _upload()
    st.page_link(navigation.MATERIALS, label="See and edit materials", icon=":material/table_view:")


def _upload() -> None:
    file = st.file_uploader(
        "Own materials (CSV)",
        type=["csv", "tsv", "txt"],
        key="materials_upload",
        max_upload_size=LARGEST_UPLOAD_MB,
        on_change=_take,
        help="Columns id, name, E_GPa, nu, rho_g_cm3; optional: category, substance, kind, K_GPa, G_GPa, k_W_mK, "
        "cte_1e-6_K, price_per_kg, E_std_GPa, k_std_W_mK (standard uncertainties), flag, source, url. Other units in "
        "headings: E (MPa), rho (kg/m3).",
    )
    if file is not None:
        problems(st.session_state.get("wrong_rows", ()), file.name)


def _take() -> None:
    """Offers the uploaded materials, or keeps what is wrong with them to be shown."""
    state = st.session_state
    state["wrong_rows"] = ()
    if (file := state["materials_upload"]) is None:
        return
    with guard("your own materials"):
        try:
            text, warnings = decode_table(file.getvalue())
            materials = Catalogue.from_text(text, warnings)
        except CatalogueError as error:
            state["wrong_rows"] = error.problems
        else:
            catalogues.load(text, materials.warnings)
            catalogues.drop_unknown()
