"""nginx in front of the app, by the recipe that the repository gives."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

RECIPE = Path(__file__).parents[1] / "deploy" / "nginx.conf"


def program() -> str | None:
    """Where nginx lies; None where it is not installed."""
    return shutil.which("nginx", path="/usr/sbin:/usr/local/sbin") or shutil.which("nginx")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running_proxy(app: str, users: Mapping[str, str]) -> Iterator[str]:
    """The address of a proxy before an app, for users with these passwords. app: the address of the app."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="relaxdesign-nginx-") as name:
        folder = Path(name)
        passwords = folder / "users"
        passwords.write_text("".join(f"{user}:{{PLAIN}}{password}\n" for user, password in users.items()))
        server = RECIPE.read_text()
        for written, here in {
            "listen 8080;": f"listen 127.0.0.1:{port};",
            "/etc/nginx/relaxdesign.users": str(passwords),
            "http://127.0.0.1:8501": app,
        }.items():
            assert written in server, f"the recipe does not say {written}"
            server = server.replace(written, here)
        paths = "".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        # As root its workers would change to an account that may not read the folder.
        head = f"daemon off; pid {folder}/pid; error_log {folder}/log; {'user root;' if _is_root() else ''}"
        (folder / "nginx.conf").write_text(f"{head} events {{}} http {{ access_log off; {paths} {server} }}")
        command = [str(program()), "-p", name, "-e", f"{folder}/log", "-c", f"{folder}/nginx.conf"]
        process = subprocess.Popen(command)
        try:
            _await(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def _is_root() -> bool:
    return os.geteuid() == 0


def _await(port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("nginx did not start")
