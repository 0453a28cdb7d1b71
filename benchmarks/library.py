"""The library with many designs: what its pages ask of the database, timed.

Fills a fresh SQLite file and writes ``benchmarks/results/library.json`` (``make bench``). ``--url`` names another
database, empty and to be thrown away.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import sqlalchemy

from relaxdesign.library import DesignSearch, RunSearch, Store
from relaxdesign.library.records import Curves, design_numbers, json_safe, pack_arrays
from relaxdesign.library.rows import new_run, now
from relaxdesign.library.schema import CurvesRow, DesignDataRow, DesignRow, TagRow
from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.physics.bounds import two_phase_bounds
from relaxdesign.study.objective import Objective
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import STAGES, Design

PER_RUN = 8
BATCH = 250  # runs in a transaction
TAGS = ("car", "bridge", "heat sink", "draft", "for review")


def random_design(index: int, target: float, materials: Catalogue, random: np.random.Generator) -> Design:
    """A design with everything that a real one has but a solution behind it."""
    matrix, particle = (materials.materials[int(n)] for n in random.integers(len(materials), size=2))
    share = float(random.uniform(0.05, 0.5))
    realised = target * (1 + float(random.normal(0, 0.003)))
    return Design(
        index=index,
        objectives=(Objective(quantity="K", low=target, high=target),),
        materials=(matrix, particle),
        shares=(1 - share, share),
        parameters={"diameter": float(random.uniform(0.15, 0.4))},
        stages={
            stage: {"K": value}
            for stage, value in zip(STAGES, (target, realised * 1.1, realised * 0.9, realised, realised), strict=True)
        },
        properties={"K": realised, "density": (1 - share) * matrix.density + share * particle.density},
        spread=0.01 * target,
        bounds=two_phase_bounds(matrix.bulk, matrix.shear, particle.bulk, particle.shear, share),
        iterations=30,
        residual=1e-9,
        labels=(random.random((64, 64, 1)) < share).astype(np.uint8),
    )


def fill(store: Store, designs: int) -> None:
    """Runs of eight designs, a quarter of them tagged, over three years."""
    random, materials = np.random.default_rng(0), Catalogue.default()
    curves = Curves(list(range(50)), [0.5] * 50, [[1.234567] * PER_RUN] * 50, [[2.345678] * PER_RUN] * 50)
    count = designs // PER_RUN
    for start in range(0, count, BATCH):
        runs, rows, data, extras, tags = [], [], [], [], []
        for number in range(start, min(start + BATCH, count)):
            target = float(f"{np.exp(random.uniform(0, np.log(400))):.4g}")
            run = new_run(DesignRequest(target_bulk=target, seed=number))
            run.created = now() - timedelta(hours=2.1 * (count - number))
            run.status, run.seconds, run.design_count = "finished", 4.2, PER_RUN
            run.best_error = float(random.uniform(0, 0.01))
            runs.append(run)
            for index in range(PER_RUN):
                design = random_design(index, target, materials, random)
                key = {"run_id": run.id, "index": index}
                rows.append(key | design_numbers(design))
                data.append(key | {"design": json_safe(design.to_dict()), "arrays": pack_arrays(design)})
            extras.append({"run_id": run.id, "curves": vars(curves)})
            if number % 4 == 0:
                tags.append({"run_id": run.id, "tag": TAGS[number // 4 % len(TAGS)]})
        with store.session.begin() as session:
            session.add_all(runs)
            session.flush()
            for table, values in ((DesignRow, rows), (DesignDataRow, data), (CurvesRow, extras), (TagRow, tags)):
                session.execute(sqlalchemy.insert(table), values)


def questions(store: Store) -> dict[str, Callable[[], object]]:
    """What the pages ask, by name."""
    last = store.count_runs() - 20
    newest = store.list_runs(1)[0].id
    words, odd = RunSearch(text="carbide car"), RunSearch(text="no such word")
    target = RunSearch(target=(50, 60), status=("finished",), order="error")
    light = DesignSearch(text="carbide", bulk=(50, 100), order="density")
    return {
        "open the store": lambda: Store(store.engine.url.render_as_string(hide_password=False)).engine.dispose(),
        "library: first page": lambda: (store.count_runs(), store.list_runs(20), store.tags()),
        "library: last page": lambda: store.list_runs(20, last),
        "library: words of a material and a tag": lambda: (store.count_runs(words), store.list_runs(20, 0, words)),
        "library: words that nothing has": lambda: (store.count_runs(odd), store.list_runs(20, 0, odd)),
        "library: target and state, best first": lambda: (store.count_runs(target), store.list_runs(20, 0, target)),
        "designs: first page": lambda: (store.count_designs(DesignSearch()), store.find_designs(DesignSearch())),
        "designs: material and stiffness, lightest first": lambda: (
            store.count_designs(light),
            store.find_designs(light),
        ),
        "designs: smallest error of all": lambda: store.find_designs(replace(DesignSearch(), order="error")),
        "open a run": lambda: (store.run(newest), store.curves(newest), store.designs(newest)),
    }


def size(store: Store, file: Path) -> int:
    """Bytes on disk of the database."""
    if store.engine.dialect.name == "postgresql":
        with store.engine.connect() as connection:
            return connection.scalar(sqlalchemy.text("SELECT pg_database_size(current_database())")) or 0
    return sum(path.stat().st_size for path in file.parent.glob(f"{file.name}*"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--url", help="an empty database; default: a SQLite file that is removed afterwards")
    parser.add_argument("--keep", type=Path, help="SQLite file to make and keep, or to use if it is there")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "library.json")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        file = options.keep or Path(folder) / "library.db"
        store = Store(options.url or f"sqlite:///{file}")
        begin = time.perf_counter()
        if store.count_runs() == 0:
            fill(store, options.designs)
        dialect = store.engine.dialect
        report = {
            "machine": {"cores": os.cpu_count(), "processor": platform.machine()},
            "database": f"{dialect.name} {'.'.join(map(str, dialect.server_version_info or ()))}",
            "designs": store.count_designs(DesignSearch()),
            "runs": store.count_runs(),
            "seconds_to_fill": round(time.perf_counter() - begin, 1),
            "bytes": size(store, file),
            "seconds": {},
        }
        print(f"{report['designs']} designs in {report['runs']} runs, {report['bytes'] / 1e6:.0f} MB")
        print("| question | median, s | slowest, s | of the processor, s |\n|---|---|---|---|")
        for name, ask in questions(store).items():
            times, processor = [], []
            for _ in range(options.repeats):
                begin, spent = time.perf_counter(), time.process_time()
                ask()
                times.append(time.perf_counter() - begin)
                processor.append(time.process_time() - spent)
            # Where a core is shared, the processor's time tells what the wall's would be alone (SQLite runs in here).
            row = {"median": statistics.median(times), "slowest": max(times), "processor": statistics.median(processor)}
            report["seconds"][name] = {key: round(value, 4) for key, value in row.items()}
            print(f"| {name} |", *(f"{value:.3f} |" for value in row.values()), flush=True)
        report["machine"]["load_average"] = round(os.getloadavg()[0], 1)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
