"""``relaxdesign protocol``: hit rates over the whole range, against baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relaxdesign.cli.console import interrupted, messages, output, progress, user_errors
from relaxdesign.cli.options import Scheduler, grouped

if TYPE_CHECKING:
    from relaxdesign.validation.cases import Case
    from relaxdesign.validation.shapes import ShapeCase


@dataclass(frozen=True)
class Chosen:
    """Which cases of which protocol are measured, as options."""

    family: Annotated[str, typer.Option(help="particles: pairs of materials; free-form: shapes of given phases.")] = (
        "particles"
    )
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="range, density, two-targets, directional, baselines, many-steps, few-steps or confirm (seeds that no "
            "search has seen); of shapes held-out, methods, two-solids, bones, bones-and-solid, different, bounds or "
            "auxetic; repeat. Default: all."
        ),
    ] = None
    dim: Annotated[list[int] | None, typer.Option(help="2 or 3; repeat. Default: both.")] = None
    match: Annotated[
        str, typer.Option(metavar="TEXT", help="Only cases with this in their name, as 3d-q1 or best-of-n.")
    ] = ""
    designs: Annotated[
        int | None,
        typer.Option(min=1, help="Designs per target. Default: 8 to 64, of shapes 1 to 8, by the set; see the page."),
    ] = None
    targets: Annotated[int | None, typer.Option(min=1, help="Of shapes, the first so many targets of a case.")] = None
    bones: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            exists=True,
            dir_okay=False,
            help="Of shapes, stiffnesses of bone: name, solid_fraction and nine entries over the solid's E.",
        ),
    ] = None
    quick: Annotated[bool, typer.Option("--quick", help="A few minutes: 2D, three targets, 20 steps, 8 designs.")] = (
        False
    )

    @property
    def shapes(self) -> bool:
        """Whether shapes of given phases are measured. Raises ValueError for a family without a protocol."""
        if self.family not in ("particles", "free-form"):
            raise ValueError(f"--family: there are particles and free-form, got {self.family!r}")
        return self.family == "free-form"

    def cases(self, work: Path) -> list[Any]:
        """The cases of the family's protocol. Raises ValueError for options that leave none.

        work: folder in which targets are kept.
        """
        from relaxdesign.validation import SETS
        from relaxdesign.validation.shapes import SETS as SETS_OF_SHAPES

        known = SETS_OF_SHAPES if self.shapes else SETS
        if unknown := set(self.only or ()) - set(known):
            raise ValueError(f"--only: unknown {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        if set(self.dim or ()) - {2, 3}:
            raise ValueError("--dim must be 2 or 3")
        usual = known if not self.quick else ("held-out",) if self.shapes else ("range", "baselines")
        planned = self._planned(tuple(self.only or usual), tuple(self.dim or ((2,) if self.quick else (2, 3))), work)
        cases = [case for case in planned if self.match in case.key]
        if not cases:
            if not planned:
                raise ValueError("--only, --dim: no case is left; those of bones are in 3D and need --bones")
            raise ValueError(f"--match: no case has {self.match!r} in its name; there are, e.g., {planned[0].key}")
        return cases

    def _planned(self, sets: tuple[str, ...], dims: tuple[int, ...], work: Path) -> list[Case] | list[ShapeCase]:
        from relaxdesign.validation import plan
        from relaxdesign.validation.shapes import plan_shapes

        if not self.shapes:
            return plan(sets, dims, 8 if self.quick else self.designs, work, quick=self.quick)
        return plan_shapes(sets, dims, self.designs, work, self.bones, 3 if self.quick else self.targets)


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
            help="Folder of results.md (of shapes: shape-results.md) and results/; what is there and not measured now "
            "is kept. Default: docs, with --quick the folder of its work.",
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
        out.mkdir(parents=True, exist_ok=True)
        write = _write_shapes if chosen.shapes else _write
        told = write(cases, work, out, workers or available_cores())
    output().print(told)


def _run(cases: Sequence[Case] | Sequence[ShapeCase], work: Path, workers: int, scheduler: str | None) -> None:
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


def _write(cases: Sequence[Case], work: Path, out: Path, processes: int) -> str:
    """The page of pairs of materials. Raises ValueError if there are no designs."""
    from relaxdesign.validation.report import write_report
    from relaxdesign.validation.runner import load_designs, machine
    from relaxdesign.validation.summary import summarise

    found = [(case, *load_designs(case, work)) for case in cases]
    summaries = [summarise(case, made, costs) for case, made, costs in found if made]
    if not summaries:
        raise ValueError(_NOTHING.format(work))
    write_report(summaries, out / "results.md", out / "results", machine() | {"processes": processes})
    designs = sum(summary.designs for summary in summaries)
    return f"{designs} designs of {len(summaries)} cases: {out / 'results.md'}"


def _write_shapes(cases: Sequence[ShapeCase], work: Path, out: Path, processes: int) -> str:
    """The page of shapes of given phases. Raises ValueError if there are no designs."""
    from relaxdesign.validation.runner import machine
    from relaxdesign.validation.shapes import measured
    from relaxdesign.validation.shapes.page import write_shape_report

    lines = [line for case in cases if (line := measured(case, work)).groups]
    if not lines:
        raise ValueError(_NOTHING.format(work))
    write_shape_report(lines, out / "shape-results.md", out / "results", machine() | {"processes": processes})
    designs = sum(len(line.records) for line in lines)
    return f"{designs} designs of {len(lines)} cases: {out / 'shape-results.md'}"


_NOTHING = "there are no finished designs in {}: run without --report"
