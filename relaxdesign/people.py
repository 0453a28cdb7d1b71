"""Who uses the app: by a login, where one is set up, else somebody at a browser.

One variable sets up a login, ``RELAXDESIGN_LOGIN``. Without it everybody shares everything.

- the name of a header, e.g. ``X-Forwarded-User``: a proxy in front of the server asks for passwords and names the user
  in it. Requests that do not come from the proxy (``RELAXDESIGN_PROXY``: addresses or networks, by default this
  machine) are refused by `relaxdesign.ui.gateway`.
- ``oidc``: Streamlit's own login, set up in ``.streamlit/secrets.toml``; the user's name is the address of e-mail.

``RELAXDESIGN_ADMINS`` names administrators, separated by commas.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
from dataclasses import dataclass

COOKIE = "relaxdesign_visitor"
"""A random text by which a browser is known again where there is no login; the server stores a digest of it only."""

OIDC = "oidc"
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Login:
    """How users are known. header: in which a proxy names them. proxies: from where that is believed."""

    header: str = ""
    oidc: bool = False
    proxies: tuple[_Network, ...] = ()
    admins: frozenset[str] = frozenset()

    @property
    def known(self) -> bool:
        """Whether there is a login at all."""
        return self.oidc or bool(self.header)

    @staticmethod
    def from_environment() -> Login:
        """``RELAXDESIGN_LOGIN``, ``_PROXY`` and ``_ADMINS``. Raises ValueError for values that cannot be used."""
        wanted = os.environ.get("RELAXDESIGN_LOGIN", "").strip()
        admins = frozenset(_listed("RELAXDESIGN_ADMINS"))
        if not wanted:
            return Login()
        if wanted == OIDC:
            return Login(oidc=True, admins=admins)
        if not _HEADER.fullmatch(wanted):
            raise ValueError(
                f"RELAXDESIGN_LOGIN is {wanted!r}; it must be the name of a header, such as X-Forwarded-User, or {OIDC}"
            )
        try:
            networks = [ipaddress.ip_network(text) for text in _listed("RELAXDESIGN_PROXY") or ("127.0.0.0/8", "::1")]
        except ValueError as error:
            raise ValueError(f"RELAXDESIGN_PROXY must list addresses or networks: {error}") from None
        return Login(header=wanted, proxies=tuple(networks), admins=admins)

    def trusts(self, address: str) -> bool:
        """Whether a request from this address comes from the proxy."""
        try:
            client = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(client in network for network in self.proxies)


def pseudonym(cookie: str) -> str:
    """Under which the runs of a browser without login are stored: it cannot be turned back into the cookie."""
    return f"~{hashlib.sha256(cookie.encode()).hexdigest()[:8]}" if cookie else ""


def named(author: str) -> str:
    """An author in words."""
    return f"another visitor ({author[1:]})" if author.startswith("~") else author


def _listed(variable: str) -> list[str]:
    return [text.strip() for text in os.environ.get(variable, "").split(",") if text.strip()]
