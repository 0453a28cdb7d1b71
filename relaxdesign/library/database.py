"""Which database, how it is opened, and how one of an earlier version is brought up to date."""

from __future__ import annotations

import os
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, event, inspect, text
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

FIRST_SCHEMA = "0001"

_MIGRATIONS = Path(__file__).parent / "migrations"
_NO_ADDRESS = "RELAXDESIGN_DB is no address of a database"
_ADDRESSES = "sqlite:////folder/library.db or postgresql://user:password@host/database"
_ADVISORY_LOCK = 0x52444553  # any number that all processes agree on


class StoreError(RuntimeError):
    """A database that this version cannot use; the text says what to do."""


def default_url() -> str:
    """``RELAXDESIGN_DB``, or a SQLite file in the user's data directory."""
    configured = os.environ.get("RELAXDESIGN_DB", "").strip()
    if configured:
        return configured
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return f"sqlite:///{data / 'relaxdesign' / 'relaxdesign.db'}"


def connect(url: str) -> Engine:
    """An engine for the database, which is made or brought up to date first.

    Raises StoreError for an address or a driver that cannot be used, and for a database of a newer version.
    """
    engine = _engine(url)
    with engine.connect() as connection:
        ready = _revision(connection) == _head()
    if not ready:
        _upgrade(engine)
    return engine


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(f"{_NO_ADDRESS}: it must look like {_ADDRESSES}") from None  # it may hold a password
    sqlite = parsed.get_backend_name() == "sqlite"
    if sqlite and parsed.database and parsed.database != ":memory:":
        Path(parsed.database).expanduser().parent.mkdir(parents=True, exist_ok=True)
    try:
        engine = create_engine(parsed, **({"connect_args": {"timeout": 30}} if sqlite else {"pool_pre_ping": True}))
    except NoSuchModuleError:
        raise StoreError(f"{_NO_ADDRESS}: no kind {parsed.drivername!r} is known; use {_ADDRESSES}") from None
    except ImportError as error:
        remedy = f"install the driver of {parsed.drivername!r}"
        if parsed.get_backend_name() == "postgresql":
            remedy = 'install it with: pip install "relaxdesign[postgresql]", or psycopg[binary]'
        raise StoreError(f"the library lies on a server whose driver is not installed ({error}): {remedy}") from error
    if sqlite:

        @event.listens_for(engine, "connect")
        def _pragmas(connection, _record) -> None:
            # WAL: pages read while the worker writes.
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")

    return engine


def _upgrade(engine: Engine) -> None:
    """All steps or none, in one transaction that other processes wait for."""
    config = _config()
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            driver = connection.connection.dbapi_connection
            assert driver is not None
            before, driver.isolation_level = driver.isolation_level, None
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        elif engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        try:
            config.attributes["connection"] = connection
            if _revision(connection) is None and inspect(connection).has_table("runs"):
                command.stamp(config, FIRST_SCHEMA)  # made before there were migrations
            command.upgrade(config, "head")
            connection.commit()
        except CommandError as error:
            connection.rollback()
            raise StoreError(
                f"the library at {engine.url.render_as_string()} cannot be used by this version of RelaxDesign "
                f"({error}): a newer version wrote it; update RelaxDesign or name another database in RELAXDESIGN_DB"
            ) from error
        except BaseException:
            connection.rollback()
            raise
        finally:
            if engine.dialect.name == "sqlite":
                driver.isolation_level = before


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _head() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
