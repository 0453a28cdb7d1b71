"""Libraries as earlier versions wrote them, kept as dumps of SQLite, in a database of any kind."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import MetaData, create_engine, event, insert, make_url, select
from sqlalchemy.engine import Engine

_HERE = Path(__file__).parent
# By the first version: run …0a with three designs (one failed) and curves, run …0b failed.
FIRST = _HERE / "first_schema.sql"
# By version 0.2: run …0a with a design of particles and one that failed, run …0b with a free-form one.
SECOND = _HERE / "second_schema.sql"
# Before there were catalogues: run …0a with own materials and a design.
THIRD = _HERE / "third_schema.sql"


def write(dump: Path, url: str) -> None:
    """Puts a dump into an empty database."""
    target = create_engine(url)
    if target.dialect.name == "sqlite":
        connection = sqlite3.connect(str(make_url(url).database))
        connection.executescript(dump.read_text())
        connection.close()
        return
    memory = create_engine("sqlite://")
    with memory.connect() as source, target.begin() as connection:
        source.connection.executescript(dump.read_text())  # type: ignore[attr-defined]  # of sqlite3
        tables = MetaData()
        event.listen(tables, "column_reflect", lambda *found: found[-1].update(type=found[-1]["type"].as_generic()))
        tables.reflect(source)
        tables.create_all(connection)
        for table in tables.sorted_tables:
            if rows := [dict(row._mapping) for row in source.execute(select(table))]:
                connection.execute(insert(table), rows)
    target.dispose()


def contents(engine: Engine) -> dict[str, list]:
    """All tables with their columns and all rows."""
    tables = MetaData()
    with engine.connect() as connection:
        tables.reflect(connection)
        found = {
            f"{table.name}({', '.join(table.columns.keys())})": sorted(map(repr, connection.execute(select(table))))
            for table in tables.sorted_tables
        }
    engine.dispose()
    return found
