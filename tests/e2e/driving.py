"""Starts the app as users do, and drives it with the system's Chromium."""

from __future__ import annotations

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Locator, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
# For single actions; more on a machine that is busy with other things.
PATIENCE_MS = 1000 * int(os.environ.get("E2E_PATIENCE_S", "120"))

# Software WebGL for scenes but not to compose the page, and nothing that wants to talk to the outside.
CHROMIUM_FLAGS = (
    "--disable-gpu-compositing",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


@dataclass(frozen=True)
class Server:
    """A running app."""

    address: str
    process: subprocess.Popen

    def kill(self) -> None:
        """Ends it and its worker as a crash would: without a word."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def running_server(
    database: Path | str, log: Path, *, port: int = 0, address: str = "127.0.0.1", **variables: str
) -> Iterator[Server]:
    """The app. port: 0: a free one. address: that it listens on. database: a SQLite file, or the address of any."""
    if not port:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    command = [sys.executable, "-m", "relaxdesign.cli", "app", f"--port={port}", f"--address={address}"]
    url = f"sqlite:///{database}" if isinstance(database, Path) else database
    environment = os.environ | {"RELAXDESIGN_DB": url, "STREAMLIT_SERVER_HEADLESS": "true"} | variables
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            _await_health(f"http://127.0.0.1:{port}/_stcore/health", process, log)
            yield Server(f"http://127.0.0.1:{port}", process)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def running_app(database: Path | str, log: Path, **variables: str) -> Iterator[str]:
    """The address of the app, started on a free port with an empty library. variables: of its environment."""
    with running_server(database, log, **variables) as server:
        yield server.address


@contextmanager
def open_browser(*, dark: bool = False, password: tuple[str, str] | None = None) -> Iterator[Page]:
    """A page of 1280×720 in a fresh browser. password: name and password for servers that ask."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise RuntimeError("no Chromium found: apt-get install chromium, or name it in the variable CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, chromium_sandbox=False, args=CHROMIUM_FLAGS)
        try:
            look = {"viewport": {"width": 1280, "height": 720}, "color_scheme": "dark" if dark else "light"}
            known = {"http_credentials": dict(zip(("username", "password"), password, strict=True))} if password else {}
            page = browser.new_page(**look, **known)
            page.set_default_timeout(PATIENCE_MS)
            # For whoever has to find out why a test failed.
            page.on("pageerror", lambda error: print("error in the page:", error, error.stack, sep="\n"))
            page.on("crash", lambda _: print("the page crashed"))
            yield page
        finally:
            browser.close()


def set_number(page: Page, label: str, value: object) -> None:
    """Types a number into a field of the sidebar and waits until the server has taken it."""
    field = page.get_by_role("spinbutton", name=label, exact=True)
    field.fill(str(value))
    field.press("Enter")
    page.wait_for_timeout(1000)
    settle(page)


def start_design(page: Page, *, count: int, steps: int) -> str:
    """Presses "Design" with the target that is set; returns the id of the run."""
    button = page.locator(".st-key-design button")
    expect(button).to_be_enabled(timeout=PATIENCE_MS)
    set_number(page, "Candidates", count)
    set_number(page, "Steps", steps)
    before = page.url
    button.click()
    page.wait_for_url(lambda url: url != before and "run=" in url, timeout=PATIENCE_MS)
    return page.url.partition("run=")[2]


def shown_step(page: Page) -> int:
    """The denoising step on the page; 0 before the first."""
    view = page.locator(".denoising[data-frame]")
    return int(view.get_attribute("data-frame") or 0) if view.count() else 0


def await_step(page: Page, wanted: int) -> int:
    """Waits until this denoising step or a later one is shown, and returns it."""
    deadline = time.monotonic() + 3 * PATIENCE_MS / 1000
    while (step := shown_step(page)) < wanted:
        if time.monotonic() > deadline:
            raise AssertionError(f"step {wanted} was not reached, but {step}")
        page.wait_for_timeout(100)
    return step


def contrast(png: bytes) -> float:
    """Standard deviation of a picture's grey values: 0 for a blank one."""
    return float(np.asarray(Image.open(io.BytesIO(png)).convert("L"), dtype=float).std())


def await_contrast(page: Page, canvas: Locator, least: float = 3.0) -> float:
    """Contrast of a canvas as soon as there is more than the least, or what it has when patience ends."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while True:
        try:
            seen = contrast(canvas.screenshot()) if canvas.count() and canvas.is_visible() else 0.0
        except PlaywrightError:  # taken away while it was pictured
            seen = 0.0
        if seen > least or time.monotonic() > deadline:
            return seen
        page.wait_for_timeout(500)


def assert_no_errors(page: Page) -> None:
    """No exception and no error message is on the page."""
    assert page.locator("[data-testid='stException']").count() == 0
    assert page.get_by_text("Error id").count() == 0


def settle(page: Page) -> None:
    """Waits until no script runs any more: what was pressed has had the time to start one."""
    page.wait_for_timeout(300)
    # Not by page.wait_for_function: it evaluates text, which the policy of the app's pages forbids.
    expect(page.locator(".stApp[data-test-script-state=running]")).to_have_count(0, timeout=PATIENCE_MS)


def _await_health(address: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the app did not start:\n{log.read_text(errors='replace')[-4000:]}")
