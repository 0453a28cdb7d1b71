"""Evaluate in a real browser: draw a cell, turn it, see its stress, take its files, upload one of them again."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e.driving import PATIENCE_MS, open_browser, running_app, settle

pytestmark = pytest.mark.e2e


@pytest.fixture
def page(tmp_path):
    with running_app(tmp_path / "library.db", tmp_path / "server.log") as address, open_browser() as page:
        page.goto(f"{address}/evaluate")
        yield page


def test_draw_turn_export_and_upload(page: Page, tmp_path):
    scene = page.locator(".cell-view .scene")
    expect(scene).to_be_visible(timeout=3 * PATIENCE_MS)
    settle(page)
    upright = picture(scene)
    assert contrast(upright) > 5, "the cell is not drawn"
    scene.focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    scene.blur()  # the ring of the focus is not the cell
    page.wait_for_timeout(1500)
    turned = picture(scene)
    assert np.abs(turned - upright).mean() > 1, "the cell did not turn"

    # The camera stays where it is through another view and back.
    page.get_by_text("Local fields", exact=True).click()
    expect(page.locator(".js-plotly-plot")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_text("Properties", exact=True).click()
    expect(scene).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_timeout(1500)
    assert np.abs(picture(scene) - turned).mean() < np.abs(turned - upright).mean() / 4

    numbers = json.loads(download(page, "JSON", tmp_path).read_text())
    vti = download(page, "VTK", tmp_path)
    assert "*ELASTIC,TYPE=ANISOTROPIC" in download(page, "Abaqus", tmp_path).read_text()

    page.get_by_text("Upload a file", exact=True).click()
    bad = tmp_path / "bad.npz"
    bad.write_bytes(b"not a zip")
    chooser = page.locator("input[type=file]")
    chooser.set_input_files(bad)
    expect(page.get_by_text("not an .npz file")).to_be_visible(timeout=PATIENCE_MS)
    chooser.set_input_files(vti)
    expect(scene).to_be_visible(timeout=PATIENCE_MS)
    again = json.loads(download(page, "JSON", tmp_path).read_text())
    assert again["K"] == pytest.approx(numbers["K"], rel=1e-6)
    assert page.locator("[data-testid='stException']").count() == 0
    assert page.get_by_text("Error id").count() == 0


def picture(scene) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(scene.screenshot())).convert("L"), float)


def contrast(image: np.ndarray) -> float:
    return float(image.std())


def download(page: Page, kind: str, folder: Path) -> Path:
    with page.expect_download(timeout=PATIENCE_MS) as pending:
        page.get_by_role("button", name=kind, exact=True).click()
    path = folder / pending.value.suggested_filename
    pending.value.save_as(path)
    return path
