"""The page "Materials": the catalogue in use, and own materials made of it or imported, kept in the library."""

import streamlit as st

from relaxdesign.ui import server

server.wait()

from relaxdesign.materials.catalogue import Material  # noqa: E402  (loads torch, see server.wait)
from relaxdesign.ui.components import (  # noqa: E402
    catalogue_tools,
    catalogues,
    controls,
    material_details,
    material_editor,
    material_table,
    offer,
    ownership,
)
from relaxdesign.ui.errors import guard  # noqa: E402


def draw() -> None:
    """The whole page."""
    controls.prepare()
    catalogues.refresh()
    st.markdown("## Materials")
    choice, tools = st.columns([1.4, 2], vertical_alignment="bottom")
    with choice:
        catalogues.selector("catalogue_page")
    with tools:
        catalogue_tools.buttons()
    catalogue_tools.notices()
    table, details = st.columns([2.7, 1], gap="medium")
    with table:
        material = material_table.draw()
    with details:
        if material is None:
            hint()
        else:
            material_details.draw(material, own=material.id in catalogues.own_ids(), buttons=buttons)
    catalogue_tools.dialogs()
    material_editor.draw()


def hint() -> None:
    """What stands where a material would."""
    with st.container(border=True):
        st.markdown(
            "**Your own materials**  \nChoose a row of the table and copy it with the numbers of your data sheet, or "
            "import a table. They are kept in the library; designs are made of the catalogue that is chosen above."
        )


def buttons(material: Material) -> None:
    """What can be done with a material."""
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Copy and edit",
            type="primary",
            icon=":material/content_copy:",
            key="copy-material",
            on_click=material_editor.copy,
            args=(material,),
            help="A material of your own with other numbers",
        )
        record = catalogues.in_use()
        if record is None or not ownership.may_change(record):
            return
        st.button("Edit", icon=":material/edit:", key="edit-material", on_click=material_editor.edit, args=(material,))
        last = len(offer.catalogue()) == 1
        st.button(
            "Remove",
            icon=":material/delete:",
            key="remove-material",
            type="tertiary",
            on_click=catalogue_tools.remove,
            args=(material,),
            disabled=last,
            help="The last one: delete the catalogue instead" if last else "Can be undone",
        )


with guard("the materials"):
    draw()
