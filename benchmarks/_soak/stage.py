"""The server under test on a small disk of its own, with a PostgreSQL server that it shares the disk with."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from tests import postgres, proxy
from tests.e2e.driving import running_server

DISK_MB = 1500
AFTERMATH_S = 90.0
"""How long after something has gone wrong pages may still say so: signs of life are believed for 45 s."""


class Stage:
    """A server that is started anew when it was killed, and what was done to it."""

    def __init__(self, disk: Path, database: postgres.Server, url: str, log: Path):
        self.disk, self.database, self.url, self.log = disk, database, url, log
        self.port = proxy.free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._quiet_from = 0.0
        self.start()

    def start(self) -> None:
        """Starts the server; returns when it answers."""
        variables = {"RELAXDESIGN_REPLAYS": str(self.disk / "replays"), "RELAXDESIGN_RUNNING": "2"}
        self.server = self._stack.enter_context(running_server(self.url, self.log, port=self.port, **variables))

    def restart(self) -> None:
        """Kills the server with all its processes, and starts another in its place."""
        self.server.kill()
        self._stack.close()
        self.start()

    def close(self) -> int | None:
        """Ends the server; returns the exit code."""
        process = self.server.process
        self._stack.close()
        return process.returncode

    @property
    def processes(self) -> list[psutil.Process]:
        """The server and its children; none while it is down."""
        with contextlib.suppress(psutil.Error):
            first = psutil.Process(self.server.process.pid)
            return [first, *first.children(recursive=True)]
        return []

    @contextmanager
    def disturbance(self) -> Iterator[None]:
        """While something goes wrong, and a while after it."""
        with self._lock:
            self._quiet_from = float("inf")
        try:
            yield
        finally:
            with self._lock:
                self._quiet_from = time.monotonic() + AFTERMATH_S

    @property
    def disturbed(self) -> bool:
        with self._lock:
            return time.monotonic() < self._quiet_from


@contextmanager
def staged() -> Iterator[Stage]:
    """A stage with an empty library. Needs root, to mount a disk, and Debian's postgresql."""
    with tempfile.TemporaryDirectory(prefix="relaxdesign-soak-") as name, ExitStack() as stack:
        disk = Path(name) / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=755", "tmpfs", str(disk)], check=True)
        stack.callback(subprocess.run, ["umount", "--lazy", str(disk)], check=True)
        os.chmod(name, 0o755)  # the database runs as another user
        database = stack.enter_context(postgres.running_server(disk))
        url = stack.enter_context(postgres.new_database(database.url))
        stage = Stage(disk, database, url, Path(name) / "server.log")
        stack.callback(stage.close)
        yield stage
