"""An image in a real browser: from grey values to numbers, and on to designs that begin from it."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import torch
from playwright.sync_api import Page, expect

from relaxdesign.microstructure.free_form.generators import draw_shapes
from tests.e2e.driving import (
    PATIENCE_MS,
    assert_no_errors,
    await_step,
    open_browser,
    running_app,
    settle,
    start_design,
)

pytestmark = pytest.mark.e2e


@pytest.fixture
def page(tmp_path):
    with running_app(tmp_path / "library.db", tmp_path / "server.log") as address, open_browser() as page:
        page.goto(f"{address}/evaluate")
        yield page


@pytest.fixture
def micrograph(tmp_path):
    """A lattice of 64 × 64 pixels as 16-bit grey values with noise."""
    solid = draw_shapes("lattice", 1, 64, 2, torch.Generator().manual_seed(5))[0].numpy()
    grey = 20_000 + 25_000 * solid + np.random.default_rng(0).normal(0, 2_500, solid.shape)
    path = tmp_path / "micrograph.tif"
    tifffile.imwrite(path, grey.astype(np.uint16), photometric="minisblack")
    return path


def test_from_a_micrograph_to_designs_that_begin_from_it(page: Page, micrograph):
    upload(page, micrograph)
    page.get_by_role("button", name="Compute with these steps").click()
    expect(page.get_by_text("Steps: median 3; otsu: thresholds")).to_be_visible(timeout=3 * PATIENCE_MS)
    expect(page.get_by_text("How well the image tells it")).to_be_visible(timeout=3 * PATIENCE_MS)
    assert_no_errors(page)

    page.get_by_role("button", name="Begin designs from this cell").click()
    sidebar = page.get_by_test_id("stSidebar")
    expect(sidebar.get_by_text("Designs begin from a cell of 64 × 64 voxels")).to_be_visible(timeout=PATIENCE_MS)
    start_design(page, count=1, steps=4)
    await_step(page, 4)
    expect(page.get_by_role("button", name="New design")).to_be_visible(timeout=3 * PATIENCE_MS)
    assert_no_errors(page)
    expect(sidebar.get_by_text("Designs begin from a cell")).to_be_visible()
    sidebar.get_by_role("button", name="Begin from noise instead").click()
    expect(sidebar.get_by_text("Designs begin from a cell")).to_be_hidden(timeout=PATIENCE_MS)
    assert_no_errors(page)


def upload(page: Page, path) -> None:
    """Gives the page an image and waits for the preview of its steps."""
    page.get_by_text("Upload an image", exact=True).click()
    page.locator("input[type=file]").set_input_files(path)
    expect(page.get_by_text("After the steps")).to_be_visible(timeout=3 * PATIENCE_MS)
    settle(page)
