"""``relaxdesign campaign``: many design requests from one YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from relaxdesign.cli.console import (
    EXIT_NO_RESULT,
    fail,
    interrupted,
    output,
    progress,
    stop_on_interrupt,
    user_errors,
    warn,
)
from relaxdesign.cli.library import open_library
from relaxdesign.cli.options import Scheduler

if TYPE_CHECKING:
    from relaxdesign.campaign import CampaignSpec, Progress


def campaign(
    spec_file: Annotated[Path, typer.Argument(metavar="SPEC.yaml", help="Grid or list of design requests.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the results; the same folder goes on. Default: runs/SPEC"),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Local worker processes. Default: one per core.")] = None,
    scheduler: Scheduler = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what failed before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the spec and say what it asks for.")] = False,
) -> None:
    """Compute all designs that a spec asks for; results go into the library and into Parquet files.

    Stop it at any moment and start it again with the same spec and folder: what is finished is not computed twice.
    The spec is described in docs/scaling.md.
    """
    with user_errors():
        from relaxdesign.campaign import read_spec

        spec = read_spec(spec_file)
        warn("own materials", spec.warnings())
        if dry_run:
            plan = spec.plan()
            candidates = sum(planned.request.count for planned in plan)
            output().print(f"{escape(spec.name)}: {len(plan)} requests, {candidates} candidates")
            return
        directory = out or Path("runs") / spec_file.stem
        end = _run(spec, directory, scheduler=scheduler, count=workers, retry_failed=retry_failed)
    output().print(
        f"{end.done} of {end.total} requests done, {end.failed} failed, {end.seconds:.0f} s. "
        f"Table: {escape(str(directory / 'designs.parquet'))}",
        soft_wrap=True,
    )
    if end.status == "cancelled":
        interrupted("Stopped. The same command goes on from here.")
    if end.done == 0:
        fail("no request came to a result", EXIT_NO_RESULT)


def _run(spec: CampaignSpec, directory: Path, **options: Any) -> Progress:
    """The end of a campaign, with its progress on the terminal. options: as of `relaxdesign.campaign.run`."""
    from relaxdesign.campaign import CampaignError, run

    last = None
    with open_library() as store, stop_on_interrupt() as stopped, progress() as bars:
        bar = bars.add_task(escape(spec.name), total=None, note="starting workers")
        try:
            for last in run(spec, directory, store=store, cancel=stopped, **options):
                note = f"{last.failed} failed" if last.failed else ""
                bars.update(bar, total=last.total, completed=last.done + last.failed, note=note)
                if last.last is not None and last.last.message:
                    bars.console.print(f"{last.last.hash[:8]}: {escape(last.last.message)}", soft_wrap=True)
        except CampaignError as error:
            fail(str(error), EXIT_NO_RESULT)
    assert last is not None  # the first answer comes before any work
    return last
