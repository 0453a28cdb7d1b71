"""What can be done with whole catalogues: import, export, keep, rename, delete."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import PurePath

import streamlit as st

from relaxdesign.export.names import safe_name
from relaxdesign.library import CatalogueRecord, NotYours, UnknownCatalogue
from relaxdesign.library.catalogues import LONGEST_NAME
from relaxdesign.materials import decode_table, write_materials
from relaxdesign.materials.catalogue import Catalogue, CatalogueError, Material
from relaxdesign.ui import server
from relaxdesign.ui.components import catalogues, keeping, material_table, materials_form, offer, ownership
from relaxdesign.ui.components.keeping import Place
from relaxdesign.ui.errors import guard
from relaxdesign.ui.text import escape, plural, sentence

MERGE, REPLACE = "Add to it", "Replace all of it"


def buttons() -> None:
    """Import, export and, of a catalogue of the library, what else can be done."""
    record = catalogues.in_use()
    with st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        st.button(
            "Import",
            icon=":material/upload_file:",
            key="import",
            help="Own materials from a CSV file, into a new catalogue or one that is there",
            on_click=_open_import,
        )
        materials = offer.catalogue().materials
        name = record.name if record else "materials"
        st.download_button(
            "Export",
            lambda: ("\ufeff" + write_materials(materials)).encode(),  # the mark, so that spreadsheets read ν right
            f"{safe_name(name)}.csv",
            "text/csv",
            icon=":material/download:",
            key="export",
            on_click="ignore",
            help="All materials of the catalogue as CSV: to edit and import again, or for --materials on the command "
            "line",
        )
        if record is not None:
            _more(record)


def notices() -> None:
    """What should be known of the catalogue in use, and the undoing of what was just removed."""
    state = st.session_state
    materials_form.problems(state.get("wrong_catalogue", ()), "that catalogue")
    if state.get("materials_csv") is not None and catalogues.in_use() is None:
        _not_kept()
    for warning in state.get("material_warnings", ()):
        st.warning(escape(warning), icon=":material/warning:")
    _undo()


def dialogs() -> None:
    """The import, if it is open."""
    if st.session_state.get("importing"):
        _import()


def remove(material: Material) -> None:
    """Takes a material out of the catalogue in use. A callback."""
    if (record := catalogues.in_use()) is None:
        return
    try:
        before = catalogues.materials_of(record.id)
        catalogues.rewrite(record.id, [other for other in before if other.id != material.id])
    except (UnknownCatalogue, NotYours, ValueError):  # deleted or spoilt meanwhile: the page says so
        return
    material_table.show(None)
    st.session_state["removed"] = (record.id, material)


def _undo() -> None:
    """Says what was removed last, and takes it back."""
    catalogue_id, material = st.session_state.get("removed", (None, None))
    record = catalogues.in_use()
    if record is None or record.id != catalogue_id:
        return

    def restore() -> None:
        del st.session_state["removed"]
        with suppress(UnknownCatalogue, NotYours, ValueError):
            materials = catalogues.materials_of(record.id)
            if material.id not in {other.id for other in materials}:
                catalogues.rewrite(record.id, [*materials, material])
            material_table.show(material.id)

    with st.container(border=True, key="undo"):
        text, button = st.columns([5, 1], vertical_alignment="center")
        text.markdown(f":material/delete: **{escape(material.name)}** was removed.")
        button.button("Undo", key="undo-material", icon=":material/undo:", width="stretch", on_click=restore)


def _not_kept() -> None:
    """Materials of a file or a request: how they were read, and the button that keeps them."""
    count = plural(len(offer.catalogue()), "material")
    with st.container(border=True, key="not-kept"):
        text, button = st.columns([3.4, 1.6], vertical_alignment="center")
        text.markdown(
            f":material/info: **{count} of a file or a request** that no catalogue of the library has. Keep them to "
            "edit them, and to find them again."
        )
        with button.popover("Keep in the library", icon=":material/bookmark_add:", width="stretch"):
            name = st.text_input("Name", catalogues.free_name(), max_chars=LONGEST_NAME, key="keep-name")
            if st.button("Keep", type="primary", key="keep-save", width="stretch"):
                try:
                    catalogues.create(name, st.session_state["materials_csv"])
                except ValueError as error:
                    st.error(sentence(error))
                else:
                    st.rerun()
    for warning in st.session_state.get("reading_warnings") or offer.catalogue().warnings:
        st.warning(escape(warning))


def _more(record: CatalogueRecord) -> None:
    fixed = not ownership.may_change(record)
    with st.popover("More", icon=":material/more_vert:", help="Rename, delete", key="icon-catalogue-more"):
        ownership.warn(record, "Only its owner and administrators can change it." if fixed else "")
        ownership.switch_private(record, catalogues.show)
        name = st.text_input("Name", record.name, max_chars=LONGEST_NAME, key=f"rename-{record.id}-{record.name}")
        same = name == record.name
        if st.button("Rename", icon=":material/edit:", key="rename", width="stretch", disabled=same or fixed):
            try:
                catalogues.rename(record.id, name)
            except (ValueError, UnknownCatalogue, NotYours) as error:
                st.error(sentence(error))
            else:
                st.rerun()
        remove_it = "Delete the catalogue"
        if st.button(remove_it, icon=":material/delete:", key="delete-catalogue", width="stretch", disabled=fixed):
            _confirm(record)


@st.dialog("Delete the catalogue?", icon=":material/delete_forever:")
def _confirm(record: CatalogueRecord) -> None:
    own = len(catalogues.own_ids())
    ownership.warn(record)
    st.markdown(
        f"**{escape(record.name)}** with {plural(own, 'own material')} will be deleted. This cannot be undone. Runs "
        "keep the materials that they were started with."
    )
    keep, drop = st.columns(2)
    if keep.button("Keep", width="stretch", key="keep-catalogue"):
        st.rerun()
    if drop.button(
        "Delete", type="primary", width="stretch", key="really-delete", on_click=catalogues.delete, args=(record.id,)
    ):
        st.rerun()


# ---- import ----------------------------------------------------------------------------------------


def _open_import() -> None:
    state = st.session_state
    state["importing"] = state.get("import_turn", 0) + 1
    state["import_turn"] = state["importing"]
    state.pop("draft", None)  # one form at a time


@st.dialog("Import materials", width="large", dismissible=False, icon=":material/upload_file:")
def _import() -> None:
    with guard("the import"):
        turn = st.session_state["importing"]
        file = st.file_uploader(
            "Table of materials (CSV)",
            type=["csv", "tsv", "txt"],
            key=f"import-file-{turn}",
            max_upload_size=materials_form.LARGEST_UPLOAD_MB,
            help="As exported here, or with columns id, name, E_GPa, nu, rho_g_cm3; units in the headings.",
        )
        found = None if file is None else _read(file.name, file.getvalue())
        place, merge = None, False
        if file is not None and found is not None:
            st.markdown(f":material/check: **{plural(len(found), 'material')}** in {escape(file.name)}")
            for warning in found.warnings:
                st.warning(escape(warning))
            place, merge = _into(PurePath(file.name).stem, f"import-{turn}")
        problem = st.container()
        cancel, save = st.columns(2)
        if cancel.button("Cancel", width="stretch", key="import-cancel"):
            del st.session_state["importing"]
            st.rerun()
        pressed = save.button(
            "Import", type="primary", icon=":material/check:", width="stretch", key="import-save", disabled=not place
        )
        if pressed and found is not None and place is not None:
            try:
                _take(found.materials, place, merge)
            except (ValueError, UnknownCatalogue, NotYours) as error:
                problem.error(sentence(error), icon=":material/error:")
            else:
                del st.session_state["importing"]
                st.rerun()


def _read(name: str, content: bytes) -> Catalogue | None:
    """The materials of a file; None, and what is wrong is on the page, if there is anything."""
    try:
        return Catalogue.from_text(*decode_table(content))
    except CatalogueError as error:
        materials_form.problems(error.problems, name)
        return None


def _into(name: str, key: str) -> tuple[Place, bool]:
    """Where imported materials go, and whether those that are there stay."""
    record = catalogues.in_use()
    named = catalogues.free_name(" ".join(name.split())[:LONGEST_NAME] or catalogues.DEFAULT_NAME)
    place = keeping.choose(
        key, named, others="The shipped ones and these", alone="Only these", first=record.id if record else keeping.NEW
    )
    if place.record is None:
        return place, False
    way = st.segmented_control(
        "What it has already",
        [MERGE, REPLACE],
        default=MERGE,
        required=True,
        key=f"{key}-way",
        help="Materials with the id of one that is there take its place.",
    )
    return place, way == MERGE


def _take(found: Sequence[Material], place: Place, merge: bool) -> None:
    """Puts imported materials where they belong. Raises ValueError, or UnknownCatalogue where that is gone."""
    if place.record is None:
        base = server.catalogue().materials if place.beside else ()
        catalogues.create(place.name, merged(base, found))
    else:
        base = catalogues.materials_of(place.record.id) if merge else ()
        catalogues.rewrite(place.record.id, merged(base, found))
    material_table.show(None)


def merged(base: Sequence[Material], found: Sequence[Material]) -> list[Material]:
    """Materials with others, which take the place of those with their ids."""
    new = {material.id: material for material in found}
    return [new.pop(material.id, material) for material in base] + list(new.values())
