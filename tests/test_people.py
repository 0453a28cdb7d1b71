"""The login of a server is one variable; what cannot be meant is told."""

from __future__ import annotations

import pytest

from relaxdesign.people import Login, named, pseudonym


@pytest.fixture
def login(monkeypatch):
    def read(**variables: str) -> Login:
        for name, value in variables.items():
            monkeypatch.setenv(f"RELAXDESIGN_{name}", value)
        return Login.from_environment()

    return read


def test_there_is_none_by_default(login):
    assert not login().known


def test_a_proxy_is_believed_from_where_it_runs_only(login):
    here = login(LOGIN="X-Forwarded-User", ADMINS="anna, carl")
    assert here.known and here.header == "X-Forwarded-User" and here.admins == {"anna", "carl"}
    assert here.trusts("127.0.0.1") and here.trusts("::1")
    assert not here.trusts("192.168.1.7") and not here.trusts("") and not here.trusts("proxy")
    there = login(PROXY="172.31.85.0/24,10.0.0.5")
    assert there.trusts("172.31.85.3") and there.trusts("10.0.0.5") and not there.trusts("127.0.0.1")


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"LOGIN": "X Forwarded: User"}, "name of a header"),
        ({"LOGIN": "X-User", "PROXY": "the proxy"}, "addresses or networks"),
    ],
)
def test_settings_that_cannot_be_meant_are_told(login, variables, told):
    with pytest.raises(ValueError, match=told):
        login(**variables)


def test_a_browser_without_login_has_a_name_that_gives_nothing_away():
    name = pseudonym("0123456789abcdef")
    assert name == pseudonym("0123456789abcdef") != pseudonym("0123456789abcdee")
    assert name[1:] not in "0123456789abcdef" and "another visitor" in named(name)
    assert pseudonym("") == "" and named("anna") == "anna"
