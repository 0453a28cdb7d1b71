"""The page of materials: own ones are made of shipped ones, kept in the library, used in requests, and exported."""

from __future__ import annotations

import pytest

from relaxdesign.library import Catalogues, Viewer
from relaxdesign.materials import write_materials
from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.study.request import DesignRequest
from relaxdesign.ui import navigation, server
from relaxdesign.ui.components import catalogue_tools, material_details

PAGE, DESIGN = "relaxdesign/ui/pages/materials.py", "relaxdesign/ui/pages/design.py"
SHIPPED = Catalogue.default()
STEEL = "aluminium-alloy-6061-t6"
OWN = "id,name,E_GPa,nu,rho_g_cm3,substance\na,Alpha,3,0.3,1.2,\nb,Beta,300,0.2,3,\nc,Gamma,70,0.3,2.7,\n"


def texts(elements) -> str:
    return "\n".join(element.value for element in elements).replace("\\", "")


def kept() -> Catalogues:
    return Catalogues(server.store())


def saved(name: str) -> Catalogue:
    """A catalogue of the library, as read."""
    return Catalogue.from_text(kept().read(next(record.id for record in kept().list() if record.name == name)))


def field(app, kind: str, name: str):
    """A control of the open form."""
    return getattr(app, kind)(key=f"draft-{app.session_state['draft'].turn}-{name}")


def choose(app, material_id: str):
    app.session_state["material_shown"] = material_id
    return fine(app.run())


def press(app, key: str):
    return app.button(key=key).click().run()


def fine(app):
    assert not app.exception and not app.error, (app.exception, texts(app.error))
    return app


@pytest.fixture
def page(app):
    """The page, opened on an empty library."""
    app.run()
    app.switch_page(PAGE).run()
    return fine(app)


def copy(app, material_id: str = STEEL, **values: str):
    """Opens the form with a copy and types into it."""
    choose(app, material_id)
    press(app, "copy-material")
    for name, value in values.items():
        field(app, "text_input", name).set_value(value)
    return fine(app)


def test_all_materials_are_there_and_can_be_searched(page):
    table = page.dataframe[0].value
    assert len(table) == len(SHIPPED) and "Own" not in table and f"{len(SHIPPED)} materials" in texts(page.caption)
    page.text_input(key="material_words-").set_value("6061 metal").run()
    found = page.dataframe[0].value
    assert list(found["Name"]) == ["Aluminium alloy 6061-T6"] and found["E, GPa"][0] == 68.9
    page.text_input(key="material_words-").set_value("nothing of the kind").run()
    assert "No material matches" in texts(page.info) and not page.dataframe
    assert "Your own materials" in texts(page.markdown)


def test_a_material_tells_how_its_substance_is_processed(page):
    choose(page, STEEL)
    shown = texts(page.markdown)
    assert "Aluminium alloy 6061-T6" in shown and "stir" in shown and "As inclusion" in shown
    assert "As lattice: established: laser powder-bed fusion" in shown
    assert not [button for button in page.button if button.key in ("edit-material", "remove-material")]
    assert "ASM" in shown, "the source of the numbers"


def test_a_copy_with_another_modulus_is_kept_beside_the_shipped_ones(page):
    copy(page, name="My alloy", E_GPa="71,5", nu="0,33", rho_g_cm3="2,7", k_W_mK="", **{"cte_1e-6_K": "23,4"})
    press(page, "draft-save")
    fine(page)
    assert "draft" not in page.session_state
    catalogue = saved("My materials")
    mine = catalogue.by_id["my-alloy"]
    assert len(catalogue) == len(SHIPPED) + 1 and (mine.young, mine.density, mine.conductivity) == (71.5, 2.7, None)
    assert mine.substance == SHIPPED.by_id[STEEL].substance and mine.source == "after Aluminium alloy 6061-T6"
    assert not mine.url and not mine.kind and mine.bulk == pytest.approx(71.5 / 3 / 0.34)
    assert page.selectbox(key="catalogue_page").value == kept().list()[0].id
    table = page.dataframe[0].value
    assert list(table["Own"])[:2] == ["own", ""] and table["Name"][0] == "My alloy"
    assert "My alloy" in texts(page.markdown), "what was made is shown"


def test_a_price_has_its_currency(page):
    copy(page, name="Mine", price_per_kg="4.5", currency="EUR")
    press(page, "draft-save")
    mine = fine(page) and saved("My materials").by_id["mine"]
    assert (mine.price, mine.money) == (4.5, "EUR")
    assert material_details._price(mine) == "4.5 EUR/kg"
    assert material_details._price(SHIPPED.by_id[STEEL]).endswith("USD/kg")


def test_only_own_ones_may_be_kept_and_grow(page):
    copy(page)
    field(page, "segmented_control", "place-beside").set_value("Only mine").run()
    field(page, "text_input", "name").set_value("First")
    press(page, "draft-save")
    assert [m.name for m in saved("My materials").materials] == ["First"]
    assert page.button(key="remove-material").disabled, "a catalogue is never empty"
    copy(page, "first", name="Second", E_GPa="3")
    press(page, "draft-save")
    assert fine(page) and [m.name for m in saved("My materials").materials] == ["First", "Second"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("nu", "0.7", "Nu is 0.7; Poisson's ratio must lie between"),
        ("E_GPa", "-3", "E_GPa is -3; Young's modulus must be above 0"),
        ("E_GPa", "seventy", "E_GPa is 'seventy', not a number"),
        ("rho_g_cm3", "2700", "supported are 0.001 to 23"),
        ("name", " ", "Name is empty"),
        ("name", "aluminium alloy 6061-T6", "there is a material named"),
    ],
)
def test_a_bad_value_is_told_and_nothing_typed_is_lost(page, name, value, said):
    copy(page, name="Mine", **{"cte_1e-6_K": "24.5"})
    field(page, "text_input", name).set_value(value)
    press(page, "draft-save")
    assert said.casefold() in texts(page.error).casefold() and not page.exception and kept().list() == []
    assert field(page, "text_input", name).value == value
    assert field(page, "text_input", "cte_1e-6_K").value == "24.5"
    page.run()
    assert field(page, "text_input", "cte_1e-6_K").value == "24.5", "whatever draws the page anew"
    field(page, "text_input", "name").set_value("Mine")
    for repaired, number in (("E_GPa", "70"), ("nu", "0.33"), ("rho_g_cm3", "2.7")):
        field(page, "text_input", repaired).set_value(number)
    press(page, "draft-save")
    assert fine(page) and "mine" in saved("My materials").by_id


def test_a_form_can_be_cancelled(page):
    copy(page, name="Mine")
    press(page, "draft-cancel")
    assert fine(page) and "draft" not in page.session_state and kept().list() == []


def test_own_materials_are_edited_removed_and_taken_back(page):
    copy(page, name="Mine")
    press(page, "draft-save")
    press(page, "edit-material")
    field(page, "text_input", "E_GPa").set_value("72")
    press(page, "draft-save")
    assert fine(page) and saved("My materials").by_id["mine"].young == 72
    press(page, "remove-material")
    assert fine(page) and "mine" not in saved("My materials").by_id and "was removed" in texts(page.markdown)
    press(page, "undo-material")
    assert fine(page) and saved("My materials").by_id["mine"].young == 72


def test_a_taken_name_of_a_catalogue_is_told(page):
    kept().save("Lab", OWN)
    copy(page, name="Mine")
    field(page, "text_input", "place-name").set_value("Lab")
    press(page, "draft-save")
    assert "'Lab' already" in texts(page.error)
    field(page, "text_input", "place-name").set_value("Other lab")
    press(page, "draft-save")
    assert fine(page) and [record.name for record in kept().list()] == ["Lab", "Other lab"]


def test_the_catalogue_of_the_page_is_that_of_requests(page):
    kept().save("Lab", OWN)
    page.run()
    page.selectbox(key="catalogue_page").set_value(kept().list()[0].id).run()
    assert len(page.dataframe[0].value) == 3
    page.switch_page(DESIGN).run()
    assert "3 materials" in texts(fine(page).sidebar.caption) and "materials of **Lab**" in texts(page.main.caption)
    page.number_input(key="target").set_value(20.0).run()
    page.button(key="design").click().run()
    request = server.store().run(page.query_params["run"]).request
    assert request.materials_csv == OWN
    kept().write(kept().list()[0].id, OWN.replace("300", "310"))
    kept().delete(kept().list()[0].id)
    assert server.store().run(page.query_params["run"]).request == request
    page.run()
    assert page.sidebar.selectbox(key="catalogue_choice").value == "other", "the text stays in use"


def test_the_sidebar_offers_what_is_kept(app):
    app.run()
    lab = kept().save("Lab", OWN)
    app.run()
    app.multiselect(key="exclude").set_value([STEEL]).run()
    app.sidebar.selectbox(key="catalogue_choice").set_value(lab).run()
    assert "3 materials is used" in texts(fine(app).sidebar.caption) and app.multiselect(key="exclude").value == []
    kept().write(lab, OWN + "d,Delta,10,0.3,2,\n")
    app.run()
    assert "4 materials is used" in texts(fine(app).sidebar.caption), "changed elsewhere"
    kept().write(lab, "id,name\n")
    app.run()
    assert "1 problem in that catalogue" in texts(app.error)
    assert "4 materials is used" in texts(app.sidebar.caption) and not app.exception


def upload(app, key: str, name: str, content: bytes):
    return app.file_uploader(key=key).set_value((name, content, "text/csv")).run()


def test_a_file_is_imported_as_a_new_catalogue_and_merged_into_it(page):
    press(page, "import")
    upload(page, "import-file-1", "lab.csv", OWN.encode())
    assert "3 materials" in texts(fine(page).markdown)
    page.segmented_control(key="import-1-beside").set_value("Only these").run()
    press(page, "import-save")
    assert fine(page) and [m.name for m in saved("lab").materials] == ["Alpha", "Beta", "Gamma"]
    press(page, "import")
    upload(page, "import-file-2", "more.csv", OWN.replace("300", "310").replace("c,Gamma", "d,Delta").encode())
    press(page, "import-save")
    assert fine(page) and [m.name for m in saved("lab").materials] == ["Alpha", "Beta", "Gamma", "Delta"]
    assert saved("lab").by_id["b"].young == 310


def test_a_bad_file_is_explained_and_another_may_follow(page):
    press(page, "import")
    upload(page, "import-file-1", "bad.csv", OWN.replace("0.3", "0.9").encode())
    assert "2 problems in bad.csv" in texts(page.error) and page.button(key="import-save").disabled
    assert any("nu is 0.9" in str(table.value.to_dict()).replace("\\", "") for table in page.table)
    upload(page, "import-file-1", "good.csv", OWN.encode())
    press(page, "import-save")
    assert fine(page) and len(saved("good")) == len(SHIPPED) + 3


def test_what_is_exported_is_imported_again(page):
    copy(page, name="=Mine")
    press(page, "draft-save")
    before = saved("My materials")
    again = Catalogue.from_csv(("\ufeff" + write_materials(before.materials)).encode())
    assert not again.warnings and [m.name for m in again.materials] == [m.name for m in before.materials]
    assert write_materials(again.materials) == kept().read(kept().list()[0].id)
    assert page.download_button(key="export").label == "Export"


def test_a_file_of_the_sidebar_is_used_and_found_on_the_page(app):
    app.run()
    upload(app, "materials_upload", "bad.csv", OWN.replace("0.3", "0.9").encode())
    assert "2 problems in bad.csv" in texts(app.sidebar.error) and app.session_state["materials_csv"] is None
    upload(app, "materials_upload", "lab.csv", OWN.encode())
    assert "3 materials is used" in texts(fine(app).sidebar.caption)
    assert app.sidebar.selectbox(key="catalogue_choice").value == "other"
    app.switch_page(PAGE).run()
    assert "3 materials of a file or a request" in texts(fine(app).markdown) and len(app.dataframe[0].value) == 3
    copy(app, "c", name="Delta")
    press(app, "draft-save")
    assert fine(app) and [m.name for m in saved("My materials").materials] == ["Alpha", "Beta", "Gamma", "Delta"]


def test_a_request_brings_its_materials_and_finds_their_catalogue(app):
    app.run()
    lab = kept().save("Lab", OWN)
    for text, chosen in ((OWN, lab), (OWN.replace("300", "310"), "other"), (None, "")):
        app.session_state["to_load"] = DesignRequest.model_validate({"target_bulk": 20.0, "materials_csv": text})
        app.run()
        assert fine(app).sidebar.selectbox(key="catalogue_choice").value == chosen
        assert app.session_state["materials_csv"] == text


def test_given_phases_that_a_catalogue_lacks_are_dropped(app):
    app.run()
    lab = kept().save("Lab", OWN)
    wanted = {"target_bulk": 20.0, "family": "free-form", "phases": ("void", "ti-6al-4v"), "shape": "lattice"}
    app.session_state["to_load"] = DesignRequest.model_validate(wanted)
    app.run()
    app.sidebar.selectbox(key="catalogue_choice").set_value(lab).run()
    assert fine(app).multiselect(key="phases").value == ["void"] and app.session_state["shape"] == ""


def test_materials_of_a_file_are_kept(page):
    page.session_state["materials_csv"] = OWN
    page.run()
    assert "3 materials of a file or a request" in texts(fine(page).markdown)
    page.text_input(key="keep-name").set_value("Lab")
    press(page, "keep-save")
    assert fine(page) and kept().read(kept().list()[0].id) == OWN
    assert page.selectbox(key="catalogue_page").value == kept().list()[0].id


def test_a_catalogue_is_renamed_and_deleted(page):
    lab = kept().save("Lab", OWN)
    page.run()
    page.selectbox(key="catalogue_page").set_value(lab).run()
    page.text_input(key=f"rename-{lab}-Lab").set_value("Labor").run()
    press(page, "rename")
    assert fine(page) and kept().list()[0].name == "Labor"
    press(page, "delete-catalogue")
    press(page, "really-delete")
    assert fine(page) and kept().list() == [] and page.selectbox(key="catalogue_page").value == ""


def test_another_s_catalogue_is_used_and_copied_from_but_not_changed(page, sign_in):
    anna = Catalogues(server.store().seen_by(Viewer("anna", known=True)))
    hers = anna.save("Hers", OWN)
    sign_in("ben")
    page.run()
    assert "Hers, of anna" in page.selectbox(key="catalogue_page").options
    fine(page.selectbox(key="catalogue_page").set_value(hers).run())
    assert page.button(key="rename").disabled and page.button(key="delete-catalogue").disabled
    copy(page, "a", E_GPa="4")
    assert not {"edit-material", "remove-material"} & {button.key for button in page.button}
    fine(press(page, "draft-save"))
    assert {record.name: record.author for record in kept().list()} == {"Hers": "anna", "My materials": "ben"}
    assert anna.read(hers) == OWN and saved("My materials").by_id.keys() > {"a", "b", "c"}


def test_merging_keeps_the_order_and_takes_the_new():
    old, new = Catalogue.from_text(OWN).materials, Catalogue.from_text(OWN.replace("70", "71")).materials
    assert [m.young for m in catalogue_tools.merged(old, new[2:])] == [3, 300, 71]
    assert catalogue_tools.merged((), new) == list(new)


def test_pages_lead_to_it():
    assert navigation.MATERIALS.endswith("materials.py")


@pytest.mark.parametrize("path", [PAGE, DESIGN])
def test_the_library_is_asked_for_its_catalogues_once_for_each_redraw(page, monkeypatch, path):
    copy(page, name="Mine")
    press(page, "draft-save")
    asked = []
    ask = Catalogues.list
    monkeypatch.setattr(Catalogues, "list", lambda self: asked.append(1) or ask(self))
    page.switch_page(path).run()
    assert fine(page) and len(asked) == 1
