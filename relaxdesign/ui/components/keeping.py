"""Where own materials are kept: a catalogue of the library that is there, or a new one with or without others."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from relaxdesign.library import CatalogueRecord
from relaxdesign.library.catalogues import LONGEST_NAME
from relaxdesign.ui.components import catalogues

NEW = ""


@dataclass(frozen=True)
class Place:
    """record: a catalogue that is there, None for a new one. name: its name. beside: whether others go in, too."""

    record: CatalogueRecord | None
    name: str
    beside: bool


def choose(key: str, name: str, *, others: str, alone: str, first: str = NEW) -> Place:
    """The controls of a place, keyed by ``key``. name: for a new catalogue.

    others, alone: words for a new one with and without those that are used now. first: id of what is chosen at first.
    """
    records = catalogues.changeable()
    chosen = NEW
    if records:
        choices = [NEW, *records]
        chosen = st.selectbox(
            "Keep in",
            choices,
            choices.index(first) if first in choices else 0,
            format_func=lambda choice: catalogues.label(records[choice]) if choice in records else "A new catalogue",
            key=f"{key}-into",
        )
    if chosen in records:
        return Place(records[chosen], records[chosen].name, beside=False)
    left, right = st.columns([1, 1.4])
    named = left.text_input("Name of the new catalogue", name, max_chars=LONGEST_NAME, key=f"{key}-name")
    with_others = right.segmented_control(
        "What is in it", [others, alone], default=others, required=True, key=f"{key}-beside", width="stretch"
    )
    return Place(None, named, beside=with_others == others)
