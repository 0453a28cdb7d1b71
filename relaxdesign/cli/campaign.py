"""``relaxdesign campaign``: many design requests from one YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from relaxdesign.cli.console import (
    EXIT_INTERRUPTED,
    EXIT_NO_RESULT,
    fail,
    messages,
    output,
    progress,
    stop_on_interrupt,
    user_errors,
    warn,
)
from relaxdesign.cli.library import open_library


def campaign(
    spec_file: Annotated[Path, typer.Argument(metavar="SPEC.yaml", help="Grid or list of design requests.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the results; the same folder goes on. Default: runs/SPEC"),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Local worker processes. Default: one per core.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A running Dask scheduler, e.g. tcp://head:8786.")
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what failed before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the spec and say what it asks for.")] = False,
) -> None:
    """Compute all designs that a spec asks for; results go into the library and into Parquet files.

    Stop it at any moment and start it again with the same spec and folder: what is finished is not computed twice.
    The spec is described in docs/scaling.md.
    """
    with user_errors():
        from relaxdesign.campaign import CampaignError, read_spec, run

        spec = read_spec(spec_file)
        warn("own materials", spec.warnings())
        directory = out or Path("runs") / spec_file.stem
        if dry_run:
            plan = spec.plan()
            output().print(
                f"{escape(spec.name)}: {len(plan)} requests, {sum(p.request.count for p in plan)} candidates"
            )
            return
        with open_library() as store, stop_on_interrupt() as stopped, progress() as bars:
            bar = bars.add_task(escape(spec.name), total=None, note="starting workers")
            last = None
            try:
                for last in run(
                    spec,
                    directory,
                    store=store,
                    scheduler=scheduler,
                    count=workers,
                    retry_failed=retry_failed,
                    cancel=stopped,
                ):
                    note = f"{last.failed} failed" if last.failed else ""
                    bars.update(bar, total=last.total, completed=last.done + last.failed, note=note)
                    if last.last is not None and last.last.message:
                        bars.console.print(f"{last.last.hash[:8]}: {escape(last.last.message)}", soft_wrap=True)
            except CampaignError as error:
                fail(str(error), EXIT_NO_RESULT)
    assert last is not None  # the first answer comes before any work
    output().print(
        f"{last.done} of {last.total} requests done, {last.failed} failed, {last.seconds:.0f} s. "
        f"Table: {escape(str(directory / 'designs.parquet'))}",
        soft_wrap=True,
    )
    if last.status == "cancelled":
        messages.print("Stopped. The same command goes on from here.")
        raise typer.Exit(EXIT_INTERRUPTED)
    if last.done == 0:
        fail("no request came to a result", EXIT_NO_RESULT)
