"""The commands by which docs/server.md keeps and restores a library do that, also while it is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

from sqlalchemy import make_url

from relaxdesign.library import Store
from relaxdesign.study.request import DesignRequest
from tests import postgres
from tests.library.old_libraries import contents
from tests.scripted_study import scripted_design

GUIDE = Path(__file__).parents[2] / "docs" / "server.md"
REQUEST = DesignRequest(target_bulk=100.0, count=1, steps=4)


def run_command(kind: str, url: str, backup: Path) -> None:
    """The block of commands of the guide that begins with this comment."""
    found = re.search(rf"```sh\n# {kind}\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert found, f"the guide has no {kind}"
    library = url.removeprefix("sqlite:///")
    tools = [str(Path(sys.executable).parent)]
    if program := postgres.program("pg_dump"):
        tools.append(str(Path(program).parent))
    path = os.pathsep.join([*tools, os.environ["PATH"]])
    environment = os.environ | {"LIBRARY": library, "BACKUP": str(backup), "PATH": path}
    subprocess.run(["sh", "-euc", found[1]], env=environment, check=True, timeout=120)


def test_what_was_kept_comes_back_whole(database_url, tmp_path):
    store = Store(database_url)
    kind = make_url(database_url).get_backend_name()
    for seed in range(5):
        run_id = store.create_run(REQUEST.model_copy(update={"seed": seed}))
        store.save_design(run_id, scripted_design(0))
    before, done = contents(store.engine), threading.Event()

    def write() -> None:
        while not done.wait(0.01):
            store.create_run(REQUEST, "written meanwhile")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        run_command(f"backup of {kind}", database_url, tmp_path / "backup")
    finally:
        done.set()
        writer.join()
    store.create_run(REQUEST, "after the backup")
    store.delete(run_id)
    store.engine.dispose()

    run_command(f"restore of {kind}", database_url, tmp_path / "backup")
    restored = Store(database_url)
    names = {run.name for run in restored.list_runs(10_000)}
    assert "after the backup" not in names
    assert restored.run(run_id).design_count == 1
    after = contents(restored.engine)
    assert after.keys() == before.keys()
    for table, rows in before.items():
        assert set(rows) <= set(after[table]), table
