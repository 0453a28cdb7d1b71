"""``relaxdesign runs``: what the library holds, and how it is kept tidy."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from relaxdesign.cli.console import messages, output, user_errors
from relaxdesign.cli.library import find_run, open_library

Run = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, or its beginning.")]
Runs = Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of runs, or their beginnings.")]

runs = typer.Typer()


@runs.callback(invoke_without_command=True)
def list_runs(
    context: typer.Context,
    search: Annotated[str, typer.Option(help="Part of a name, a note, a tag or a material.")] = "",
    status: Annotated[
        list[str] | None, typer.Option(help="Only finished, cancelled, failed, … runs; repeat for more.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only runs with this tag; repeat for more.")] = None,
    discarded: Annotated[bool, typer.Option("--bin", help="Show the discarded runs.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many, newest first.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the runs of the library, which app and command line share; or describe, discard and restore some.

    RELAXDESIGN_DB names another database.
    """
    if context.invoked_subcommand is not None:
        return
    with user_errors(), open_library() as store:
        from relaxdesign.export import to_json
        from relaxdesign.library import END_STATES, LIVE_STATES, RunSearch

        known = (*LIVE_STATES, *END_STATES)
        for state in status or ():
            if state not in known:
                raise ValueError(f"--status {state}: unknown; runs are {', '.join(known)}")
        wanted = RunSearch(text=search, status=tuple(status or ()), tags=tuple(tag or ()), deleted=discarded)
        records, count = store.list_runs(limit=limit, search=wanted), store.count_runs(wanted)
    if as_json:
        rows = [
            {
                "id": record.id,
                "name": record.name,
                "created": record.created.isoformat(),
                "status": record.status,
                "tags": record.tags,
                "notes": record.notes,
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
        nothing = "The bin is empty." if discarded else "The library has no runs yet: relaxdesign design makes one."
        output().print("No run matches." if search or status or tag else nothing)
        return
    table = Table(title=f"{len(records)} of {count} runs; files of one: relaxdesign export RUN --out DIR")
    for heading in ("Run", "Name", "Tags, notes", "Started (UTC)", "State"):
        table.add_column(heading, overflow="fold")
    for heading in ("Designs", "Best error", "Seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for record in records:
        best = "" if record.best_error is None else f"{100 * record.best_error:.2f} %"
        seconds = "" if record.seconds is None else f"{record.seconds:.1f}"
        described = "; ".join(text for text in (", ".join(record.tags), record.notes) if text)
        texts = (record.id, record.name, described, f"{record.created:%Y-%m-%d %H:%M}", record.status)
        table.add_row(*map(escape, texts), f"{record.design_count} of {record.request.count}", best, seconds)
    output().print(table)


@runs.command()
def describe(
    run: Run,
    name: Annotated[str | None, typer.Option(help="New name; an empty one brings the default back.")] = None,
    notes: Annotated[str | None, typer.Option(help="New notes, in place of the present ones.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Add this tag; repeat for more.")] = None,
    untag: Annotated[list[str] | None, typer.Option(help="Take this tag away; repeat for more.")] = None,
) -> None:
    """Change the name, the notes and the tags of a run."""
    with user_errors(), open_library() as store:
        if name is None and notes is None and not tag and not untag:
            raise ValueError("say what to change: --name, --notes, --tag or --untag")
        record = find_run(store, run)
        tags = {*record.tags, *(tag or ())} - {*(untag or ())}
        store.describe(record.id, name=name, notes=notes, tags=tags)
    messages.print(f"Run {record.id} changed.")


@runs.command()
def discard(run: Runs) -> None:
    """Put runs into the bin, from where restore brings them back."""
    with user_errors(), open_library() as store:
        from relaxdesign.library import LIVE_STATES

        records = [find_run(store, wanted) for wanted in run]
        for record in records:
            if record.status in LIVE_STATES:
                raise ValueError(f"run {record.id} is {record.status}: stop it before you discard it")
        for record in records:
            store.discard(record.id)
    messages.print(f"{len(records)} put into the bin: relaxdesign runs --bin")


@runs.command()
def restore(run: Runs) -> None:
    """Take runs out of the bin."""
    with user_errors(), open_library() as store:
        records = [find_run(store, wanted, deleted=True) for wanted in run]
        for record in records:
            store.restore(record.id)
    messages.print(f"{len(records)} taken out of the bin.")


@runs.command()
def remove(
    run: Runs, yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether they really shall go.")] = False
) -> None:
    """Remove runs that are in the bin, with their designs, for good."""
    with user_errors(), open_library() as store:
        records = [find_run(store, wanted, deleted=True) for wanted in run]
        names = ", ".join(record.name for record in records)
        if not yes:
            typer.confirm(f"Remove {names} for good?", abort=True, err=True)
        for record in records:
            store.delete(record.id)
    messages.print(f"{len(records)} removed for good.")
