"""``relaxdesign protocol``: hit rates over the whole range, against baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relaxdesign.cli.console import EXIT_INTERRUPTED, messages, output, progress, user_errors


def protocol(
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="range, density, two-targets, directional, baselines, many-steps, few-steps or confirm (seeds that no "
            "search has seen); repeat. Default: all."
        ),
    ] = None,
    dim: Annotated[list[int] | None, typer.Option(help="2 or 3; repeat. Default: both.")] = None,
    match: Annotated[
        str, typer.Option(metavar="TEXT", help="Only cases with this in their name, as 3d-q1 or best-of-n.")
    ] = "",
    designs: Annotated[
        int | None,
        typer.Option(min=1, help="Designs per target. Default: 8 to 64, by the set; see the page."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few minutes: 2D, three targets, 20 steps, 8 designs.")
    ] = False,
    workers: Annotated[int, typer.Option(min=0, help="Local processes; 0: one per core.")] = 0,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A running Dask scheduler, in place of local processes.")
    ] = None,
    work: Annotated[Path, typer.Option(metavar="DIR", help="Every finished design is kept here.")] = Path(
        "runs/protocol"
    ),
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of results.md and results/; cases there that are not measured now are kept. "
            "Default: docs, with --quick the folder of its work.",
        ),
    ] = None,
    report: Annotated[bool, typer.Option("--report", help="Only write the page from what there is.")] = False,
) -> None:
    """Measure how well designs meet their targets, and write the tables.

    Stop it at any time: what is finished is kept in the work folder, and the same command goes on from there.
    """
    with user_errors():
        from relaxdesign.validation import SETS, plan, run_cases
        from relaxdesign.validation.runner import available_cores, load_designs
        from relaxdesign.validation.summary import summarise

        unknown = set(only or ()) - set(SETS)
        if unknown:
            raise ValueError(f"--only: unknown {', '.join(sorted(unknown))}; there are {', '.join(SETS)}")
        if set(dim or ()) - {2, 3}:
            raise ValueError("--dim must be 2 or 3")
        sets = tuple(only or (("range", "baselines") if quick else SETS))
        dims = tuple(dim or ((2,) if quick else (2, 3)))
        work = work / "quick" if quick else work
        out = out or (work if quick else Path("docs"))
        planned = plan(sets, dims, 8 if quick else designs, work, quick=quick)
        cases = [case for case in planned if match in case.key]
        if not cases:
            raise ValueError(f"--match: no case has {match!r} in its name; there are, e.g., {planned[0].key}")
        if not report:
            failures: dict[str, str] = {}
            with progress() as bars:
                task = bars.add_task("Protocol", total=None, note="")
                try:
                    for step in run_cases(cases, work, count=workers or None, scheduler=scheduler):
                        bars.update(task, total=step.count, completed=step.done, note=step.case.key)
                        if step.error:
                            failures[step.case.key] = step.error
                except KeyboardInterrupt:
                    messages.print("Stopped: the same command goes on from the designs that are finished.")
                    raise typer.Exit(EXIT_INTERRUPTED) from None
            for key, error in failures.items():
                messages.print(f"{key}: {error}", markup=False, soft_wrap=True)
        found = [(case, *load_designs(case, work)) for case in cases]
        summaries = [summarise(case, made, costs) for case, made, costs in found if made]
        if not summaries:
            raise ValueError(f"there are no finished designs in {work}: run without --report")
        _write(summaries, out, workers or available_cores())
    output().print(f"{sum(s.designs for s in summaries)} designs of {len(summaries)} cases: {out / 'results.md'}")


def _write(summaries, out: Path, processes: int) -> None:
    from relaxdesign.validation.report import write_report
    from relaxdesign.validation.runner import machine

    out.mkdir(parents=True, exist_ok=True)
    write_report(summaries, out / "results.md", out / "results", machine() | {"processes": processes})
