"""Runs that are watched by several, stopped, killed with their server and resumed; and one in three dimensions."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from tests.e2e.driving import (
    PATIENCE_MS,
    assert_no_errors,
    await_contrast,
    await_step,
    contrast,
    open_browser,
    running_server,
    settle,
    shown_step,
    start_design,
)

RUN_MS = 3 * PATIENCE_MS
LONG = 400  # steps that nobody waits for
MANY = 12  # candidates: not all of them are verified before a server can be killed

pytestmark = pytest.mark.e2e


def test_two_sessions_take_turns_and_find_their_runs_again(tmp_path):
    with running_server(tmp_path / "library.db", tmp_path / "server.log") as server, open_browser() as first:
        first.goto(server.address)
        start_design(first, count=2, steps=LONG)
        await_step(first, 2)
        second = first.context.browser.new_context().new_page()
        second.set_default_timeout(PATIENCE_MS)
        second.goto(server.address)
        second.get_by_role("button", name="is being designed: watch").click()
        expect(second).to_have_url(first.url, timeout=PATIENCE_MS)
        await_step(second, 2)
        second.goto(server.address)
        waiting = start_design(second, count=1, steps=12)
        expect(second.get_by_text("1 run first")).to_be_visible(timeout=PATIENCE_MS)

        # The run goes on while nobody looks, and gives its place away while it is paused.
        address, before = first.url, shown_step(first)
        first.goto("about:blank")
        first.goto(address)
        assert await_step(first, before + 1) > before
        assert_never_faint(first)
        pause(first)
        expect(second.get_by_text("Finished")).to_be_visible(timeout=RUN_MS)
        expect(second.locator("[class*='st-key-card-']")).to_have_count(1, timeout=PATIENCE_MS)
        assert waiting in second.url

        first.get_by_role("button", name="Stop", exact=True).click()
        expect(first.get_by_text("You stopped this run")).to_be_visible(timeout=PATIENCE_MS)
        assert_replay(first)
        for page in (first, second):
            assert_no_errors(page)


def test_a_lattice_is_watched_by_direction_and_repeated(tmp_path):
    with running_server(tmp_path / "library.db", tmp_path / "server.log") as server, open_browser() as page:
        page.goto(server.address)
        page.locator("[class*=st-key-presets] button").first.click()
        page.locator(".st-key-preset label").filter(has_text="Titanium lattice").click()
        page.keyboard.press("Escape")
        expect(page.get_by_text("Voigt–Reuss bounds")).to_be_visible(timeout=PATIENCE_MS)
        settle(page)
        start_design(page, count=2, steps=LONG)
        await_step(page, 2)
        live = page.locator(".st-key-live .denoising")
        expect(live.locator(".polar .point[visibility='visible']")).to_have_count(8, timeout=PATIENCE_MS)
        field = live.locator(".field").first
        picture = field.evaluate("c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]")
        assert min(picture[3::4]) < 255, "the page is seen through what is not all solid"
        width = field.evaluate("c => c.width")
        tile = live.get_by_role("button", name="Tile 2 × 2")
        tile.click()
        expect(tile).to_have_attribute("aria-pressed", "true")
        assert field.evaluate("c => c.width") == 2 * width
        assert shown_step(page) >= 2
        page.get_by_role("button", name="Stop", exact=True).click()
        expect(page.get_by_text("You stopped this run")).to_be_visible(timeout=PATIENCE_MS)
        assert_no_errors(page)


def test_a_killed_server_loses_nothing_that_was_shown(tmp_path):
    files = tmp_path / "library.db", tmp_path / "server.log"
    with open_browser() as page:
        with running_server(*files) as server:
            page.goto(server.address)
            run_id = start_design(page, count=MANY, steps=8)
            expect(page.get_by_text("Verified so far")).to_be_visible(timeout=RUN_MS)
            server.kill()
        with running_server(*files) as server:
            page.goto(f"{server.address}/?run={run_id}")
            expect(page.get_by_text("The server stopped while this run was computed")).to_be_visible(
                timeout=PATIENCE_MS
            )
            cards = page.locator("[class*='st-key-card-']")
            expect(cards.first).to_contain_text("K = ", timeout=PATIENCE_MS)
            settle(page)
            kept = [facts(card) for card in cards.all()]
            assert 1 <= len(kept) < MANY
            assert_replay(page)
            page.get_by_role("button", name="Resume", exact=True).click()
            expect(page.get_by_text("Finished")).to_be_visible(timeout=RUN_MS)
            expect(cards).to_have_count(MANY, timeout=PATIENCE_MS)
            expect(cards.nth(MANY - 1)).to_contain_text("K = ", timeout=PATIENCE_MS)
            settle(page)
            assert [facts(card) for card in cards.all()[: len(kept)]] == kept
            assert run_id in page.url
            assert_no_errors(page)


def test_a_page_is_not_blank_if_the_one_before_was_left_while_its_view_was_prepared(tmp_path):
    """On a line so slow that the view asks for itself after the visitor has left, and both words arrive together."""
    held: list[str | bytes] = []
    slow = False

    def connect(browser: WebSocketRoute) -> None:
        server = browser.connect_to_server()
        browser.on_message(lambda message: held.append(message) if slow else server.send(message))
        lines.append(server)

    lines: list[WebSocketRoute] = []
    with running_server(tmp_path / "library.db", tmp_path / "server.log") as server, open_browser() as page:
        page.route_web_socket(re.compile("_stcore/stream"), connect)
        page.goto(server.address)
        start_design(page, count=1, steps=4)
        expect(page.get_by_text("Finished")).to_be_visible(timeout=RUN_MS)
        settle(page)
        page.locator("[class*='st-key-inspect-'] button").click()
        page.get_by_alt_text("while its 3D view is prepared").wait_for()
        slow = True
        page.get_by_role("link", name="Library").click()
        page.wait_for_timeout(1500)
        slow = False
        for message in held:
            lines[-1].send(message)
        heading = page.get_by_role("heading", name="Library")
        expect(heading).to_be_visible(timeout=PATIENCE_MS)
        page.wait_for_timeout(3000)
        expect(heading).to_be_visible()
        assert_no_errors(page)


# The browser of these tests draws WebGL in software; with this it says that it has a graphics card.
GRAPHICS_CARD = """
const told = WebGL2RenderingContext.prototype.getParameter;
WebGL2RenderingContext.prototype.getParameter = function (name) {
    return name === 0x9246 ? "A graphics card" : told.call(this, name);
};
"""


def test_three_dimensions_are_shown_as_surfaces_that_can_be_cut(tmp_path):
    with running_server(tmp_path / "library.db", tmp_path / "server.log") as server, open_browser() as page:
        page.add_init_script(GRAPHICS_CARD)
        page.goto(server.address)
        page.get_by_text("3D", exact=True).first.click()
        settle(page)
        start_design(page, count=8, steps=LONG)
        record_steps(page)
        surface = page.locator(".denoising .surface[data-points]")
        expect(surface).to_be_visible(timeout=RUN_MS)
        await_step(page, 12)
        pause(page)
        shown = page.evaluate("window.stepsShown")
        assert len(shown) > 5 and shown == list(range(shown[0], shown[-1] + 1)), "steps were left out"
        assert_captions_fit(page)
        assert_tiles_follow(page)
        canvas = surface.locator("canvas")
        assert await_contrast(page, canvas) > 3, "the surface is not drawn"
        drawn = canvas.element_handle()
        page.wait_for_timeout(2500)  # until the page's head knows of the pause
        assert drawn.evaluate("canvas => canvas.isConnected"), "the view was taken away by the pause"
        whole = canvas.screenshot()

        page.locator(".denoising .tile").nth(1).click()
        expect(surface).to_have_attribute("aria-label", re.compile("candidate 2"), timeout=PATIENCE_MS)
        page.wait_for_timeout(500)
        other = canvas.screenshot()
        assert other != whole, "it still shows the first candidate"

        whole_mesh = surface.get_attribute("data-points")
        page.get_by_role("slider", name="Cut").fill("0.5")
        expect(surface).not_to_have_attribute("data-points", whole_mesh or "", timeout=PATIENCE_MS)
        cut = canvas.screenshot()
        assert cut != other
        box = canvas.bounding_box()
        page.mouse.move(box["x"] + 100, box["y"] + 100)
        page.mouse.down()
        for move in range(10):
            page.mouse.move(box["x"] + 100 + 8 * move, box["y"] + 100 + 3 * move)
            page.wait_for_timeout(40)
        page.mouse.up()
        assert await_other(page, canvas, cut), "it does not turn"

        page.get_by_role("button", name="Stop", exact=True).click()
        expect(page.get_by_text("You stopped this run")).to_be_visible(timeout=PATIENCE_MS)
        replayed = page.locator("[class*='st-key-replay-'] .surface[data-points]")
        expect(replayed).to_be_visible(timeout=RUN_MS)
        assert await_contrast(page, replayed.locator("canvas")) > 3
        assert_no_errors(page)


def test_a_browser_that_draws_in_software_gets_pictures_and_a_scene_while_it_is_turned(tmp_path):
    with running_server(tmp_path / "library.db", tmp_path / "server.log") as server, open_browser() as page:
        page.goto(server.address)
        page.get_by_text("3D", exact=True).first.click()
        settle(page)
        start_design(page, count=2, steps=LONG)
        focus, picture, surface = (page.locator(f".denoising .{name}") for name in ("focus", "still", "surface"))
        expect(picture).to_be_visible(timeout=RUN_MS)
        await_step(page, 4)
        expect(surface).to_be_hidden()
        assert page.locator(".denoising .surface canvas").count() == 0, "it draws the scene beside the picture"
        pause(page)
        expect(focus).to_have_attribute("data-scene", str(shown_step(page)), timeout=PATIENCE_MS)
        page.wait_for_timeout(500)
        before = picture.screenshot()
        assert contrast(before) > 3

        picture.click()
        expect(surface).to_have_attribute("data-points", re.compile(r"\d"), timeout=PATIENCE_MS)
        expect(picture).to_be_hidden()
        canvas = surface.locator("canvas")
        assert await_contrast(page, canvas) > 3
        assert difference(before, surface.screenshot()) < 0.1, "the scene does not lie where the picture was"
        box = canvas.bounding_box()
        page.mouse.move(box["x"] + 100, box["y"] + 100)
        page.mouse.down()
        for move in range(10):
            page.mouse.move(box["x"] + 100 + 8 * move, box["y"] + 100 + 3 * move)
            page.wait_for_timeout(40)
        page.mouse.up()
        for _ in range(12):  # before the scene comes to rest
            page.wait_for_timeout(500)
            turned = surface.screenshot()
            if difference(before, turned) > 0.1:
                break
        assert difference(before, turned) > 0.1, "it does not turn"

        expect(picture).to_be_visible(timeout=PATIENCE_MS)
        page.wait_for_timeout(500)
        assert difference(turned, picture.screenshot()) < 0.1, "the picture is seen from elsewhere"
        page.get_by_role("button", name="Reset view").click()
        page.wait_for_timeout(2500)
        assert difference(before, picture.screenshot()) < 0.02
        assert_no_errors(page)


def await_other(page: Page, canvas: Locator, before: bytes) -> bool:
    """Whether a canvas looks different before patience ends."""
    for _ in range(PATIENCE_MS // 500):
        page.wait_for_timeout(500)
        if canvas.screenshot() != before:
            return True
    return False


def difference(one: bytes, other: bytes) -> float:
    """Share of the pixels of two pictures that are clearly not alike."""
    grey = [np.asarray(Image.open(io.BytesIO(png)).convert("L"), dtype=float) for png in (one, other)]
    return float((np.abs(grey[0] - grey[1]) > 40).mean())


def pause(page: Page) -> None:
    """Holds the run by one press."""
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("Paused: step")).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_timeout(1500)
    expect(page.get_by_role("button", name="Resume", exact=True)).to_be_visible()


def assert_never_faint(page: Page, milliseconds: int = 2000) -> None:
    """What is live stays as it is while it is redrawn: Streamlit shows elements that wait for their turn faintly."""
    least = page.evaluate(
        """async (duration) => {
            const end = performance.now() + duration;
            let least = 1;
            while (performance.now() < end) {
                await new Promise(requestAnimationFrame);
                const shown = document.querySelectorAll(".st-key-live [data-testid=stElementContainer]");
                least = Math.min(least, ...[...shown].map((element) => getComputedStyle(element).opacity));
            }
            return least;
        }""",
        milliseconds,
    )
    assert least == 1


def record_steps(page: Page) -> None:
    """Keeps the steps that are drawn from now on in ``window.stepsShown``."""
    await_step(page, 1)
    page.locator(".denoising").evaluate("""root => {
        const step = () => Number(root.dataset.frame);
        const shown = window.stepsShown = [step()];
        new MutationObserver(() => step() === shown.at(-1) || shown.push(step()))
            .observe(root, { attributeFilter: ["data-frame"] });
    }""")


def assert_tiles_follow(page: Page) -> None:
    """PyVista has drawn the held step of every candidate: each looks different."""
    step = shown_step(page)
    tiles = page.locator(".denoising .tile")
    for index in range(tiles.count()):
        expect(tiles.nth(index)).to_have_attribute("data-pictured", str(step), timeout=PATIENCE_MS)
    pictures = [canvas.screenshot() for canvas in page.locator(".denoising canvas.field").all()]
    assert len(set(pictures)) == len(pictures) and all(contrast(picture) > 1 for picture in pictures)


def assert_captions_fit(page: Page) -> None:
    """What stands below a candidate does not run into its neighbour's, also on a narrow page."""
    size = page.viewport_size
    assert size is not None
    for width in (size["width"], 900):
        page.set_viewport_size({"width": width, "height": size["height"]})
        page.wait_for_timeout(500)
        captions = page.locator(".denoising .caption")
        assert "%" in captions.first.inner_text()
        beyond = captions.evaluate_all("all => all.map((caption) => caption.scrollWidth - caption.clientWidth)")
        assert max(beyond) <= 0, f"captions overlap at {width} px"
    page.set_viewport_size(size)


def facts(card: Locator) -> list[str]:
    """What a card says of its design, without its buttons."""
    return card.get_by_test_id("stMarkdown").all_inner_texts()


def assert_replay(page: Page) -> None:
    """The steps that were denoised can be gone through."""
    settle(page)  # the live view has gone
    slider = page.get_by_role("slider", name="Denoising step shown")
    expect(slider).to_be_visible(timeout=PATIENCE_MS)
    slider.focus()
    slider.press("Home")
    assert await_step(page, 1) == 1
    assert contrast(page.locator(".denoising canvas.field").first.screenshot()) > 0
