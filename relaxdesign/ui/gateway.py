"""What every request passes before Streamlit answers it: is it for this host, may it come in, what are browsers told.

- *Host*: a foreign name in ``Host`` is refused, so that no page of another site reaches a server on this machine by a
  name that it has pointed here (DNS rebinding). Addresses in digits and this machine's own names are its own; others
  are named in ``RELAXDESIGN_HOSTS``, separated by commas.
- *Login*: where a proxy names the user (`relaxdesign.people`), whoever does not come through it is refused.
- *Closed*: Streamlit's metrics, unless ``RELAXDESIGN_METRICS=open``.
- *Visitors*: where there is no login, a browser gets a random cookie by which its runs are known to be its own.
- *Headers*: scripts, styles and connections are this server's only; no other site may frame it or read its address.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import secrets
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from typing import Any

from streamlit import get_option

from relaxdesign.people import COOKIE, Login

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# Which parts need what beyond files of this server, as a browser reports it of a policy without it:
# - inline scripts: Streamlit's page (one), and the page that PyVista's viewer exports, with the scene (several);
# - eval: Plotly's WebGL charts, as the map of a campaign, compile their drawing; wasm: Streamlit's decoder;
# - blob: modules: Streamlit's components, our own among them;
# - inline styles: Streamlit, Plotly and both viewers set them by script; fonts and pictures as data.
# No part needs attributes of elements that run something (onclick=…), of which a forged text would make use first.
_POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval' blob:",
    "script-src-attr": "'none'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "media-src": "'self' data: blob:",
    "connect-src": "'self'",
    "worker-src": "'self' blob:",
    "frame-src": "'self'",
    "frame-ancestors": "'self'",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in _POLICY.items()),
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_A_YEAR_S = 31_536_000
_HEALTH, _METRICS = "/_stcore/health", "/_stcore/metrics"


_in_front = threading.Event()
_endings: list[Callable[[], None]] = []


def at_the_end(close: Callable[[], None]) -> None:
    """Has something done when the server has been told to end, and before the process waits for its other threads."""
    _endings.append(close)


@asynccontextmanager
async def lifespan(_: object) -> AsyncIterator[None]:
    """The life of the server; its end is that of the queue, too."""
    yield
    for close in _endings:
        await asyncio.to_thread(close)


def is_in_front() -> bool:
    """Whether the requests of this process pass a gateway."""
    return _in_front.is_set()


class Gateway:
    """ASGI middleware around Streamlit. login, hosts, metrics: None: as the environment says."""

    def __init__(
        self, app: App, *, login: Login | None = None, hosts: frozenset[str] | None = None, metrics: bool | None = None
    ):
        _in_front.set()
        self._app = app
        self._login = login or Login.from_environment()
        self._hosts = own_hosts() if hosts is None else hosts
        base = (get_option("server.baseUrlPath") or "").strip("/")
        self._health = f"/{base}{_HEALTH}" if base else _HEALTH
        self._metrics = os.environ.get("RELAXDESIGN_METRICS", "").strip() == "open" if metrics is None else metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*_with_ours(message.get("headers", ())), *self._greeting(scope, message)]
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send_with_headers)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before it was accepted: 403
        else:
            status, text = refusal
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send_with_headers({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": f"{text}\n".encode()})

    def _greeting(self, scope: Scope, message: MutableMapping[str, Any]) -> list[tuple[bytes, bytes]]:
        """The cookie by which a browser is known again, with a page that it opens for the first time."""
        sent = {name.lower(): value for name, value in message["headers"]}
        cookies = b"; ".join(value for name, value in scope["headers"] if name.lower() == b"cookie").decode("latin-1")
        page = sent.get(b"content-type", b"").startswith(b"text/html")
        if self._login.known or not page or COOKIE in SimpleCookie(cookies):
            return []
        attributes = f"Path=/; Max-Age={_A_YEAR_S}; HttpOnly; SameSite=Lax"
        return [(b"set-cookie", f"{COOKIE}={secrets.token_hex(16)}; {attributes}".encode())]

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and text for a request that is not let in."""
        headers = {name.lower(): value for name, value in scope["headers"]}
        host = headers.get(b"host", b"").decode("latin-1")
        if not is_own(host, self._hosts):
            return 400, "This server is not known by that name. Its names are set in RELAXDESIGN_HOSTS."
        path = scope["path"]
        if path.endswith(_METRICS) and not self._metrics:
            return 404, "Not found."
        if self._login.header and path != self._health:
            if not self._login.trusts((scope.get("client") or ("",))[0]):
                return 403, "This server answers its proxy only (RELAXDESIGN_PROXY)."
            wanted = self._login.header.lower().encode("latin-1")
            named = [value.strip() for name, value in scope["headers"] if name.lower() == wanted]
            if len(named) > 1:
                return 401, "The proxy in front of this server named several users: it must replace the header."
            if not any(named):
                return 401, "The proxy in front of this server named no user."
        return None


def own_hosts() -> frozenset[str]:
    """Names under which this server may be asked, in small letters: the machine's, and ``RELAXDESIGN_HOSTS``."""
    given = (name.strip().rstrip(".") for name in os.environ.get("RELAXDESIGN_HOSTS", "").split(","))
    return frozenset({"localhost", socket.gethostname().lower(), *(name.lower() for name in given if name)})


def is_own(host: str, names: frozenset[str]) -> bool:
    """Whether a ``Host`` header, with or without port, is one of these names or an address in digits."""
    name, _, port = host.rpartition(":")
    if not name or not port.isdecimal():
        name = host
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return name.lower().rstrip(".") in names or name.lower().endswith(".localhost")
    return True


def _with_ours(headers: Any) -> list[tuple[bytes, bytes]]:
    ours = {name.lower().encode(): value.encode() for name, value in HEADERS.items()}
    kept = [(name, value) for name, value in headers if name.lower() not in ours]
    return [*kept, *ours.items()]
