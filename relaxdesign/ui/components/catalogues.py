"""Which materials this session designs with: the shipped ones, a catalogue of the library, or others as a text.

``materials_csv`` of the session is what requests carry, None for the shipped ones; ``catalogue`` is the id of the
catalogue in the library that it comes from, None without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache

import streamlit as st

from relaxdesign.library import CatalogueRecord, Catalogues, NotYours, UnknownCatalogue
from relaxdesign.materials import write_materials
from relaxdesign.materials.catalogue import Catalogue, CatalogueError, Material
from relaxdesign.materials.material import VOID
from relaxdesign.materials.writing import cells_of
from relaxdesign.people import named
from relaxdesign.study.request import DesignRequest
from relaxdesign.ui import server, visitor
from relaxdesign.ui.components import offer, ownership

SHIPPED, OTHER = "", "other"
"""Choices beside the ids of catalogues: what is shipped, and materials that no catalogue of the library has."""

DEFAULT_NAME = "My materials"


def kept() -> Catalogues:
    """The catalogues of the library."""
    return Catalogues(server.store())


def records() -> dict[str, CatalogueRecord]:
    """The catalogues of the library by id, as of the beginning of this redraw or the last change by this session."""
    state = st.session_state
    if state.get("catalogue_records") is None:
        state["catalogue_records"] = {record.id: record for record in kept().list()}
    return state["catalogue_records"]


def changeable() -> dict[str, CatalogueRecord]:
    """Those of them that the visitor may change."""
    return {key: record for key, record in records().items() if ownership.may_change(record)}


def label(record: CatalogueRecord) -> str:
    """The name of a catalogue, and whose it is if it is not the visitor's."""
    return f"{record.name}, of {named(record.author)}" if ownership.is_another_s(record) else record.name


def in_use() -> CatalogueRecord | None:
    """The catalogue of the library that is used; None without one."""
    return records().get(st.session_state.get("catalogue") or "")


def load(csv: str | None, warnings: tuple[str, ...] = ()) -> None:
    """Uses own materials, None: the shipped ones. warnings: told when they were read."""
    state = st.session_state
    state["materials_csv"], state["reading_warnings"] = csv, warnings
    _note(None if csv is None else kept().find(csv))


def use(catalogue_id: str | None) -> None:
    """Uses a catalogue of the library, None: the shipped materials. What was ticked of other materials is dropped.

    One that cannot be read, or is gone, leaves all as it is; ``wrong_catalogue`` says why.
    """
    state = st.session_state
    state["wrong_catalogue"] = ()
    try:
        csv = None if catalogue_id is None else _readable(catalogue_id)
    except CatalogueError as error:
        state["wrong_catalogue"] = error.problems
    except UnknownCatalogue as error:
        state["wrong_catalogue"] = (str(error),)
    else:
        state["materials_csv"], state["reading_warnings"] = csv, ()
        _note(catalogue_id)
        drop_unknown()


def refresh() -> None:
    """Takes over what another page or session has made of the catalogue in use; of one that is gone the text stays."""
    state = st.session_state
    _forget_records()
    if state.get("catalogue") is None:
        return
    record = in_use()
    if record is None:
        state["catalogue"] = None
    elif record.changed != state.get("catalogue_changed"):
        use(record.id)


def lacks(request: DesignRequest) -> str:
    """The phases and categories that a request names and the materials in use do not have, in words; empty if none."""
    materials = offer.catalogue()
    named = [name for name in request.phases if not _has(materials, name)]
    categories = [name for name in request.categories or () if name not in materials.categories]
    return ", ".join([*named, *(f"category {name}" for name in categories)])


def _has(materials: Catalogue, phase: str) -> bool:
    try:
        return bool(materials.phase(phase))
    except ValueError:
        return False


def drop_unknown() -> None:
    """Forgets ticked categories, left out materials and phases that the materials in use do not have."""
    state, materials = st.session_state, offer.catalogue()
    known = {"categories": {*materials.categories}, "exclude": {*materials.by_id}}
    known["phases"] = {*materials.by_id, VOID.id}
    for name, values in known.items():
        state[name] = [value for value in state.get(name) or () if value in values]
    offer.settle_shapes()


def selector(key: str) -> None:
    """The choice of the materials to design with."""
    choices = {SHIPPED: "Shipped materials"} | {record.id: label(record) for record in records().values()}
    state = st.session_state
    current = state.get("catalogue") or (SHIPPED if state.get("materials_csv") is None else OTHER)
    if current == OTHER:
        choices[OTHER] = "Own materials, not kept yet"
    state[key] = current
    st.selectbox(
        "Catalogue",
        list(choices),
        format_func=choices.__getitem__,
        key=key,
        on_change=_switch,
        args=(key,),
        help="The materials that designs are made of. Own ones are kept in the library on the page Materials.",
    )


def create(name: str, materials: Sequence[Material] | str) -> str:
    """Keeps materials, or the text of a table, as a new catalogue and uses it. Raises ValueError as `Catalogues`."""
    csv = materials if isinstance(materials, str) else write_materials(materials)
    made = kept().save(name, csv, private=visitor.wants_private())
    _forget_records()
    use(made)
    return made


def materials_of(catalogue_id: str) -> tuple[Material, ...]:
    """The materials of a catalogue. Raises UnknownCatalogue, and CatalogueError for one that cannot be used."""
    return server.own_catalogue(kept().read(catalogue_id)).materials


def rewrite(catalogue_id: str, materials: Sequence[Material]) -> None:
    """Puts materials into a catalogue, in place of what it had, and uses it.

    Raises UnknownCatalogue, NotYours, and ValueError for what cannot be kept.
    """
    kept().write(catalogue_id, write_materials(materials))
    _forget_records()
    use(catalogue_id)


def rename(catalogue_id: str, name: str) -> None:
    """Raises UnknownCatalogue, NotYours, and ValueError for a name that cannot be."""
    kept().rename(catalogue_id, name)
    _forget_records()


def show(catalogue_id: str, private: bool) -> None:
    """Changes who sees a catalogue, if it is still there and may be changed."""
    with suppress(UnknownCatalogue, NotYours):
        kept().show(catalogue_id, private=private)
    _forget_records()


def delete(catalogue_id: str) -> None:
    """Removes a catalogue for good, if it is still there, and uses the shipped materials."""
    with suppress(UnknownCatalogue, NotYours):  # somebody else was quicker
        kept().delete(catalogue_id)
    _forget_records()
    use(None)


def free_name(name: str = DEFAULT_NAME) -> str:
    """A name that no catalogue of the library has yet: this one, or with a number."""
    taken = {record.name for record in records().values()}
    numbered = (f"{name} {number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(other for other in numbered if other not in taken)


def own_ids() -> frozenset[str]:
    """Ids of the materials in use that are not just as they are shipped."""
    return _differing(offer.catalogue(), server.catalogue())


@lru_cache(maxsize=8)
def _differing(catalogue: Catalogue, shipped: Catalogue) -> frozenset[str]:
    if catalogue is shipped:
        return frozenset()
    known = shipped.by_id
    return frozenset(
        material.id
        for material in catalogue.materials
        if material.id not in known or cells_of(material) != cells_of(known[material.id])
    )


def _switch(key: str) -> None:
    """A choice was made. A callback, since what is ticked was of the other materials."""
    if (chosen := st.session_state[key]) != OTHER:
        use(chosen or None)


def _readable(catalogue_id: str) -> str:
    """The text of a catalogue. Raises UnknownCatalogue, and CatalogueError for one that cannot be used."""
    csv = kept().read(catalogue_id)
    server.own_catalogue(csv)
    return csv


def _forget_records() -> None:
    st.session_state["catalogue_records"] = None


def _note(catalogue_id: str | None) -> None:
    """Remembers which catalogue the materials come from, and as of when."""
    state = st.session_state
    state["catalogue"] = catalogue_id
    record = in_use()
    state["catalogue_changed"] = None if record is None else record.changed
