"""``relaxdesign app``: the app in the browser, served from this machine."""

from __future__ import annotations

from typing import Annotated

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

        script = prepare_app()

    from streamlit.web.cli import main as streamlit

    streamlit(
        ["run", str(script), f"--server.port={port}", f"--server.address={address}"],
        prog_name="streamlit",
        standalone_mode=False,
    )
