"""Passing over many rows, for the steps that must look into each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

BATCH = 1000
"""Rows that are read, and written, at once: a row by itself costs a round trip to the server."""


def batches(connection: sa.Connection, statement: sa.Select) -> Iterator[Sequence[Any]]:
    """The rows of a statement, never all in memory. What it reads must not be written meanwhile."""
    with connection.execute(statement, execution_options={"yield_per": BATCH}) as found:
        yield from found.partitions()


def update_designs(connection: sa.Connection, designs: sa.TableClause, values: Sequence[dict[str, Any]]) -> None:
    """Changes rows of designs. values: columns with their new values, and ``of_run`` and ``of_index`` for which row."""
    names = values[0].keys() - {"of_run", "of_index"}
    of_design = designs.c.run_id == sa.bindparam("of_run"), designs.c.index == sa.bindparam("of_index")
    connection.execute(
        sa.update(designs).where(*of_design).values({name: sa.bindparam(name) for name in names}), list(values)
    )
