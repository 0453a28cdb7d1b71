"""``relaxdesign reality``: predictions held against measured composites of the literature."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relaxdesign.cli.console import interrupted, output, progress, user_errors

if TYPE_CHECKING:
    from relaxdesign.validation.reality import Composite, Results, Settings

_QUICK_GRID, _QUICK_PLACEMENTS = 12, 1


def reality(
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of reality.md, figures/ and results/. Default: docs, of a part of the rows or with --quick "
            "runs/reality.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only composites with this in their id or family, as wc-; repeat."),
    ] = None,
    grid: Annotated[int, typer.Option(min=8, help="Voxels per edge of the coarser of two grids.")] = 24,
    placements: Annotated[int, typer.Option(min=1, help="Cells per composite.")] = 3,
    quick: Annotated[bool, typer.Option("--quick", help="A minute: one cell of 12 voxels per composite.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Only write the page, from what was predicted before.")] = (
        False
    ),
) -> None:
    """Predict measured composites from their constituents, and write how near the predictions come."""
    with user_errors():
        from relaxdesign.validation.reality import Results, Settings, read_composites, write_reality

        composites = read_composites()
        if only:
            chosen = [each for each in composites if any(name in f"{each.id} {each.family}" for name in only)]
            if not chosen:
                raise ValueError(f"--only: no composite has {' or '.join(only)} in its id; there is {composites[0].id}")
            composites = chosen
        out = out or Path("runs/reality" if only or quick else "docs")
        settings = Settings(_QUICK_GRID, _QUICK_PLACEMENTS) if quick else Settings(grid, placements)
        results = Results.read(out, composites) if report else _predicted(composites, settings)
        page = write_reality(results, out)
    values = [each for row in results.judged for each in row.compared if each.trust is not None]
    output().print(f"{sum(each.covered is True for each in values)} of {len(values)} values are covered: {page}")


def _predicted(composites: Sequence[Composite], settings: Settings) -> Results:
    """What the predictions come to, with progress on standard error."""
    from relaxdesign.validation.reality import Results, predict
    from relaxdesign.validation.runner import machine

    judged = []
    with progress() as bars:
        task = bars.add_task("Composites", total=len(composites), note="")
        try:
            for composite in composites:
                bars.update(task, note=composite.id)
                judged.append(predict(composite, settings))
                bars.advance(task)
        except KeyboardInterrupt:
            interrupted("Stopped: nothing was written.")
    return Results(judged, settings, machine(), date.today().isoformat())
