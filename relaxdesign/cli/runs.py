"""``relaxdesign runs``: what the library holds."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from relaxdesign.cli.console import output, user_errors
from relaxdesign.cli.library import open_library


def runs(
    search: Annotated[str, typer.Option(help="Part of a name, a note, a tag or a material.")] = "",
    status: Annotated[
        list[str] | None, typer.Option(help="Only finished, cancelled, failed, … runs; repeat for more.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only runs with this tag; repeat for more.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many, newest first.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the runs of the library, which the app fills: RELAXDESIGN_DB names another database."""
    with user_errors(), open_library() as store:
        from relaxdesign.export import to_json
        from relaxdesign.store import END_STATES, LIVE_STATES, RunSearch

        known = (*LIVE_STATES, *END_STATES)
        for state in status or ():
            if state not in known:
                raise ValueError(f"--status {state}: unknown; runs are {', '.join(known)}")
        wanted = RunSearch(text=search, status=tuple(status or ()), tags=tuple(tag or ()))
        records, count = store.list_runs(limit=limit, search=wanted), store.count_runs(wanted)
    if as_json:
        rows = [
            {
                "id": record.id,
                "name": record.name,
                "created": record.created.isoformat(),
                "status": record.status,
                "tags": record.tags,
                "designs": record.design_count,
                "best_error": record.best_error,
                "seconds": record.seconds,
                "request": record.request.model_dump(mode="json"),
            }
            for record in records
        ]
        typer.echo(to_json(rows), nl=False)
        return
    if not records:
        searched = bool(search or status or tag)
        output().print("No run matches." if searched else "The library has no runs yet: press Design in the app.")
        return
    table = Table(title=f"{len(records)} of {count} runs; files of one: relaxdesign export RUN --out DIR")
    for heading in ("Run", "Name", "Started (UTC)", "State"):
        table.add_column(heading, overflow="fold")
    for heading in ("Designs", "Best error", "Seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for record in records:
        best = "" if record.best_error is None else f"{100 * record.best_error:.2f} %"
        seconds = "" if record.seconds is None else f"{record.seconds:.1f}"
        texts = (record.id, record.name, f"{record.created:%Y-%m-%d %H:%M}", record.status)
        table.add_row(*map(escape, texts), f"{record.design_count} of {record.request.count}", best, seconds)
    output().print(table)
