"""How long a large library of the first version takes until this version has opened it.

``python benchmarks/migration.py`` writes 100,000 designs as version 0.1 did, into SQLite and into a PostgreSQL server
of its own, opens both with the present code, and puts seconds and bytes into ``benchmarks/results/migration.json``. The
designs are those of the tests' dump, many times over: their JSON and arrays have the size of real ones.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import MetaData, Table, create_engine, insert, select, text

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the old library and the server are those of the tests

from relaxdesign.library import DesignSearch, Store  # noqa: E402
from tests import postgres  # noqa: E402
from tests.library import old_libraries  # noqa: E402

PER_RUN = 8
BATCH = 250  # runs in a transaction
LONGEST_S = 120.0


def fill(url: str, designs: int) -> int:
    """Writes a library of the first version with this many verified designs; returns the bytes of their arrays."""
    old_libraries.write(old_libraries.FIRST, url)
    engine = create_engine(url)
    with engine.connect() as connection:
        tables = MetaData()
        runs, rows = (Table(name, tables, autoload_with=connection) for name in ("runs", "designs"))
        run = connection.execute(select(runs).where(runs.c.id == "00000000000a")).one()._asdict()
        design = connection.execute(select(rows).where(rows.c.ok)).first()
        assert design is not None
        design = design._asdict()
    count = designs // PER_RUN
    with engine.begin() as connection:
        connection.execute(rows.delete())
        connection.execute(runs.delete())
    for start in range(0, count, BATCH):
        ids = [f"{number:012x}" for number in range(start, min(start + BATCH, count))]
        with engine.begin() as connection:
            connection.execute(insert(runs), [run | {"id": name} for name in ids])
            many = [design | {"run_id": name, "index": index} for name in ids for index in range(PER_RUN)]
            connection.execute(insert(rows), many)
    engine.dispose()
    return len(design["arrays"]) * count * PER_RUN


def size(store: Store) -> int:
    """Bytes on disk of the database."""
    if store.engine.dialect.name == "postgresql":
        with store.engine.connect() as connection:
            return connection.scalar(text("SELECT pg_database_size(current_database())")) or 0
    return sum(path.stat().st_size for path in Path(str(store.engine.url.database)).parent.glob("library.db*"))


def measure(url: str, designs: int) -> dict:
    """Fills a database, opens it, and says how long that took."""
    fill(url, designs)
    begin, spent = time.perf_counter(), time.process_time()
    store = Store(url)
    seconds, processor = time.perf_counter() - begin, time.process_time() - spent
    found = store.count_designs(DesignSearch(text="carbide"))
    if found != designs // PER_RUN * PER_RUN:
        raise RuntimeError(f"{found} of {designs} designs are found after the migration")
    server = ".".join(map(str, store.engine.dialect.server_version_info or ()))
    report = {
        "database": f"{store.engine.dialect.name} {server}",
        "designs": found,
        "bytes": size(store),
        "seconds": round(seconds, 1),
        "seconds_of_this_process": round(processor, 1),  # what the wall's would be on an idle machine, or less
        "load_average": round(os.getloadavg()[0], 1),
    }
    store.engine.dispose()
    print(f"| {report['database']} | {found} | {report['bytes'] / 1e6:.0f} MB | {seconds:.1f} s | {processor:.1f} s |")
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", type=int, default=100_000)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "migration.json")
    options = parser.parse_args()
    reports = []
    if options.only != "postgresql":
        with tempfile.TemporaryDirectory() as folder:
            reports.append(measure(f"sqlite:///{folder}/library.db", options.designs))
    if options.only != "sqlite":
        with postgres.running_server() as server, postgres.new_database(server.url) as url:
            reports.append(measure(url, options.designs))
    machine = {"cores": os.cpu_count(), "processor": platform.machine()}
    options.out.write_text(json.dumps({"machine": machine, "from": "0.1", "libraries": reports}, indent=1) + "\n")
    sys.exit(any(report["seconds"] > LONGEST_S for report in reports))


if __name__ == "__main__":
    main()
