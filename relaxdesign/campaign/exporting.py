"""What is taken along from a campaign: the numbers of its designs as a table, and the files of some of them.

`relaxdesign.export`, which draws, is imported where it is used: workers, which import this package, do without.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import yaml

from relaxdesign.campaign.folder import table_of
from relaxdesign.library import CampaignRecord, DesignRecord, DesignSearch, Store, UnknownRun, rows
from relaxdesign.library.records import named_columns

MOST_WITH_FILES = 50
"""Designs of an archive that come with files of their own."""

FORMATS = ("stl", "3mf", "vti", "abaqus", "calculix", "ansys", "json")
"""Their files: what other programs read. Pictures would take most of the time."""

_PART = 5_000


def designs_table(store: Store, campaign_id: str, limit: int | None = None) -> pa.Table:
    """The numbers of the verified designs that are not in the bin, one row each, newest first.

    limit: at most so many; None: all. Rows become columns some thousand at a time, which take a tenth of the memory.
    """
    statement = DesignSearch(campaign=campaign_id).page(limit, 0)
    with store.session() as session:
        parts = session.execute(statement, execution_options={"yield_per": _PART}).partitions()
        tables = [table_of(list(map(_numbers, rows.design_records(session, part)))) for part in parts]
    return pa.concat_tables(tables, promote_options="permissive") if tables else pa.table({})


def csv_bytes(table: pa.Table) -> bytes:
    """CSV as of `relaxdesign.export.tables.records_csv`, without a Python object for every number."""
    sink = pa.BufferOutputStream()
    sink.write("\ufeff".encode())
    pyarrow.csv.write_csv(pa.table([_safe(column) for column in table.columns], table.column_names), sink)
    return sink.getvalue().to_pybytes()


def parquet_bytes(table: pa.Table) -> bytes:
    """Parquet with the names and types of the table."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def archive(
    record: CampaignRecord, store: Store, table: pa.Table, designs: Iterable[tuple[str, int]], folder: str
) -> bytes:
    """A ZIP of the spec, the table and each design's own files, in ``designs/RUN/``.

    designs: (id of the run, index); what was removed meanwhile is left out. folder: of all files in the ZIP.
    """
    from relaxdesign.export import zip_bytes

    return zip_bytes(_files(record, store, table, designs), folder)


def _files(
    record: CampaignRecord, store: Store, table: pa.Table, designs: Iterable[tuple[str, int]]
) -> Iterator[tuple[str, bytes]]:
    from relaxdesign.export import result_files
    from relaxdesign.library.stored import stored_result

    yield "spec.yaml", yaml.safe_dump(record.spec, sort_keys=False, allow_unicode=True).encode()
    yield "designs.csv", csv_bytes(table)
    yield "designs.parquet", parquet_bytes(table)
    indices: dict[str, list[int]] = {}
    for run_id, index in designs:
        indices.setdefault(run_id, []).append(index)
    for run_id, of_run in indices.items():
        try:
            result = stored_result(store, run_id)
        except UnknownRun:
            continue
        for path, content in result_files(result, FORMATS, indices=sorted(of_run), run_id=run_id):
            yield f"designs/{run_id}/{path}", content


def _numbers(record: DesignRecord) -> dict[str, Any]:
    own = {name: getattr(record, name) for name in ("run_id", "index", "run_name", "target_bulk", "error", "density")}
    own |= named_columns(record.family, record.parameters, record.materials) | {"K": record.bulk}
    return own | {name: value for name, value in record.properties.items() if name not in own}


def _safe(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """Without formulas."""
    from relaxdesign.export.names import safe_cell

    return pa.array([safe_cell(text) for text in column.to_pylist()]) if pa.types.is_string(column.type) else column
