"""The materials in use as a table that can be searched, of which one is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd
import streamlit as st

from relaxdesign.materials.catalogue import Material
from relaxdesign.materials.substances import substances
from relaxdesign.ui.components import candidates, catalogues, offer
from relaxdesign.ui.text import plural

HEIGHT = 560  # px

_TEXT, _NUMBER = st.column_config.TextColumn, partial(st.column_config.NumberColumn, format="%.4g")
_COLUMNS = {
    "Name": _TEXT(width=186),
    "Own": _TEXT(width=46, help="Not as it is shipped"),
    "Category": _TEXT(width=70),
    "Substance": _TEXT(width=90, help="How it is processed; see a row"),
    "E, GPa": _NUMBER(width=62, help="Young's modulus"),
    "ν": _NUMBER(width=54, help="Poisson's ratio"),
    "K, GPa": _NUMBER(width=62, help="Bulk modulus"),
    "ρ, g/cm³": _NUMBER(width=66, help="Density"),
    "k, W/(m K)": _NUMBER(width=78, help="Thermal conductivity"),
    "α, 1e-6/K": _NUMBER(width=72, help="Thermal expansion"),
    "Price": _NUMBER(width=52, help="Per kg, in USD where it is that of the substance; a row tells the currency"),
    "Flag": _TEXT(width=52, help="Offered to designs only if flagged materials are included"),
}
_TEXTS = ("Own", "Name", "Category", "Substance", "Flag")


def draw() -> Material | None:
    """Search and table; returns the material that is chosen."""
    found = _search()
    if not found:
        st.info("No material matches. Fewer or shorter words usually help.", icon=":material/search_off:")
    else:
        _table(found)
    return offer.catalogue().by_id.get(st.session_state.get("material_shown", ""))


def show(material_id: str | None) -> None:
    """Chooses a material; the table lets go of its row."""
    st.session_state["material_shown"] = material_id
    st.session_state["materials_turn"] = st.session_state.get("materials_turn", 0) + 1


def _search() -> list[Material]:
    """The materials that the search finds, own ones first."""
    own, materials, known = catalogues.own_ids(), offer.catalogue().materials, offer.catalogue().categories
    state, of = st.session_state, st.session_state.get("catalogue") or ""  # another catalogue, another search
    state[f"material_categories-{of}"] = [each for each in state.get(f"material_categories-{of}", ()) if each in known]
    text, categories, mine = st.columns([2.4, 2, 0.8], vertical_alignment="bottom")
    words = text.text_input(
        "Search", placeholder="Words of a name, substance or flag", key=f"material_words-{of}", icon=":material/search:"
    )
    chosen = categories.multiselect(
        "Categories",
        known,
        format_func=str.capitalize,
        placeholder="All",
        key=f"material_categories-{of}",
    )
    only_own = mine.toggle("Own only", key=f"material_own-{of}", disabled=not own, help="Those that are not as shipped")
    found = [
        material
        for material in materials
        if (not chosen or material.category in chosen)
        and (material.id in own or not (only_own and own))
        and all(word in _described(material) for word in words.casefold().split())
    ]
    return sorted(found, key=lambda material: (material.id not in own, material.name.casefold()))


def _described(material: Material) -> str:
    """What words are looked for in."""
    substance = substances().get(material.substance)
    shared = f"{substance.name} {substance.kind}" if substance else material.substance
    return f"{material.name} {material.id} {material.category} {shared} {material.flag}".casefold()


def _table(found: Sequence[Material]) -> None:
    own, shown = catalogues.own_ids(), [material.id for material in found]
    total = len(offer.catalogue())
    count = plural(total, "material") if len(found) == total else f"{len(found)} of {plural(total, 'material')}"
    st.caption(f"{count}{f', {len(own)} of them own' if own else ''}. Choose a row to see it and to copy it.")
    # Another key for other rows: a choice must not carry over to them.
    key = f"materials-{hash((tuple(shown), st.session_state.get('materials_turn', 0)))}"
    st.dataframe(
        _frame(found, own),
        hide_index=True,
        column_config=_COLUMNS,
        placeholder="–",
        on_select=partial(_choose, key, shown),
        selection_mode="single-row",
        key=key,
        height=HEIGHT if len(found) > 14 else "auto",
        alt="Materials and their properties",
    )


def _choose(key: str, shown: Sequence[str]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    st.session_state["material_shown"] = shown[rows[0]] if rows and rows[0] < len(shown) else None


def _frame(found: Sequence[Material], own: frozenset[str]) -> pd.DataFrame:
    known = substances()
    rows = [
        {
            "Name": material.name,
            **({"Own": "own" if material.id in own else ""} if own else {}),
            "Category": material.category,
            "Substance": known[material.substance].name if material.substance in known else material.substance,
            "E, GPa": material.young,
            "ν": material.poisson,
            "K, GPa": material.bulk,
            "ρ, g/cm³": material.density,
            "k, W/(m K)": material.conductivity,
            "α, 1e-6/K": material.expansion,
            "Price": material.price,
            "Flag": material.flag,
        }
        for material in found
    ]
    return candidates.floats(pd.DataFrame(rows), but=tuple(name for name in _TEXTS if name in rows[0]))
