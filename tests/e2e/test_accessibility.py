"""Every page can be read and used by everybody: axe-core finds nothing, by keyboard, on a phone, without motion."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.driving import PATIENCE_MS, assert_no_errors, open_browser, running_app, settle, start_design

PAGES = ("", "evaluate", "materials", "campaigns", "library", "method")
PHONE = {"width": 390, "height": 844}
RUN_MS = 3 * PATIENCE_MS

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def app(tmp_path_factory) -> Iterator[tuple[str, str]]:
    """Addresses of the app and of a finished run in it."""
    folder = tmp_path_factory.mktemp("accessible")
    with running_app(folder / "library.db", folder / "server.log") as address:
        with open_browser() as page:
            page.goto(address)
            run = start_design(page, count=3, steps=6)
            expect(page.get_by_text("Finished")).to_be_visible(timeout=RUN_MS)
        yield address, f"{address}/?run={run}"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_on_any_page(app, dark):
    address, run = app
    found: dict[str, list[str]] = {}
    with open_browser(dark=dark) as page:
        page.set_viewport_size({"width": 1440, "height": 900})
        for path in PAGES:
            opened(page, f"{address}/{path}")
            found[path or "design"] = violations(page)
        opened(page, run)
        page.locator(".st-key-inspector iframe").first.wait_for()
        found["results"] = violations(page)
        for index in (0, 1):
            page.locator("[class*='st-key-compare-'] button").nth(index).click()
            settle(page)
        expect(page.locator(".st-key-comparison table")).to_be_visible()
        found["compare"] = violations(page)
        for view in ("Local fields", "Stiffness", "Correlation", "Table", "Charts"):
            page.get_by_text(view, exact=True).first.click()
            settle(page)
            page.wait_for_timeout(500)
            found[view] = violations(page)
        for button in ("units", "symbols"):
            page.locator(f".st-key-{button} button").first.click()
            page.wait_for_timeout(500)
            found[button] = violations(page, "region")  # Streamlit puts what pops up beside the page's regions
            page.keyboard.press("Escape")
        page.set_viewport_size(PHONE)
        opened(page, run)
        found["results on a phone"] = violations(page)
        assert_no_errors(page)
    assert not {where: what for where, what in found.items() if what}


def test_a_phone_shows_every_page_without_scrolling_sideways(app):
    address, run = app
    with open_browser() as page:
        page.set_viewport_size(PHONE)
        for url in (*(f"{address}/{path}" for path in PAGES), run):
            opened(page, url)
            assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= PHONE["width"], url
        card, inspector = page.locator("[class*='st-key-card-']").first, page.locator(".st-key-inspector")
        assert box(card)["width"] >= 220 and box(inspector)["width"] >= 340
        page.locator("[class*='st-key-inspect-'] button").nth(1).click()
        settle(page)
        expect(inspector.locator("h3")).to_be_in_viewport(timeout=PATIENCE_MS)


def test_results_stand_beside_each_other_and_nothing_jumps(app):
    """The files of the design that is inspected are in view wherever the cards are."""
    with open_browser() as page:
        page.set_viewport_size({"width": 1440, "height": 900})
        opened(page, app[1])
        cards, inspector = page.locator("[class*='st-key-card-']"), page.locator(".st-key-inspector")
        assert box(cards.first)["width"] >= 220
        assert box(inspector)["x"] >= box(cards.first)["x"] + box(cards.first)["width"]
        files = page.locator(".st-key-files").get_by_role("button", name="All as ZIP")
        expect(files).to_be_in_viewport(ratio=1, timeout=PATIENCE_MS)
        compare = page.locator("[class*='st-key-compare-'] button")
        compare.nth(2).evaluate("button => button.scrollIntoView({ block: 'end' })")
        page.wait_for_timeout(500)
        before = [box(card)["y"] for card in cards.all()]
        for index in (2, 1):
            compare.nth(index).dispatch_event("click")  # a click would scroll to the button
            settle(page)
        expect(page.locator(".st-key-comparison table")).to_be_visible()
        assert [box(card)["y"] for card in cards.all()] == pytest.approx(before, abs=1)
        expect(files).to_be_in_viewport(ratio=1)

        # The run stays open while another page is looked at, until a new design is begun.
        page.get_by_role("link", name="Library").click()
        expect(page.get_by_role("heading", name="Library")).to_be_visible()
        settle(page)
        page.get_by_role("link", name="Design", exact=True).click()
        expect(inspector).to_be_visible()
        assert "run=" in page.url
        page.locator(".st-key-new-design button").click()
        expect(page.get_by_role("heading", name="Composites that meet your targets")).to_be_visible()
        assert_no_errors(page)


def test_everything_is_reached_by_keyboard_and_seen_to_be(app):
    with open_browser() as page:
        page.set_viewport_size({"width": 1440, "height": 900})
        opened(page, app[1])
        reached = []
        page.locator("[class*='st-key-inspect-'] button").first.focus()
        for _ in range(40):
            page.keyboard.press("Tab")
            told = page.evaluate(
                """() => {
                    const on = document.activeElement, style = getComputedStyle(on);
                    const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
                    return [on.tagName === "BUTTON" ? on.innerText : "", ring || style.boxShadow !== "none"];
                }"""
            )
            reached.append(told)
        of_cards = [
            (name, seen) for name, seen in reached if any(word in name for word in ("Inspect", "Shown", "Compare"))
        ]
        assert sum("Compare" in name for name, _ in of_cards) == 3 and len(of_cards) == 3 + 2  # beginning after one
        unseen = [name for name, seen in of_cards if not seen]
        assert not unseen, "no ring around what has the focus"


def test_nothing_moves_for_those_who_do_not_want_it(app):
    with open_browser() as page:
        page.emulate_media(reduced_motion="reduce")
        opened(page, app[1])
        page.locator("[class*='st-key-inspect-'] button").nth(1).click()
        longest = """() => Math.max(0, ...document.getAnimations()
            .filter((a) => a.playState === "running" && a.effect.getComputedTiming().iterations !== Infinity)
            .map((a) => a.effect.getComputedTiming().duration))"""
        for _ in range(10):
            assert page.evaluate(longest) < 1
            page.wait_for_timeout(50)


def opened(page: Page, address: str) -> None:
    """Opens a page and waits until it is all there."""
    page.goto(address)
    page.locator("h2").first.wait_for()
    settle(page)
    page.wait_for_timeout(1500)
    settle(page)


_FADING = """() => document.getAnimations().filter(
    each => each.playState === "running" && each.effect.getComputedTiming().endTime !== Infinity
).length"""


def violations(page: Page, *without: str) -> list[str]:
    """What axe-core finds once nothing fades in any more, in short. without: rules that are left out."""
    for _ in range(40):
        if not page.evaluate(_FADING):
            break
        page.wait_for_timeout(100)
    options = {"resultTypes": ["violations"], "rules": {rule: {"enabled": False} for rule in without}}
    found = Axe().run(page, options=options).response["violations"]
    return [f"{each['id']} ({each['impact']}): {[node['html'][:160] for node in each['nodes'][:4]]}" for each in found]


def box(part) -> dict[str, float]:
    return part.bounding_box() or pytest.fail("it is not shown")
