"""Who looks at the page that is being drawn, as its connection tells."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from relaxdesign.people import COOKIE, Login, pseudonym

if TYPE_CHECKING:
    from relaxdesign.library import Viewer

PRIVATE = "new_runs_private"
"""Key of the switch by which a visitor's new runs are seen by nobody else."""


class NotSignedIn(PermissionError):
    """There is a login, and nobody has signed in."""


@cache
def login() -> Login:
    """How users of this server are known. Raises ValueError for settings that cannot be used."""
    return Login.from_environment()


def viewer() -> Viewer:
    """The viewer of the library. Raises NotSignedIn.

    Outside of a page, as in a download that a page has offered, it is the server itself, which sees all.
    """
    from relaxdesign.library import Viewer
    from relaxdesign.library.ownership import EVERYBODY

    if get_script_run_ctx(suppress_warning=True) is None:
        return EVERYBODY
    if not login().known:
        return Viewer(pseudonym(cookie()))
    name = _name()
    if not name:
        raise NotSignedIn("this server asks its users to sign in")
    return Viewer(name, admin=name in login().admins, known=True)


def user() -> str:
    """Whose turn runs take: the name that is signed in, else the address that the browser comes from."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return ""
    return _name() if login().known else address()


def wants_private() -> bool:
    """Whether the visitor's new runs are to be seen by nobody else."""
    return bool(st.session_state.get(PRIVATE, False))


def signed_in() -> bool:
    """Whether the page may be drawn: somebody has signed in, or there is no login."""
    return not login().known or bool(_name())


def cookie() -> str:
    """By which the browser is known again; empty without one, as where a page is drawn without a browser."""
    value = st.context.cookies.get(COOKIE)
    return value if isinstance(value, str) else ""


def address() -> str:
    """From which the browser comes; empty: from this machine, or no browser."""
    value = st.context.ip_address
    return value if isinstance(value, str) else ""


def _name() -> str:
    if login().header:
        return _from_header()
    return _from_provider(dict(st.user)) if st.user.get("is_logged_in") else ""


def _from_provider(claims: dict[str, object]) -> str:
    """The address of e-mail, unless the provider says that nobody has checked it: anybody could have named it then."""
    verified = str(claims.get("email_verified", True)).lower() != "false"  # some write it as a text
    return str((verified and claims.get("email")) or claims.get("sub") or "")


def _from_header() -> str:
    from relaxdesign.ui import gateway

    if not gateway.is_in_front():
        raise RuntimeError("RELAXDESIGN_LOGIN needs the server's gateway: start it by relaxdesign app, or server.py")
    return (st.context.headers.get(login().header) or "").strip()
