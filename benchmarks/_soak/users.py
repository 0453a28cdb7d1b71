"""What six users do at once: four design in browsers, one reads pages, one works on the command line."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from playwright.sync_api import Error as BrowserError
from playwright.sync_api import Page
from sqlalchemy.exc import SQLAlchemyError

from _soak.stage import Stage
from relaxdesign.library import Store
from tests.e2e.driving import open_browser, settle
from tests.e2e.test_matrix import EVERY

ROOT = Path(__file__).parents[2]
PAGES = ("", "library", "campaigns", "evaluate", "materials", "server")
KINDS = [kind for kind in EVERY if not kind.refusal]
"""All families, methods and presets that the app computes, two candidates each."""

RUN_MS = 240_000


@dataclass
class Log:
    """What happened, filled by all threads. troubles: what pages and commands said while something was going wrong."""

    stage: Stage
    begin: float  # of the monotonic clock, as until
    until: float
    counts: Counter = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    runs: dict[str, str] = field(default_factory=dict)  # what was asked for, by run
    samples: list[dict] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return time.monotonic() > self.until

    def end(self) -> None:
        """Has everybody end what is at hand and leave."""
        self.until = min(self.until, time.monotonic())

    def count(self, what: str) -> None:
        self.counts[what] += 1

    def note(self, text: str) -> None:
        """A problem, or a trouble if something is, or was a moment ago, going wrong."""
        (self.troubles if self.stage.disturbed else self.problems).append(text)


def check(page: Page, log: Log, what: str) -> None:
    """Notes an error that the page shows."""
    if page.locator("[data-testid=stException]").count() or page.get_by_text("Error id").count():
        log.note(f"{what}: {page.locator('body').inner_text()[-400:]}")


def visit(log: Log, _: int) -> None:
    """Reads one page after the other, in light and in dark."""
    chance = random.Random(1)
    while not log.over:
        with open_browser(dark=chance.random() < 0.5) as page:
            for _ in range(20):
                name = chance.choice(PAGES)
                page.goto(f"{log.stage.address}/{name}")
                page.locator("h2").first.wait_for()
                settle(page)
                check(page, log, f"page {name or 'design'}")
                log.count("pages")
                if log.over:
                    return


def design(log: Log, seed: int) -> None:
    """Starts runs of all kinds and follows each to its end; some are left alone, some stopped."""
    chance, store = random.Random(seed), Store(log.stage.url)
    while not log.over:
        with open_browser() as page:
            for _ in range(4):
                kind = chance.choice(KINDS)
                source = store.create_run(kind.request)  # set up by a link, as "Re-run with changes" does it
                store.stop(source, "cancelled")
                page.goto(f"{log.stage.address}/?from={source}")
                button = page.locator(".st-key-design button")
                button.wait_for()
                settle(page)
                before = page.url
                button.click()
                page.wait_for_url(lambda url, before=before: url != before and "run=" in url)
                log.runs[page.url.partition("run=")[2]] = str(kind)
                log.count("designs in the app")
                choice = chance.randrange(10)
                if choice == 0:
                    page.get_by_role("button", name="Stop", exact=True).first.click()
                elif choice > 2:
                    ended = page.locator("h2").get_by_text("Finished").or_(page.locator("h2").get_by_text("Stopped"))
                    ended = ended.or_(page.locator("h2").get_by_text("Failed"))
                    ended.or_(page.locator("h2").get_by_text("Interrupted")).first.wait_for(timeout=RUN_MS)
                check(page, log, f"design page of {kind}")
                if log.over:
                    return


def command(log: Log, seed: int) -> None:
    """Homogenises random cells, and designs into the shared library, by the command line."""
    generator = np.random.default_rng(seed)
    file = log.stage.log.with_name("cell.npz")
    environment = os.environ | {"RELAXDESIGN_DB": log.stage.url, "RELAXDESIGN_REPLAYS": f"{log.stage.disk}/replays"}
    relaxdesign = [sys.executable, "-m", "relaxdesign.cli"]
    while not log.over:
        stiff = generator.random((24, 24, 24)) < 0.3
        np.savez(file, E=np.where(stiff, 200.0, 5.0), nu=np.full(stiff.shape, 0.3))
        done = subprocess.run([*relaxdesign, "evaluate", str(file), "--json"], capture_output=True, text=True, cwd=ROOT)
        if done.returncode or not 5 < json.loads(done.stdout)["E"] < 200:
            log.note(f"evaluate: {done.stderr[-300:]}")
        log.count("evaluations")
        asked = ["-o", f"K = {generator.uniform(10, 200):.0f}", "--count", "1", "--steps", "5"]
        out = ["--out", str(file.with_name(f"designs-{log.counts['designs on the command line']}"))]
        done = subprocess.run(
            [*relaxdesign, "design", *asked, *out], capture_output=True, text=True, cwd=ROOT, env=environment
        )
        if done.returncode:
            log.note(f"design: {done.stderr[-300:]}")
        log.count("designs on the command line")


USERS: tuple[Callable[[Log, int], None], ...] = (design, design, design, design, visit, command)


def send(log: Log) -> list[threading.Thread]:
    """Starts all users; one whose browser or command fails starts anew."""

    def work(user: Callable[[Log, int], None], number: int) -> None:
        while not log.over:
            try:
                user(log, number)
            except (BrowserError, AssertionError, OSError, ValueError, RuntimeError, SQLAlchemyError) as error:
                log.note(f"{user.__name__} {number}: {type(error).__name__} {str(error)[:300]}")
                time.sleep(2)

    threads = [threading.Thread(target=work, args=(user, number)) for number, user in enumerate(USERS)]
    for thread in threads:
        thread.start()
    return threads
