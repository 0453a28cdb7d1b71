"""A PostgreSQL server of the tests' own: from Debian's package, in a folder that is thrown away, as no mighty user."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, create_engine, make_url, text

USER = "relaxdesign"


def program(name: str) -> str | None:
    """The path of a program of PostgreSQL, the newest version of those that are installed; None without one."""
    installed = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    newest = max(installed, key=lambda path: float(path.parents[1].name), default=None)
    return str(newest) if newest else shutil.which(name)


@dataclass(frozen=True)
class Server:
    """A running server. folder: of its data and its socket. account: whose processes it consists of; None: ours."""

    folder: Path
    account: str | None

    @property
    def url(self) -> URL:
        """Address of the database that every server has. The server listens to a socket in its folder, to no port."""
        query = {"host": str(self.folder)}
        return URL.create("postgresql", username=USER, database="postgres", query=query)

    def start(self) -> None:
        """Returns when it answers."""
        # Nothing of it outlives the tests: what a crash would lose need not be on the disk.
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off -c max_connections=200"
        self._control("start", "-w", "-l", str(self.folder / "log"), "-o", options)

    def stop(self, mode: str = "immediate") -> None:
        """Ends it; its clients lose their connections."""
        self._control("stop", "-w", "-m", mode)

    def answers(self) -> bool:
        """Whether it runs and takes connections."""
        return subprocess.run([str(program("pg_isready")), "-q", "-h", str(self.folder)]).returncode == 0

    def _control(self, action: str, *options: str) -> None:
        _run([str(program("pg_ctl")), action, "-D", str(self.folder / "data"), *options], self.account)


@contextmanager
def running_server(parent: Path | None = None) -> Iterator[Server]:
    """A server with nothing in it. parent: where its folder lies. Raises RuntimeError where none is installed."""
    initdb = program("initdb")
    if initdb is None:
        raise RuntimeError("PostgreSQL's server is not installed: apt-get install postgresql")
    account = _account()
    # A short name: the path of a socket has 107 characters at most.
    with tempfile.TemporaryDirectory(prefix="relaxdesign-pg-", dir=parent) as name:
        folder = Path(name)
        if account is not None:
            shutil.chown(folder, account)
        trusting = ["--auth=trust", f"--username={USER}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        _run([initdb, "-D", str(folder / "data"), *trusting], account)
        server = Server(folder, account)
        server.start()
        try:
            yield server
        finally:
            if server.answers():
                server.stop()


@contextmanager
def new_database(server: URL | str) -> Iterator[str]:
    """The address of an empty database on a server, which is dropped afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def _account() -> str | None:
    """An account without rights, for tests that run as root, which PostgreSQL refuses; None: the present one."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _run(command: list[str], account: str | None) -> None:
    # Output goes nowhere: the server inherits it, and a pipe would be read until the server ends.
    silent = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    unprivileged = {"user": account, "group": pwd.getpwnam(account).pw_gid, "extra_groups": []} if account else {}
    done = subprocess.run(command, cwd="/", **silent, **unprivileged)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}")
