"""A run of designs as the command line shows it: progress bars while it is computed, then a table and an exit code."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from relaxdesign.cli.console import EXIT_NO_RESULT, fail, interrupted, output, progress

if TYPE_CHECKING:
    from relaxdesign.study.events import Event, StepEvent
    from relaxdesign.study.request import DesignRequest
    from relaxdesign.study.result import Design, DesignResult


@contextmanager
def study_progress(request: DesignRequest) -> Iterator[Callable[[Event], None]]:
    """A function that shows each event on progress bars."""
    from relaxdesign.study.events import DesignEvent, StepEvent

    bars = progress()
    denoising = bars.add_task("Denoising", total=request.steps, note="")
    designs = bars.add_task("Designs", total=request.count, note="", start=False)

    def show(event: Event) -> None:
        bars.start()  # now, not before: a refused request shows its message only
        if isinstance(event, StepEvent):
            bars.update(denoising, completed=event.step, note=_step_note(event, request))
        elif isinstance(event, DesignEvent):
            bars.start_task(designs)
            note = _error_text(event.design) if event.design.ok else "failed"
            bars.update(designs, completed=event.done, note=f"last: {note}")

    try:
        yield show
    finally:
        bars.stop()


def print_result(result: DesignResult, *remarks: str) -> None:
    """The table, what failed and why, the front of several objectives, the summary, and further lines."""
    from relaxdesign.study.pareto import conflict, missed, trade_offs

    lines = [f"{_number_of(item)}: {escape(item.message)}" for item in result.designs if item.message]
    # From the designs: results that were stored by earlier versions tell less.
    if told := conflict(result.designs) or missed(result.designs):
        lines.append(escape(told[:1].upper() + told[1:]))
    front = [_number_of(item) for item in trade_offs(result.designs)]
    if front and not conflict(result.designs):
        lines.append(f"On the Pareto front, which no other design betters in everything: {', '.join(front)}")
    output().print(_table(result))
    output().print(*lines, _summary(result), *map(escape, remarks), sep="\n", soft_wrap=True)


def exit_by(result: DesignResult) -> None:
    """Ends the command if the run was stopped or came to nothing."""
    if result.status == "cancelled":
        interrupted(f"Stopped: {len(result.designs)} of {result.request.count} designs were finished.")
    if not any(item.ok for item in result.designs):
        reasons = sorted({item.message for item in result.designs if item.message})
        fail("no design was realised. " + " ".join(reasons), EXIT_NO_RESULT)


def _step_note(event: StepEvent, request: DesignRequest) -> str:
    from relaxdesign.physics.quantities import QUANTITIES

    names = [target.quantity for target in request.targets]
    if not event.values:
        return "no candidate left"
    rows = zip(*(event.values[name] for name in names), strict=True)
    solved = [[float(value) for value in row] for row in rows if all(math.isfinite(value) for value in row)]
    if not solved:
        return ""
    first = [row[0] for row in solved]
    values = f"{names[0]} {min(first):.4g}…{max(first):.4g} {QUANTITIES[names[0]].unit}".rstrip()
    misses = [[t.miss(value) for t, value in zip(request.targets, row, strict=True)] for row in solved]
    nearest = min(misses, key=lambda row: max(map(abs, row)))
    if len(names) == 1:
        return f"{values}, best {100 * abs(nearest[0]):.2f} % off"
    # One target may be met at the cost of another: all are told, of the candidate that is nearest to meeting them.
    return f"{values}, best off: " + ", ".join(f"{n} {100 * m:+.1f} %" for n, m in zip(names, nearest, strict=True))


def _table(result: DesignResult) -> Table:
    """Stages of the first target's quantity, and what the realised cell has of the others."""
    from relaxdesign.microstructure import FAMILIES
    from relaxdesign.physics.quantities import QUANTITIES
    from relaxdesign.study.result import STAGES

    first, *others = dict.fromkeys([*(o.quantity for o in result.request.objectives), "density"])
    table = Table(title=f"{result.request.title}; {first} of each stage ({QUANTITIES[first].unit or '-'})")
    family = FAMILIES[result.request.family]
    phases = next((item.phases for item in result.designs if item.materials), family.phases)
    for name in ("#", *phases):
        table.add_column(name, justify="left")
    for name in (
        "vf",
        *(parameter.symbol for parameter in family.parameters),
        *STAGES,
        "error",
        *others,
    ):
        table.add_column(name, justify="right", no_wrap=True)
    told = any(item.makeable for item in result.designs)
    if told:
        table.add_column("made by", justify="left")
    for item in result.designs:
        table.add_row(
            _number_of(item),
            *([escape(material.name) for material in item.materials] or ["-"] * len(phases)),
            _format(item.volume_fraction, ".3f"),
            *(_format(item.parameters.get(parameter.name), ".3f") for parameter in family.parameters),
            *(_format(item.stages.get(stage, {}).get(first), ".4g") for stage in STAGES[:-1]),
            str(item.trust.get(first, _format(item.at("realised", first), ".4g"))),
            _error_text(item),
            *(_format((item.properties or {}).get(name), ".4g") for name in others),
            *([item.makeable.brief if item.makeable else "-"] if told else []),
        )
    return table


def _summary(result: DesignResult) -> str:
    pairs = {tuple(material.id for material in item.materials) for item in result.designs if item.ok}
    within = sum(item.on_target for item in result.designs)
    wanted = "the target" if len(result.request.targets) == 1 else "all targets"
    different = "" if result.request.phases else f"{len(pairs)} different material pairs, "
    return (
        f"{within} of {result.request.count} within 1 % of {wanted}, {different}"
        f"{result.seconds:.1f} s, {result.solver_iterations} solver iterations, prior {result.prior}"
    )


def _number_of(item: Design) -> str:
    """As in the names of its files: from 01."""
    return f"{item.index + 1:02d}"


def _error_text(item: Design) -> str:
    """The largest miss; of several targets, with the quantity that it is of."""
    name, miss = max(item.misses.items(), key=lambda entry: abs(entry[1]), default=("", None))
    return "-" if miss is None else f"{name if len(item.misses) > 1 else ''} {100 * miss:+.2f} %".lstrip()


def _format(value: float | None, spec: str) -> str:
    return "-" if value is None else format(value, spec)
