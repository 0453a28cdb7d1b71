"""Takes the README's pictures from the running app: ``python -m tests.e2e.screenshots [--dark]``.

Writes to ``assets/screenshots/``: ``design.png`` and ``design-3d.png`` (denoising), ``replay.png``, ``candidates.png``,
``candidates-3d.png``, ``charts.png``, ``compare.png``, ``inspect.png`` and ``denoising.gif``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence
from playwright.sync_api import Locator, Page, expect

from relaxdesign.export.animation import gif_bytes
from tests.e2e.driving import PATIENCE_MS, ROOT, await_step, open_browser, running_app, settle, start_design

FOLDER = ROOT / "assets" / "screenshots"
RUN_MS = 5 * PATIENCE_MS


def take_screenshots(folder: Path = FOLDER, *, dark: bool = False, steps: int = 30) -> list[Path]:
    """Runs the default design of seed 0 and pictures it on the way. Returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as scratch,
        running_app(Path(scratch) / "library.db", Path(scratch) / "server.log") as address,
        open_browser(dark=dark) as page,
    ):
        page.set_viewport_size({"width": 1440, "height": 900})  # the whole sidebar
        page.goto(address)
        start_design(page, count=8, steps=steps)
        await_step(page, round(0.6 * steps))
        _picture(page, folder / "design.png")
        inspector = page.locator(".st-key-inspector")
        expect(inspector).to_be_visible(timeout=RUN_MS)
        _picture(page, folder / "candidates.png")
        page.locator(".st-key-inspector iframe").first.wait_for(timeout=PATIENCE_MS)
        page.wait_for_timeout(3000)
        inspector.locator("[data-testid='stCaptionContainer']").last.scroll_into_view_if_needed()
        _picture(page, folder / "inspect.png")
        _scroll_to(page, page.locator("[class*='st-key-replay-']"))
        _picture(page, folder / "replay.png")
        with page.expect_download(timeout=RUN_MS) as film:
            page.get_by_role("button", name="GIF", exact=True).click()
        (folder / "denoising.gif").write_bytes(_small(film.value.path()))
        for index in (0, 3, 5):
            page.locator("[class*='st-key-compare-']").nth(index).get_by_role("button").click()
            settle(page)
        _scroll_to(page, page.locator(".st-key-comparison"))
        _picture(page, folder / "compare.png")
        page.get_by_text("Charts", exact=True).click()
        _scroll_to(page, page.locator("[class*='st-key-scatter-']"))
        _picture(page, folder / "charts.png")
        page.get_by_text("Cards", exact=True).click()

        page.get_by_text("3D", exact=True).first.click()
        settle(page)
        start_design(page, count=4, steps=steps)
        page.locator(".denoising .focus[data-scene]").wait_for(timeout=RUN_MS)
        await_step(page, round(0.6 * steps))
        _picture(page, folder / "design-3d.png")
        page.get_by_text("Finished").wait_for(timeout=RUN_MS)
        page.get_by_text("Cards", exact=True).click()
        _picture(page, folder / "candidates-3d.png")
    return sorted([*folder.glob("*.png"), *folder.glob("*.gif")])


def _small(film: Path, width: int = 560) -> bytes:
    """The downloaded film, small enough for a README."""
    with Image.open(film) as pictures:
        size = (width, round(width * pictures.height / pictures.width))
        frames = [picture.convert("RGB").resize(size) for picture in ImageSequence.Iterator(pictures)]
    return gif_bytes(np.asarray(frame) for frame in frames)


def _scroll_to(page: Page, part: Locator) -> None:
    """Brings a part of the page to its top, below the navigation."""
    part.first.evaluate("e => { e.style.scrollMarginTop = '4.5rem'; e.scrollIntoView(); }")
    page.wait_for_timeout(1000)


def _picture(page: Page, path: Path) -> None:
    """A picture of the page with nothing under the pointer, once it is drawn."""
    page.mouse.move(700, 780)
    settle(page)
    page.wait_for_timeout(1000)
    page.screenshot(path=path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--out", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    for path in take_screenshots(arguments.out, dark=arguments.dark):
        print(path)
