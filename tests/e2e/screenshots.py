"""Takes the README's pictures from the running app: ``python -m tests.e2e.screenshots [--dark]``.

Writes ``design.png`` and ``design-3d.png`` (denoising), ``candidates.png``, ``candidates-3d.png`` and ``inspect.png``
to ``assets/screenshots/``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.driving import PATIENCE_MS, ROOT, open_browser, running_app, set_number, settle

FOLDER = ROOT / "assets" / "screenshots"
RUN_MS = 5 * PATIENCE_MS


def take_screenshots(folder: Path = FOLDER, *, dark: bool = False, steps: int = 50) -> list[Path]:
    """Runs the default design of seed 0 and pictures it on the way. Returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as scratch,
        running_app(Path(scratch) / "library.db", Path(scratch) / "server.log") as address,
        open_browser(dark=dark) as page,
    ):
        page.set_viewport_size({"width": 1280, "height": 810})  # the whole sidebar
        page.goto(address)
        button = page.locator(".st-key-design button")
        expect(button).to_be_enabled(timeout=PATIENCE_MS)
        set_number(page, "Steps", steps)
        button.click()
        _await_step(page, round(0.6 * steps))
        page.screenshot(path=folder / "design.png")
        inspector = page.locator(".st-key-inspector")
        expect(inspector).to_be_visible(timeout=RUN_MS)
        settle(page)
        page.wait_for_timeout(1000)
        page.screenshot(path=folder / "candidates.png")
        page.locator(".st-key-inspector .voxels canvas.scene").first.wait_for(timeout=PATIENCE_MS)
        page.wait_for_timeout(3000)
        inspector.evaluate("e => { e.style.scrollMarginTop = '4.5rem'; e.scrollIntoView(); }")
        page.wait_for_timeout(1000)
        page.screenshot(path=folder / "inspect.png")

        page.get_by_text("3D", exact=True).first.click()
        settle(page)
        set_number(page, "Candidates", 4)
        button.click()
        _await_step(page, round(0.6 * steps), cube=True)
        page.screenshot(path=folder / "design-3d.png")
        page.get_by_text("Finished").wait_for(timeout=RUN_MS)
        settle(page)
        page.wait_for_timeout(1000)
        page.screenshot(path=folder / "candidates-3d.png")
    return sorted(folder.glob("*.png"))


def _await_step(page: Page, wanted: int, *, cube: bool = False) -> None:
    """Waits until the live view shows this denoising step."""
    page.wait_for_function(
        """([wanted, cube]) => [...document.querySelectorAll('*')].some((e) => {
             const view = e.shadowRoot?.querySelector('.microstructures')?.dataset;
             return view && view.cube === String(cube) && Number(view.frame) >= wanted;
           })""",
        arg=[wanted, cube],
        timeout=RUN_MS,
    )
    page.mouse.move(700, 780)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--out", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    for path in take_screenshots(arguments.out, dark=arguments.dark):
        print(path)
