"""``relaxdesign protocol``: hit rates over the whole range, against baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relaxdesign.cli.console import interrupted, messages, output, progress, user_errors
from relaxdesign.cli.options import Scheduler, grouped

if TYPE_CHECKING:
    from relaxdesign.validation.cases import Case
    from relaxdesign.validation.summary import Summary


@dataclass(frozen=True)
class Chosen:
    """Which cases of the protocol are measured, as options."""

    only: Annotated[
        list[str] | None,
        typer.Option(
            help="range, density, two-targets, directional, baselines, many-steps, few-steps or confirm (seeds that no "
            "search has seen); repeat. Default: all."
        ),
    ] = None
    dim: Annotated[list[int] | None, typer.Option(help="2 or 3; repeat. Default: both.")] = None
    match: Annotated[
        str, typer.Option(metavar="TEXT", help="Only cases with this in their name, as 3d-q1 or best-of-n.")
    ] = ""
    designs: Annotated[
        int | None, typer.Option(min=1, help="Designs per target. Default: 8 to 64, by the set; see the page.")
    ] = None
    quick: Annotated[bool, typer.Option("--quick", help="A few minutes: 2D, three targets, 20 steps, 8 designs.")] = (
        False
    )

    def cases(self, work: Path) -> list[Case]:
        """The cases. Raises ValueError for options that leave none. work: folder in which targets are kept."""
        from relaxdesign.validation import SETS, plan

        if unknown := set(self.only or ()) - set(SETS):
            raise ValueError(f"--only: unknown {', '.join(sorted(unknown))}; there are {', '.join(SETS)}")
        if set(self.dim or ()) - {2, 3}:
            raise ValueError("--dim must be 2 or 3")
        sets = tuple(self.only or (("range", "baselines") if self.quick else SETS))
        dims = tuple(self.dim or ((2,) if self.quick else (2, 3)))
        planned = plan(sets, dims, 8 if self.quick else self.designs, work, quick=self.quick)
        cases = [case for case in planned if self.match in case.key]
        if not cases:
            raise ValueError(f"--match: no case has {self.match!r} in its name; there are, e.g., {planned[0].key}")
        return cases


@grouped
def protocol(
    *,
    chosen: Chosen,
    workers: Annotated[int, typer.Option(min=0, help="Local processes; 0: one per core.")] = 0,
    scheduler: Scheduler = None,
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
        from relaxdesign.validation.runner import available_cores

        work = work / "quick" if chosen.quick else work
        out = out or (work if chosen.quick else Path("docs"))
        cases = chosen.cases(work)
        if not report:
            _run(cases, work, workers, scheduler)
        summaries = _summaries(cases, work)
        _write(summaries, out, workers or available_cores())
    designs = sum(summary.designs for summary in summaries)
    output().print(f"{designs} designs of {len(summaries)} cases: {out / 'results.md'}")


def _run(cases: Sequence[Case], work: Path, workers: int, scheduler: str | None) -> None:
    """Computes what is missing of the cases, and tells which of them failed and why."""
    from relaxdesign.validation import run_cases

    failures: dict[str, str] = {}
    with progress() as bars:
        task = bars.add_task("Protocol", total=None, note="")
        try:
            for step in run_cases(cases, work, count=workers or None, scheduler=scheduler):
                bars.update(task, total=step.count, completed=step.done, note=step.case.key)
                if step.error:
                    failures[step.case.key] = step.error
        except KeyboardInterrupt:
            interrupted("Stopped: the same command goes on from the designs that are finished.")
    for key, error in failures.items():
        messages.print(f"{key}: {error}", markup=False, soft_wrap=True)


def _summaries(cases: Sequence[Case], work: Path) -> list[Summary]:
    """What the finished designs of the cases come to. Raises ValueError if there are none."""
    from relaxdesign.validation.runner import load_designs
    from relaxdesign.validation.summary import summarise

    found = [(case, *load_designs(case, work)) for case in cases]
    summaries = [summarise(case, made, costs) for case, made, costs in found if made]
    if not summaries:
        raise ValueError(f"there are no finished designs in {work}: run without --report")
    return summaries


def _write(summaries: Sequence[Summary], out: Path, processes: int) -> None:
    from relaxdesign.validation.report import write_report
    from relaxdesign.validation.runner import machine

    out.mkdir(parents=True, exist_ok=True)
    write_report(summaries, out / "results.md", out / "results", machine() | {"processes": processes})
