"""A server for several people, in real browsers: on PostgreSQL, behind a proxy that names users, and without login."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from relaxdesign.library import Store
from relaxdesign.study.request import DesignRequest
from tests import postgres, proxy
from tests.e2e.driving import PATIENCE_MS, assert_no_errors, open_browser, running_server, settle, start_design

ARTIFACTS = Path(__file__).parent / "artifacts"
pytestmark = pytest.mark.e2e


def answer(address: str, **headers: str) -> int:
    """The status of an answer. Underscores in names of headers are hyphens."""
    request = urllib.request.Request(address, headers={name.replace("_", "-"): text for name, text in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def open_page(page: Page, address: str) -> None:
    page.goto(address)
    page.locator("h2").first.wait_for()
    settle(page)
    assert_no_errors(page)


def picture(page: Page, name: str) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png")


def test_a_run_on_postgresql_outlives_its_server_and_the_database_s_restart(postgresql_server, tmp_path):
    log = tmp_path / "server.log"
    with postgres.new_database(postgresql_server.url) as url:
        with running_server(url, log) as server, open_browser() as page:
            open_page(page, server.address)
            run_id = start_design(page, count=1, steps=10)
            expect(page.get_by_text("Finished").first).to_be_visible(timeout=3 * PATIENCE_MS)
            postgresql_server.stop()
            postgresql_server.start()
            open_page(page, f"{server.address}/library")
            expect(page.locator(f".st-key-run-{run_id}")).to_contain_text("yours")
            open_page(page, f"{server.address}/server")
            expect(page.get_by_text("Library in postgresql")).to_be_visible()
            server.kill()
        with running_server(url, log) as server, open_browser() as page:
            open_page(page, f"{server.address}/?run={run_id}")
            expect(page.get_by_text("Finished").first).to_be_visible()
            open_page(page, f"{server.address}/library")
            expect(page.locator(f".st-key-run-{run_id}")).to_contain_text("of another visitor")


@pytest.mark.skipif(proxy.program() is None, reason="nginx is not installed (apt-get install nginx-light)")
def test_behind_a_proxy_runs_have_owners(tmp_path):
    users = {"anna": "a", "ben": "b", "carl": "c"}
    variables = {"RELAXDESIGN_LOGIN": "X-Forwarded-User", "RELAXDESIGN_ADMINS": "carl"}
    library = tmp_path / "library.db"
    store = Store(f"sqlite:///{library}")
    request = DesignRequest(target_bulk=50.0, count=1, steps=10)
    secret = store.create_run(request, "Anna's secret", author="anna", private=True)
    shared = store.create_run(request, "Anna's open one", author="anna")
    for run_id in (secret, shared):
        store.stop(run_id, "cancelled")
    with running_server(library, tmp_path / "log", **variables) as server:
        assert answer(server.address) == 401, "past the proxy nobody is let in"
        assert answer(f"{server.address}/_stcore/health") == 200
        with proxy.running_proxy(server.address, users) as address:
            assert answer(address, X_Forwarded_User="carl") == 401, "the proxy asks, whatever the browser says"
            seen_by_another(address, secret, shared)
            seen_by_an_administrator(address)


def seen_by_another(address: str, secret: str, shared: str) -> None:
    with open_browser(password=("ben", "b")) as page:
        open_page(page, f"{address}/library")
        expect(page.get_by_text("Only yours can be changed by you")).to_be_visible()
        expect(page.locator(f".st-key-run-{shared}")).to_contain_text("of anna")
        expect(page.get_by_text("Anna's secret")).to_have_count(0)
        page.locator(f".st-key-icon-menu-{shared} button").first.click()
        expect(page.locator(f".st-key-discard-{shared} button").first).to_be_disabled()
        picture(page, "library-of-ben")
        page.goto(f"{address}/?run={secret}")
        expect(page.get_by_text("There is no such run")).to_be_visible(timeout=PATIENCE_MS)


def seen_by_an_administrator(address: str) -> None:
    with open_browser(password=("carl", "c")) as page:
        open_page(page, f"{address}/library")
        expect(page.get_by_text("Anna's secret")).to_be_visible()
        open_page(page, f"{address}/server")
        expect(page.get_by_role("button", name="Stop all")).to_be_visible()
        picture(page, "server-of-carl")


def test_without_login_another_s_run_is_stopped_after_a_question(tmp_path):
    with running_server(tmp_path / "library.db", tmp_path / "log") as server:
        with open_browser() as page:
            open_page(page, server.address)
            run_id = start_design(page, count=4, steps=500)
        with open_browser() as page:
            open_page(page, f"{server.address}/?run={run_id}")
            page.get_by_role("button", name="Stop", exact=True).click()
            expect(page.get_by_text("Stop it all the same?")).to_be_visible(timeout=PATIENCE_MS)
            picture(page, "question")
            page.get_by_role("button", name="Stop it", exact=True).click()
            expect(page.get_by_text("Stopped").first).to_be_visible(timeout=3 * PATIENCE_MS)
