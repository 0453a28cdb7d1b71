"""At the door: foreign names are refused, headers are set, the proxy's word counts from it alone."""

from __future__ import annotations

import asyncio
import ipaddress

import pytest

from relaxdesign.people import Login
from relaxdesign.ui import visitor
from relaxdesign.ui.gateway import HEADERS, Gateway, is_own

PROXY = Login("X-Forwarded-User", proxies=(ipaddress.ip_network("127.0.0.1"),))
HOSTS = frozenset({"localhost", "design.example"})


def ask(path="/", *, login=None, client="127.0.0.1", kind="http", metrics=False, **headers: str):
    """Status (of a WebSocket: accepted or closed) and headers of an answer. Underscores in names are hyphens."""
    sent = []
    asked = {"host": "localhost:8501"} | {name.replace("_", "-"): value for name, value in headers.items()}

    async def page(scope, receive, send):
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        html = [(b"content-type", b"text/html; charset=utf-8"), (b"x-frame-options", b"ALLOWALL")]
        await send({"type": "http.response.start", "status": 200, "headers": html})
        await send({"type": "http.response.body", "body": b"page"})

    async def receive():
        return {"type": f"{kind}.connect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": kind,
        "path": path,
        "client": (client, 1234),
        "headers": [(name.encode(), value.encode()) for name, value in asked.items()],
    }
    gateway = Gateway(page, login=login or Login(), hosts=HOSTS, metrics=metrics)
    asyncio.run(gateway(scope, receive, send))
    first = sent[0]
    return first.get("status", first["type"]), {
        name.decode(): value.decode() for name, value in first.get("headers", ())
    }


def test_every_answer_has_its_headers_once():
    status, headers = ask()
    assert status == 200
    assert {name.lower(): value for name, value in HEADERS.items()}.items() <= headers.items()
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'self'" in policy and "object-src 'none'" in policy
    assert "script-src-attr 'none'" in policy and "connect-src 'self';" in policy
    assert "http" not in policy and "*" not in policy, "nothing is loaded from or sent to elsewhere"
    assert HEADERS.items() <= {**HEADERS, **ask(host="evil.example")[1]}.items()


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "evil.example:8501", ""])
def test_a_name_that_is_not_the_server_s_is_refused(kind, host):
    assert ask(host=host, kind=kind)[0] in (400, "websocket.close")
    assert ask(host="design.example", kind=kind)[0] in (200, "websocket.accept")


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost:8501", "127.0.0.1:8501", "[::1]:8501", "[::1]", "192.168.1.7", "a.localhost"]
)
def test_addresses_and_own_names_are_the_server_s(host):
    assert is_own(host, HOSTS)


def test_metrics_are_closed():
    assert ask("/_stcore/metrics")[0] == ask("/base/_stcore/metrics")[0] == 404
    assert ask("/_stcore/metrics", metrics=True)[0] == 200


def test_the_proxy_s_word_counts_from_the_proxy_alone():
    assert ask(login=PROXY, x_forwarded_user="anna")[0] == 200
    assert ask(login=PROXY)[0] == ask(login=PROXY, x_forwarded_user=" ")[0] == 401
    assert ask(login=PROXY, x_forwarded_user="anna", client="192.168.1.7")[0] == 403
    assert ask(login=PROXY, kind="websocket")[0] == "websocket.close"
    assert ask("/_stcore/health", login=PROXY, client="192.168.1.7")[0] == 200, "who looks after it names no user"
    assert ask("/media/_stcore/health", login=PROXY, client="192.168.1.7")[0] == 403
    assert ask(login=PROXY, x_forwarded_user="anna", **{"X-Forwarded_User": "carl"})[0] == 401, "two names are none"


def test_a_browser_is_known_again_where_there_is_no_login():
    cookie = ask()[1]["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    value = cookie.split(";")[0]
    assert value != ask()[1]["set-cookie"].split(";")[0]
    assert "set-cookie" not in ask(cookie=f"other=1; {value}")[1]
    assert "set-cookie" not in ask(login=PROXY, x_forwarded_user="anna")[1]


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"sub": "1", "email": "anna@example.org", "email_verified": True}, "anna@example.org"),
        ({"sub": "1", "email": "anna@example.org"}, "anna@example.org"),
        ({"sub": "1", "email": "anna@example.org", "email_verified": False}, "1"),
        ({"sub": "1", "email": "anna@example.org", "email_verified": "false"}, "1"),
        ({"sub": "1"}, "1"),
        ({}, ""),
    ],
)
def test_an_address_that_nobody_has_verified_is_nobody_s_name(claims, name):
    assert visitor._from_provider(claims) == name
