"""``relaxdesign app``: the app in the browser, served from this machine."""

from __future__ import annotations

import os
import signal
from importlib.util import find_spec
from typing import Annotated, NoReturn

import typer

from relaxdesign.cli.console import user_errors


def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the server.")] = 8501,
    address: Annotated[
        str, typer.Option(help="Address the server listens on; 0.0.0.0: reachable from other machines.")
    ] = "localhost",
) -> None:
    """Open the app in the browser. Ctrl-C stops the server; its runs stay in the library.

    Other settings of the server are Streamlit's, as variables: STREAMLIT_SERVER_HEADLESS=true opens no browser.
    """
    with user_errors():
        from relaxdesign.data import prepare_app

        script = prepare_app().with_name("server.py")
        _check_settings()

    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, _leave)
    from streamlit.web.cli import main as streamlit

    streamlit(
        ["run", str(script), f"--server.port={port}", f"--server.address={address}"],
        prog_name="streamlit",
        standalone_mode=False,
    )


def _leave(*_: object) -> NoReturn:
    """Ends the process in good order. Uvicorn, which takes the signal first, hands it on when it serves no more."""
    raise SystemExit(0)


def _check_settings() -> None:
    """Raises ValueError for variables that the server could not start with, before it does."""
    from relaxdesign.people import Login

    login = Login.from_environment()
    if login.oidc and find_spec("authlib") is None:
        raise ValueError('RELAXDESIGN_LOGIN=oidc needs some more packages: pip install "relaxdesign[login]"')
    if login.header:
        # The address of the proxy itself decides whether it is believed, not the one it forwards for.
        os.environ["FORWARDED_ALLOW_IPS"] = ""
