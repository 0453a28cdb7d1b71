"""How quickly the app answers, as a user feels it: a real server, a real browser, several repeats.

Writes ``benchmarks/results/page.json`` and prints its table (``make page``). Needs Chromium and the dev
packages. The browser draws in software and shares the machine with the solver; where it has a GPU all is quicker.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the browser is driven as in the tests

from playwright.sync_api import Locator, Page  # noqa: E402

from tests.e2e.driving import (  # noqa: E402
    await_step,
    open_browser,
    running_server,
    set_number,
    settle,
    shown_step,
)

RESULTS = Path(__file__).parent / "results" / "page.json"
POLL_MS = 20
# Seconds from a press (the browser's own stamp of it) to the frame in which its answer can be seen.
WATCH_ANSWER = """([selector, before]) => {
    window.answered = null;
    let pressed = null;
    addEventListener("click", press => { pressed ??= press.timeStamp; }, { capture: true, once: true });
    const watcher = new MutationObserver(() => {
        const now = document.querySelector(selector)?.innerText;
        if (pressed === null || now === undefined || now === before) return;
        watcher.disconnect();
        requestAnimationFrame(() => {
            const painted = new MessageChannel();
            painted.port1.onmessage = () => { window.answered = (performance.now() - pressed) / 1000; };
            painted.port2.postMessage(0);
        });
    });
    watcher.observe(document.body, { subtree: true, childList: true, characterData: true });
}"""
READING_MS = 1000  # what a user takes to look at one design before choosing the next
STEPS = 60  # of the watched run: more than default, so that frames can be counted
LONG = 400  # of a run that is stopped


def seconds_until(page: Page, happened: Callable[[], bool], since: float, limit: float = 120.0) -> float:
    """Seconds from ``since`` (monotonic) until something is seen on the page."""
    while not happened():
        if time.monotonic() - since > limit:
            raise TimeoutError("the page did not answer")
        page.wait_for_timeout(POLL_MS)
    return time.monotonic() - since


def seconds_to_answer(page: Page, button: Locator, selector: str) -> float:
    """Presses a button; seconds from the press to the frame in which the text at ``selector`` is another one.

    What the driver does before it presses (it waits until the button has stood still for two frames) is not counted.
    """
    page.evaluate(WATCH_ANSWER, [selector, page.locator(selector).first.inner_text()])
    button.click()
    return float(page.wait_for_function("window.answered").json_value())


def open_design_page(page: Page, address: str) -> tuple[float, float]:
    """Seconds until the page's heading and introduction can be read, and until a design can be started."""
    since = time.monotonic()
    page.goto(address, wait_until="commit")
    words, button = page.get_by_role("heading", name="Composites that meet"), page.locator(".st-key-design button")
    read = seconds_until(page, lambda: words.count() > 0 and words.is_visible(), since)
    return read, seconds_until(page, lambda: button.count() > 0 and button.is_visible(), since)


def watch_run(page: Page) -> dict[str, float]:
    """Starts a default 2D run of more steps; when its first picture comes, how fast the others, how soon it answers."""
    since = time.monotonic()
    page.locator(".st-key-design button").click()
    first = seconds_until(page, lambda: shown_step(page) > 0, since)
    begin, seen = time.monotonic(), set()
    while (step := shown_step(page)) < STEPS // 2:
        seen.add(step)
        page.wait_for_timeout(POLL_MS)
    rate = len(seen) / (time.monotonic() - begin)
    answer = pause(page)
    page.get_by_role("button", name="Resume", exact=True).click()
    await_step(page, STEPS)
    page.get_by_text("Finished").wait_for()
    settle(page)
    return {"first picture": first, "pictures per second": rate, "pause, while it computes": answer}


def watch_pauses(page: Page, count: int) -> list[float]:
    """Starts a 3D run and holds it so many times; seconds until each press is answered."""
    page.get_by_text("3D", exact=True).first.click()
    settle(page)
    set_number(page, "Steps", LONG)
    page.locator(".st-key-design button").click()
    await_step(page, 3)
    answers = []
    for _ in range(count):
        page.wait_for_timeout(READING_MS)
        answers.append(pause(page))
        page.wait_for_timeout(READING_MS)
        page.get_by_role("button", name="Resume", exact=True).click()
    page.get_by_role("button", name="Stop", exact=True).click()
    return answers


def pause(page: Page) -> float:
    """Seconds until the button offers to go on."""
    button = page.get_by_role("button", name="Pause", exact=True)
    return seconds_to_answer(page, button, "[class*='st-key-hold-'] button")


def choose_candidate(page: Page, index: int) -> float:
    """Seconds from the click on a candidate until its numbers are on the page."""
    inspect = page.get_by_role("button", name="Inspect", exact=True).nth(index)
    answer = seconds_to_answer(page, inspect, ".st-key-inspector h3")
    settle(page)
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    times: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        times.setdefault(name, []).append(value)

    with tempfile.TemporaryDirectory() as folder:
        database, log = Path(folder) / "library.db", Path(folder) / "server.log"
        since = time.monotonic()
        with running_server(database, log) as server, open_browser() as page:
            note("server ready", time.monotonic() - since)
            for name, value in zip(("words", "Design"), open_design_page(page, server.address), strict=True):
                note(f"{name}, first visit of a server", value)
            settle(page)
            page.wait_for_timeout(10_000)  # the worker warms up while the first page is read
            for repeat in range(options.repeats):
                for name, value in zip(("words", "Design"), open_design_page(page, server.address), strict=True):
                    note(f"{name}, later visits", value)
                settle(page)
                set_number(page, "Steps", STEPS)
                set_number(page, "Seed", repeat)
                for name, value in watch_run(page).items():
                    note(name, value)
                for index in (1, 2, 3):
                    page.wait_for_timeout(READING_MS)
                    note("another candidate", choose_candidate(page, index))
            open_design_page(page, server.address)
            settle(page)
            for answer in watch_pauses(page, 3 * options.repeats):
                note("pause, while it computes in 3D", answer)

    rows = {name: {"median": statistics.median(v), "worst": max(v), "n": len(v)} for name, v in times.items()}
    rows["pictures per second"]["worst"] = min(times["pictures per second"])
    print("| what | median | worst | times |\n|---|---|---|---|")
    for name, row in rows.items():
        print(f"| {name} | {row['median']:.2f} | {row['worst']:.2f} | {row['n']} |")
    machine = {"cores": os.cpu_count(), "processor": platform.machine(), "browser": "software WebGL, same machine"}
    options.out.write_text(json.dumps({"machine": machine, "steps": STEPS, "seconds": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
