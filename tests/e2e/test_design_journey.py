"""The main journey in a real browser: set, watch, pause, inspect, download, compare, replay, find again, discard.

Nothing is replaced: the shipped prior, the catalogue, the solver and the exports work as they do for users.
"""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e.driving import (
    PATIENCE_MS,
    assert_no_errors,
    await_contrast,
    await_step,
    contrast,
    open_browser,
    running_app,
    set_number,
    settle,
    shown_step,
    start_design,
)

ARTIFACTS = Path(__file__).parent / "artifacts"
RUN_MS = 3 * PATIENCE_MS
TARGET = 120  # what the page begins with
COUNT, STEPS = 2, 120  # small, but long enough to be watched where the browser is slower than the solver
CELL_MM = 2.5

pytestmark = pytest.mark.e2e


@pytest.fixture
def page(tmp_path):
    log = tmp_path / "server.log"
    with running_app(tmp_path / "library.db", log) as address, open_browser() as page:
        page.goto(address)
        yield page
        # What was last seen, for whoever has to find out why the test failed.
        ARTIFACTS.mkdir(exist_ok=True)
        page.screenshot(path=ARTIFACTS / "last.png")
        (ARTIFACTS / "server.log").write_bytes(log.read_bytes())


def test_design_watch_download_and_reopen(page: Page, tmp_path):
    start_design(page, count=COUNT, steps=STEPS)

    numbers, pictures = watch_frames(page, wanted=3)
    assert len(pictures) >= 3, f"only {len(pictures)} different pictures at steps {numbers}"
    assert numbers == sorted(numbers) and numbers[-1] <= STEPS
    assert_nothing_moves(page)

    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("Paused: step")).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_timeout(1500)  # the step that was being computed is still shown
    held = await_step(page, numbers[-1])
    page.wait_for_timeout(1500)
    assert shown_step(page) == held, "it goes on although it is paused"
    page.get_by_role("button", name="Resume", exact=True).click()

    inspector = page.locator(".st-key-inspector")
    expect(inspector).to_be_visible(timeout=RUN_MS)
    expect(page.locator("[class*='st-key-card-']")).to_have_count(COUNT, timeout=PATIENCE_MS)
    expect(page.get_by_text("Finished")).to_be_visible(timeout=PATIENCE_MS)
    headline = inspector.locator("h3").inner_text()
    assert "off the target" in headline
    assert_view_is_drawn(page)

    page.get_by_role("button", name="More files").click()
    set_number(page, "Cell edge, mm", CELL_MM)
    page.keyboard.press("Escape")
    check_stl(download(page, "STL", tmp_path))
    page.get_by_role("button", name="More files").click()
    check_vti(download(page, "VTK", tmp_path))
    record = json.loads(download(page, "JSON", tmp_path).read_text())
    page.keyboard.press("Escape")
    assert record["ok"] and abs(record["error"]) < 0.05
    result = json.loads(download(page, "Result", tmp_path).read_text())
    assert result["request"]["objectives"][0]["low"] == TARGET and len(result["designs"]) == COUNT
    assert_no_errors(page)
    compare(page)
    replay(page, tmp_path)

    # Found again, first by the address, then through the library.
    page.reload()
    expect(inspector.locator("h3")).to_have_text(headline, timeout=PATIENCE_MS)
    page.get_by_role("link", name="Library").click()
    row = page.locator("[class*='st-key-run-']")
    expect(row).to_have_count(1, timeout=PATIENCE_MS)
    expect(row).to_contain_text(f"{TARGET} GPa", timeout=PATIENCE_MS)
    row.get_by_role("button", name="Open").click()
    expect(inspector.locator("h3")).to_have_text(headline, timeout=PATIENCE_MS)
    expect(page.get_by_role("spinbutton", name="Candidates", exact=True)).to_have_value(str(COUNT), timeout=PATIENCE_MS)
    assert_no_errors(page)

    page.get_by_role("link", name="Library").click()
    row.locator("[class*='st-key-icon-menu-'] button").first.click()
    page.get_by_role("button", name="Discard", exact=True).click()
    expect(row).to_have_count(0, timeout=PATIENCE_MS)
    expect(page.locator(".st-key-undo")).to_be_visible(timeout=PATIENCE_MS)
    assert_no_errors(page)


def compare(page: Page) -> None:
    """Two candidates side by side, with the modulus of every stage and the sources of their materials."""
    for index in (0, 1):
        page.locator("[class*='st-key-compare-']").nth(index).get_by_role("button").click()
    table = page.locator(".st-key-comparison table")
    expect(table).to_contain_text("Candidate 2", timeout=PATIENCE_MS)
    for fact in ("K, realised cell", "Spread over placements", "Bounds", "Matrix, source"):
        expect(table).to_contain_text(fact)
    page.get_by_text("Charts", exact=True).click()
    expect(page.locator("[class*='st-key-parallel-'] .js-plotly-plot")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_text("Cards", exact=True).click()
    expect(page.locator("[class*='st-key-card-']")).to_have_count(COUNT, timeout=PATIENCE_MS)
    settle(page)
    page.wait_for_timeout(1000)


def replay(page: Page, folder: Path) -> None:
    """The slider goes back to the first step, whose fields look different; the film can be opened."""
    assert shown_step(page) == STEPS
    canvas = page.locator(".denoising canvas.field").first
    last = canvas.screenshot()
    slider = page.get_by_role("slider", name="Denoising step shown")
    slider.focus()
    slider.press("Home")
    assert await_step(page, 1) == 1
    assert canvas.screenshot() != last
    with Image.open(download(page, "GIF", folder)) as film:
        assert film.n_frames == STEPS and film.width >= 800


def assert_nothing_moves(page: Page) -> None:
    """Transitions of what is redrawn at every step keep the browser painting, which the solver pays for."""
    moving = "document.querySelector('.st-key-live').getAnimations({ subtree: true }).length"
    for _ in range(8):
        assert page.evaluate(moving) == 0
        page.wait_for_timeout(100)


def watch_frames(page: Page, wanted: int) -> tuple[list[int], set[str]]:
    """Steps and distinct pictures of the first candidate, seen until there are enough or the stream has ended."""
    canvas = page.locator(".denoising canvas.field").first
    expect(canvas).to_be_visible(timeout=RUN_MS)
    numbers: list[int] = []
    pictures: set[str] = set()
    deadline = time.monotonic() + RUN_MS / 1000
    while len(pictures) < wanted and time.monotonic() < deadline and page.get_by_text("Denoising:").count():
        number = shown_step(page)
        if not numbers or number != numbers[-1]:
            picture = canvas.screenshot()
            assert contrast(picture) > 1, "the live picture is blank"
            numbers.append(number)
            pictures.add(hashlib.sha256(picture).hexdigest())
        page.wait_for_timeout(50)
    return numbers, pictures


def assert_view_is_drawn(page: Page) -> None:
    """PyVista's viewer of the cell, a page of its own, shows something."""
    view = page.locator(".st-key-inspector iframe").first
    expect(view).to_be_visible(timeout=PATIENCE_MS)
    assert await_contrast(page, view) > 3, "the 3D view stayed empty"


def download(page: Page, kind: str, folder: Path) -> Path:
    with page.expect_download(timeout=PATIENCE_MS) as pending:
        page.get_by_role("button", name=kind, exact=True).click()
    path = folder / pending.value.suggested_filename
    pending.value.save_as(path)
    return path


def check_stl(path: Path) -> None:
    import trimesh

    mesh = trimesh.load(path)
    assert path.suffix == ".stl" and mesh.is_watertight and mesh.volume > 0
    assert mesh.extents[:2].max() <= CELL_MM * 1.001 and mesh.extents[:2].max() > 0.3 * CELL_MM


def check_vti(path: Path) -> None:
    import pyvista

    cell = pyvista.read(path)
    assert path.suffix == ".vti" and {"E", "nu", "rho", "phase"} <= set(cell.cell_data)
    assert cell.n_cells == 64 * 64
    assert cell.bounds[1] - cell.bounds[0] == pytest.approx(CELL_MM, rel=1e-6)
    assert set(np.unique(cell.cell_data["phase"])) == {0, 1}
    assert len(np.unique(cell.cell_data["E"])) == 2
