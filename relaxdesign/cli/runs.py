"""``relaxdesign runs``: what the library holds, and how it is kept tidy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from relaxdesign.cli.console import messages, output, user_errors
from relaxdesign.cli.library import find_run, open_library
from relaxdesign.cli.options import AsJson, RunId, grouped

if TYPE_CHECKING:
    from relaxdesign.library import RunRecord, RunSearch

Runs = Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of runs, or their beginnings.")]

runs = typer.Typer()


@dataclass(frozen=True)
class Filters:
    """Which runs are listed, as options."""

    search: Annotated[str, typer.Option(help="Part of a name, a note, a tag or a material.")] = ""
    status: Annotated[
        list[str] | None, typer.Option(help="Only finished, cancelled, failed, … runs; repeat for more.")
    ] = None
    tag: Annotated[list[str] | None, typer.Option(help="Only runs with this tag; repeat for more.")] = None
    discarded: Annotated[bool, typer.Option("--bin", help="Show the discarded runs.")] = False

    def wanted(self) -> RunSearch:
        """What the library is searched for. Raises ValueError for states that runs do not have."""
        from relaxdesign.library import END_STATES, LIVE_STATES, RunSearch

        known = (*LIVE_STATES, *END_STATES)
        for state in self.status or ():
            if state not in known:
                raise ValueError(f"--status {state}: unknown; runs are {', '.join(known)}")
        return RunSearch(self.search, tuple(self.status or ()), tuple(self.tag or ()), deleted=self.discarded)

    def nothing(self) -> str:
        """What is said when no run is found."""
        if self.search or self.status or self.tag:
            return "No run matches."
        return "The bin is empty." if self.discarded else "The library has no runs yet: relaxdesign design makes one."


@runs.callback(invoke_without_command=True)
@grouped
def list_runs(
    *,
    context: typer.Context,
    filters: Filters,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the runs of the library, which app and command line share; or describe, discard and restore some.

    RELAXDESIGN_DB names another database.
    """
    if context.invoked_subcommand is not None:
        return
    with user_errors(), open_library() as store:
        from relaxdesign.export import to_json

        wanted = filters.wanted()
        records, count = store.list_runs(limit=limit, search=wanted), store.count_runs(wanted)
    if as_json:
        typer.echo(to_json([_record(run) for run in records]), nl=False)
    elif records:
        output().print(_table(records, count))
    else:
        output().print(filters.nothing())


def _record(run: RunRecord) -> dict[str, Any]:
    """A run as JSON tells it."""
    return {
        "id": run.id,
        "name": run.name,
        "created": run.created.isoformat(),
        "status": run.status,
        "tags": run.tags,
        "notes": run.notes,
        "designs": run.design_count,
        "best_error": run.best_error,
        "seconds": run.seconds,
        "request": run.request.model_dump(mode="json"),
    }


def _table(records: Sequence[RunRecord], count: int) -> Table:
    """A row per run. count: of all that were found."""
    table = Table(title=f"{len(records)} of {count} runs; files of one: relaxdesign export RUN --out DIR")
    for heading in ("Run", "Name", "Tags, notes", "Started (UTC)", "State"):
        table.add_column(heading, overflow="fold")
    for heading in ("Designs", "Best error", "Seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for run in records:
        best = "" if run.best_error is None else f"{100 * run.best_error:.2f} %"
        seconds = "" if run.seconds is None else f"{run.seconds:.1f}"
        described = "; ".join(text for text in (", ".join(run.tags), run.notes) if text)
        texts = (run.id, run.name, described, f"{run.created:%Y-%m-%d %H:%M}", run.status)
        table.add_row(*map(escape, texts), f"{run.design_count} of {run.request.count}", best, seconds)
    return table


@runs.command()
def describe(
    run: RunId,
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
