"""The folder of a campaign: one Parquet file per finished request, written by the worker that computed it.

::

    campaign.json             id of the campaign in the library
    spec.yaml                 what was asked
    tasks/HASH.parquet        a finished request, one row per candidate: numbers, the whole design, its arrays
    tasks/HASH.error.json     a request that failed
    designs.parquet           the numbers of all candidates, ``ok`` where verified, made when the campaign ends
    cancel                    there: workers stop after their step

A file appears under its name when it is complete, so what is there is done and what is not is to do: that is all a
campaign needs to go on after a kill. ``pandas.read_parquet("…/tasks")`` reads the results at any moment.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from relaxdesign.files import write_whole
from relaxdesign.library.records import design_numbers, json_safe, named_columns, pack_arrays, unpack_arrays
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Design, DesignResult

_RESULT = b"relaxdesign"  # key of the result's own fields in the metadata of a file
_WHOLE = ("design", "arrays")  # columns that hold a design, not its numbers


class CampaignError(RuntimeError):
    """A campaign that cannot go on; the text says what to do."""


class Folder:
    """Files of one campaign. All processes, on all machines, see it under the same path."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.tasks = self.path / "tasks"
        self.table = self.path / "designs.parquet"
        self.spec = self.path / "spec.yaml"
        self.lock = self.path / "lock"
        self.log = self.path / "log.txt"
        self._cancel = self.path / "cancel"
        self._identity = self.path / "campaign.json"

    def prepare(self) -> str:
        """Makes the folder; returns the id of the campaign, an earlier one's if there was one."""
        self.tasks.mkdir(parents=True, exist_ok=True)
        if not self._identity.exists():
            write_whole(self._identity, json.dumps({"id": secrets.token_hex(6)}).encode())
        return json.loads(self._identity.read_text())["id"]

    # -- cancelling ------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Tells everybody who works on it to stop."""
        self._cancel.touch()

    def clear_cancel(self) -> None:
        self._cancel.unlink(missing_ok=True)

    def is_cancelled(self) -> bool:
        return self._cancel.exists()

    # -- results ---------------------------------------------------------------------------------

    def finished(self) -> set[str]:
        """Hashes of the requests that are done."""
        return {path.stem for path in self.tasks.glob("*.parquet")}

    def has(self, request_hash: str) -> bool:
        return self._file(request_hash).exists()

    def write(self, request_hash: str, result: DesignResult, *, samples: bool) -> None:
        """Stores a finished request. samples: with the relaxed fields."""
        if not self.tasks.is_dir():
            raise CampaignError(
                f"the campaign's folder {self.path} cannot be seen from this worker: give a path on a file system "
                "that all machines share (--out)"
            )
        own = {field.name: getattr(result, field.name) for field in fields(result)}
        del own["designs"]
        own |= {"request": result.request.model_dump(mode="json"), "started": result.started.isoformat()}
        table = table_of([_row(request_hash, result, design, samples) for design in result.designs])
        table = table.replace_schema_metadata({_RESULT: json.dumps(own)})
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd", write_statistics=False, use_dictionary=False)
        write_whole(self._file(request_hash), sink.getvalue().to_pybytes())

    def read(self, request_hash: str) -> DesignResult:
        """A finished request with its arrays."""
        table = pq.read_table(self._file(request_hash))
        own = json.loads((table.schema.metadata or {})[_RESULT])
        own |= {"request": DesignRequest.model_validate(own["request"])}
        own |= {"started": datetime.fromisoformat(own["started"])}
        designs = tuple(
            Design.from_dict(json.loads(row["design"]), **unpack_arrays(row["arrays"]))
            for row in table.select(_WHOLE).to_pylist()
        )
        return DesignResult(**own, designs=designs)

    def write_failure(self, request_hash: str, error: str) -> None:
        write_whole(self._error(request_hash), json.dumps({"error": error}).encode())

    def failures(self) -> dict[str, str]:
        """Why requests failed, by hash; those that were done later left out."""
        found = {path.name.removesuffix(".error.json"): path for path in self.tasks.glob("*.error.json")}
        done = self.finished()
        return {key: json.loads(path.read_text())["error"] for key, path in found.items() if key not in done}

    def collect(self) -> int:
        """Writes designs.parquet from all finished requests; returns how many designs it holds."""
        tables = []
        for request_hash in sorted(self.finished()):
            file = pq.ParquetFile(self._file(request_hash))
            table = file.read([name for name in file.schema_arrow.names if name not in _WHOLE])
            tables.append(table.replace_schema_metadata(None))
        if not tables:
            return 0
        joined = pa.concat_tables(tables, promote_options="permissive")
        sink = pa.BufferOutputStream()
        pq.write_table(joined, sink, compression="zstd")
        write_whole(self.table, sink.getvalue().to_pybytes())
        return joined.num_rows

    def _file(self, request_hash: str) -> Path:
        return self.tasks / f"{request_hash}.parquet"

    def _error(self, request_hash: str) -> Path:
        return self.tasks / f"{request_hash}.error.json"


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as columns, with the names of all of them: PyArrow alone would take those of the first."""
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: [row.get(name) for row in rows] for name in names})


def _row(request_hash: str, result: DesignResult, design: Design, samples: bool) -> dict[str, Any]:
    """One candidate. Columns have the same names and types in every file."""
    numbers = design_numbers(design)
    properties, family, parameters = (numbers.pop(name) for name in ("properties", "family", "parameters"))
    numbers |= named_columns(family, parameters, [material.name for material in design.materials])
    if not samples:
        design = replace(design, relaxed=None)
    return {
        "request": request_hash,
        "title": result.request.title,
        "method": result.request.method,
        "seed": result.request.seed,
        "dim": result.request.dim,
        "target_bulk": result.request.target_bulk,
        "index": design.index,
        **numbers,
        "message": design.message,
        **{name: value for name, value in properties.items() if name not in numbers},
        "design": json.dumps(json_safe(design.to_dict())),
        "arrays": pack_arrays(design),
    }
