"""Signing in by OpenID Connect, at a provider of the tests' own: the way through Streamlit's login and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import oidc_provider_mock
import pytest
from oidc_provider_mock import User
from playwright.sync_api import Page, expect

from relaxdesign.library import Store
from relaxdesign.study.request import DesignRequest
from tests.e2e.driving import PATIENCE_MS, assert_no_errors, open_browser, running_server, settle
from tests.proxy import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ANNA, BEN = "anna@example.org", "ben@example.org"
USERS = (
    User(sub="1", claims={"email": ANNA, "email_verified": True}),
    User(sub="2", claims={"email": BEN}),
    User(sub="3", claims={"email": ANNA, "email_verified": False}),
)
SECRETS = """
[auth]
redirect_uri = "http://localhost:{port}/oauth2callback"
cookie_secret = "a long random text of the tests"
client_id = "relaxdesign"
client_secret = "secret"
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""


@pytest.fixture
def provider() -> Iterator[str]:
    with oidc_provider_mock.run_server_in_thread(user_claims=USERS) as server:
        yield f"http://localhost:{server.server_port}"


def sign_in(page: Page, address: str, subject: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name=subject, exact=True).first.click()
    page.locator(".st-key-account").wait_for()
    settle(page)
    assert_no_errors(page)


def test_users_sign_in_at_a_provider_and_see_their_own(tmp_path: Path, provider: str):
    port = free_port()
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text(SECRETS.format(port=port, provider=provider))
    library = tmp_path / "library.db"
    store = Store(f"sqlite:///{library}")
    run_id = store.create_run(DesignRequest(target_bulk=50.0, count=1, steps=5), "Secret", author=ANNA, private=True)
    store.stop(run_id, "cancelled")
    variables = {"RELAXDESIGN_LOGIN": "oidc", "RELAXDESIGN_ADMINS": BEN, "HOME": str(tmp_path)}
    with running_server(library, tmp_path / "log", port=port, **variables):
        address = f"http://localhost:{port}"
        with open_browser() as page:
            page.goto(f"{address}/library")
            expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=PATIENCE_MS)
            assert page.get_by_text("Secret").count() == 0
            sign_in(page, address, "1")
            page.goto(f"{address}/library")
            expect(page.locator(f".st-key-run-{run_id}")).to_contain_text("yours")
            page.locator(".st-key-account button").first.click()
            page.get_by_role("button", name="Sign out").click()
            page.get_by_role("button", name="End session").click()  # the provider asks
            expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=PATIENCE_MS)
        with open_browser() as page:
            sign_in(page, address, "2")
            page.goto(f"{address}/library")
            expect(page.get_by_text("You are an administrator")).to_be_visible(timeout=PATIENCE_MS)
        with open_browser() as page:
            sign_in(page, address, "3")
            page.goto(f"{address}/library")
            expect(page.get_by_text("Only yours can be changed by you")).to_be_visible(timeout=PATIENCE_MS)
            assert page.get_by_text("Secret").count() == 0, "who names an address that nobody checked is not its owner"
