"""Own materials in a real browser: a good file changes what is offered, a bad one is explained, settings stay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from relaxdesign.materials.catalogue import Catalogue
from tests.e2e.driving import PATIENCE_MS, assert_no_errors, open_browser, running_app, set_number, settle

HEADER = "id,name,E_GPa,nu,rho_g_cm3,price_per_kg\n"
GOOD = (
    f"{HEADER}resin,Casting resin,3,0.35,1.2,4.5\nalloy,Light alloy,70,0.33,2.7,3\noxide,White oxide,380,0.22,3.9,20\n"
)
GERMAN = GOOD.replace(",", ";").replace(".", ",").replace("price_per_kg", "prize_per_kg")
BAD = f"{HEADER}resin,Casting resin,3,0.7,1.2,\nalloy,Light alloy,-70,0.33,2.7,\n"

ON_OFFER = f"{len(Catalogue.default().select().combinable('plausible', 2))} materials"

pytestmark = pytest.mark.e2e


@pytest.fixture
def page(tmp_path):
    with running_app(tmp_path / "library.db", tmp_path / "server.log") as address, open_browser() as page:
        page.goto(address)
        yield page


def test_bad_and_good_files_of_materials(page: Page, tmp_path):
    sidebar = page.get_by_test_id("stSidebar")
    expect(page.locator(".st-key-design button")).to_be_in_viewport(timeout=PATIENCE_MS)
    set_number(page, "K, GPa", 50)
    sidebar.get_by_text("Materials", exact=True).click()

    upload(page, "materials_upload", tmp_path / "bad.csv", BAD)
    expect(sidebar.get_by_text("2 problems in bad.csv")).to_be_visible(timeout=PATIENCE_MS)
    expect(sidebar.get_by_text("line 2 (resin): nu is 0.7")).to_be_visible()
    expect(sidebar.get_by_text("line 3 (alloy): E_GPa is -70")).to_be_visible()
    expect(sidebar.get_by_text(ON_OFFER)).to_be_visible()

    upload(page, "materials_upload", tmp_path / "german.csv", GERMAN)
    expect(sidebar.get_by_text("Your own catalogue of 3 materials")).to_be_visible(timeout=PATIENCE_MS)
    expect(sidebar.get_by_text("did you mean price_per_kg?")).to_be_visible()
    sidebar.get_by_role("combobox", name="Catalogue").click()
    page.get_by_role("option", name="Shipped materials").click()
    expect(sidebar.get_by_text(ON_OFFER)).to_be_visible(timeout=PATIENCE_MS)

    upload(page, "materials_upload", tmp_path / "good.csv", GOOD)
    expect(sidebar.get_by_text("Your own catalogue of 3 materials")).to_be_visible(timeout=PATIENCE_MS)
    expect(sidebar.get_by_text("213 GPa, 3 materials")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("3 materials of your own")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("spinbutton", name="K, GPa", exact=True)).to_have_value("50")
    assert_no_errors(page)

    page.get_by_role("combobox", name="Not these materials").click()
    page.get_by_role("option", name="White oxide").click()
    page.keyboard.press("Escape")
    expect(sidebar.get_by_text("59.4 GPa, 2 materials")).to_be_visible(timeout=PATIENCE_MS)
    assert_no_errors(page)

    # The request as a file brings all of it along.
    with page.expect_download(timeout=PATIENCE_MS) as pending:
        page.get_by_role("button", name="Request as a file").click()
    saved = Path(pending.value.path()).read_text()
    request = json.loads(saved)
    assert request["materials_csv"] == GOOD and request["exclude"] == ["oxide"] and {"version", "prior"} <= set(request)
    page.reload()
    expect(sidebar.get_by_text(ON_OFFER)).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Open a request file", exact=True).click()
    upload(page, "request_upload-0", tmp_path / "request.json", saved)
    expect(sidebar.get_by_text("GPa, 2 materials")).to_be_visible(timeout=PATIENCE_MS)
    assert_no_errors(page)


def test_a_material_is_copied_exported_and_its_catalogue_deleted(page: Page):
    page.get_by_role("link", name="Materials").click()
    page.get_by_label("Search", exact=True).fill("6061-T6")
    page.get_by_label("Search", exact=True).press("Enter")
    expect(page.get_by_text("1 of ")).to_be_visible(timeout=PATIENCE_MS)
    settle(page)
    corner = page.locator("[data-testid='stDataFrame'] canvas").first.bounding_box()
    assert corner is not None
    page.mouse.click(corner["x"] + 15, corner["y"] + 50)  # the box before the first row
    page.get_by_role("button", name="Copy and edit").click(timeout=PATIENCE_MS)
    page.get_by_label("Name", exact=True).fill("My alloy")
    page.get_by_label("Young's modulus E, GPa").fill("-72")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("E_GPa is -72")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_label("Name", exact=True)).to_have_value("My alloy")
    page.get_by_label("Young's modulus E, GPa").fill("72")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("1 of them own")).to_be_visible(timeout=PATIENCE_MS)
    assert_no_errors(page)

    with page.expect_download(timeout=PATIENCE_MS) as pending:
        page.get_by_role("button", name="Export").click()
    exported = Path(pending.value.path()).read_text(encoding="utf-8-sig")
    assert "\nmy-alloy,My alloy,metal," in exported and ",72," in exported

    page.get_by_role("link", name="Design").click()
    expect(page.get_by_text("materials of My materials")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("link", name="Materials").click()
    page.locator(".st-key-icon-catalogue-more button").first.click()
    page.get_by_role("button", name="Delete the catalogue").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("1 of them own")).to_have_count(0, timeout=PATIENCE_MS)
    assert_no_errors(page)


def upload(page: Page, key: str, path: Path, text: str) -> None:
    path.write_text(text)
    page.locator(f".st-key-{key} input[type=file]").set_input_files(path)
