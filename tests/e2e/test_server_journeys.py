"""A server for several people, in real browsers: on PostgreSQL, behind a proxy that names users, and without login."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from relaxdesign.library import Campaigns, RunSearch, Store
from relaxdesign.study.request import DesignRequest
from tests import postgres, proxy
from tests.e2e.driving import (
    PATIENCE_MS,
    assert_no_errors,
    await_contrast,
    open_browser,
    running_server,
    settle,
    start_design,
)
from tests.ports import listening
from tests.scripted_study import scripted_study

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


@pytest.mark.slow
def test_one_port_is_open_and_pages_keep_to_their_policy(tmp_path):
    library = tmp_path / "library.db"
    store = Store(f"sqlite:///{library}")
    campaign = Campaigns(store)
    campaign_id = campaign.create("Map", {}, "nowhere", 2)
    for number, request in enumerate((DesignRequest(target_bulk=50.0), DesignRequest(target_bulk=90.0))):
        campaign.add_result(campaign_id, str(number), "run", list(scripted_study()(request))[-1].result)
    campaign.update(campaign_id, status="finished")
    with running_server(library, tmp_path / "log", address="0.0.0.0") as server, open_browser() as page:
        port = int(server.address.rpartition(":")[2])
        broken: list[str] = []
        page.expose_function("tell", lambda text: broken.append(text))
        page.add_init_script(
            "document.addEventListener('securitypolicyviolation', "
            "e => tell(`${e.effectiveDirective}: ${e.blockedURI.slice(0, 80)} in ${e.sourceFile}`))"
        )
        run = store.list_runs(search=RunSearch(campaign=campaign_id))[0]
        open_page(page, f"{server.address}/?run={run.id}")
        viewer = page.locator("iframe").first
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while not viewer.count() and time.monotonic() < deadline:
            assert listening(server.process.pid) <= {("0.0.0.0", port)}, "while the view is exported"
            page.wait_for_timeout(250)
        viewer.scroll_into_view_if_needed()
        assert await_contrast(page, viewer) > 3
        picture(page, "view-under-policy")
        open_page(page, f"{server.address}/campaigns?campaign={campaign_id}")
        chart = page.locator("[data-testid=stPlotlyChart]")
        chart.scroll_into_view_if_needed()
        expect(chart.locator("canvas.gl-canvas-focus, .gl-canvas-focus").first).to_be_attached()
        picture(page, "campaign-under-policy")
        for name in ("evaluate", "materials", "library", "method", "server"):
            open_page(page, f"{server.address}/{name}")
        # The viewer's page asks for its icon at a server of others, in vain.
        assert not [text for text in broken if not text.startswith("img-src: https://kitware.github.io/")]
        assert listening(server.process.pid) == {("0.0.0.0", port)}


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
