"""``relaxdesign design``: from targets to verified designs on disk."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from relaxdesign.cli.console import (
    EXIT_INTERRUPTED,
    EXIT_NO_RESULT,
    fail,
    messages,
    output,
    progress,
    stop_on_interrupt,
    user_errors,
)
from relaxdesign.cli.options import PriorName

if TYPE_CHECKING:
    from relaxdesign.events import Event, StepEvent
    from relaxdesign.request import DesignRequest
    from relaxdesign.result import Design, DesignResult


def design(
    target_bulk: Annotated[float | None, typer.Option(help="Effective bulk modulus wanted, GPa.")] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            "-o",
            help="'G = 20', 'density <= 3', '10 <= E <= 20', 'maximise conductivity', with a weight 'G = 20 @ 2'; "
            "repeat for more. Quantities: K G E nu Ex Ey Ez Ex/Ey … C11 … C66 AU density conductivity price.",
        ),
    ] = None,
    request_file: Annotated[
        Path | None, typer.Option("--request", metavar="JSON", help="A request from a file instead of options.")
    ] = None,
    dim: Annotated[int, typer.Option(help="2: parallel fibres seen end-on; 3: spheres.")] = 2,
    count: Annotated[int, typer.Option(help="Number of candidates.")] = 8,
    seed: Annotated[int, typer.Option(help="The same request with the same seed gives the same designs.")] = 0,
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 30,
    sampler: Annotated[str, typer.Option(help="ddpm, or ddim or dpm++, which add no noise.")] = "ddpm",
    density_weight: Annotated[float, typer.Option(help="Weight of low density against the target's 1.")] = 0.0,
    category: Annotated[
        list[str] | None, typer.Option(help="Material category on offer; repeat for more. Default: all.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Id of a material that must not be used; repeat for more.")
    ] = None,
    flagged: Annotated[bool, typer.Option("--flagged", help="Also offer toxic, exotic, … materials.")] = False,
    materials: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Own materials instead of the shipped catalogue.")
    ] = None,
    prior: PriorName = None,
    method: Annotated[str, typer.Option(help="guided, or another way to search: see relaxdesign protocol.")] = "guided",
    projection: Annotated[
        str, typer.Option(help="statistical: equal particles placed anew; geometric: the sampled phase map itself.")
    ] = "statistical",
    boundary: Annotated[str, typer.Option(help="periodic, or kubc: linear displacement on the surface.")] = "periodic",
    refine: Annotated[bool, typer.Option(help="Move the snapped designs onto their targets.")] = True,
    start: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Microstructure (.vti, .npz) to begin from, not from noise.")
    ] = None,
    start_noise: Annotated[float, typer.Option(help="Noise level, up to 1, to which the start is taken.")] = 0.6,
    cell_size: Annotated[float, typer.Option(help="Edge length of the cell in the exported files, mm.")] = 10.0,
    thickness: Annotated[
        float | None, typer.Option(help="Thickness of the STL of a 2D cell, mm. Default: an eighth of the cell.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the files; an earlier result in it is replaced. Default: runs/…"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON instead of a table.")] = False,
) -> None:
    """Find designs that reach their targets, verify them and write VTI, STL and JSON files.

    Ctrl-C stops after the current step and keeps what there is.
    """
    with user_errors():
        from relaxdesign import study
        from relaxdesign.catalogue import Catalogue
        from relaxdesign.events import DesignEvent, FinishedEvent
        from relaxdesign.export import check_sizes, clear_directory, to_json, write_design, write_result
        from relaxdesign.request import DesignRequest, GuidanceSettings, parse_objective

        objectives = [parse_objective(text) for text in objective or ()]
        if request_file is not None:
            if objectives or target_bulk is not None:
                raise ValueError("give the targets either in the request file or as options, not both")
            request = DesignRequest.model_validate_json(request_file.read_bytes())
        else:
            request = DesignRequest.model_validate(
                {
                    "target_bulk": target_bulk,
                    "objectives": objectives,
                    "density_weight": density_weight,
                    "dim": dim,
                    "count": count,
                    "seed": seed,
                    "steps": steps,
                    "categories": tuple(category) if category else None,
                    "exclude": tuple(exclude or ()),
                    "flagged": flagged,
                    "prior": prior,
                    "method": method,
                    "projection": projection,
                    "boundary": boundary,
                    "refine": refine,
                    "start": str(start) if start else None,
                    "start_noise": start_noise,
                    "guidance": GuidanceSettings.model_validate({"sampler": sampler}),
                }
            )
        check_sizes(request.dim, cell_size, thickness)
        catalogue = Catalogue.from_csv(materials) if materials else None
        directory = out or Path("runs") / _folder(request)

        files: dict[int, dict[str, str]] = {}
        result: DesignResult | None = None
        cleared = False
        with stop_on_interrupt() as stopped, _progress(request) as show:
            for event in study.run(request, catalogue=catalogue, cancel=stopped):
                if not cleared:  # not before the request was found feasible
                    clear_directory(directory)
                    cleared = True
                show(event)
                if isinstance(event, DesignEvent):
                    files[event.design.index] = write_design(event.design, directory, cell_size, thickness)
                elif isinstance(event, FinishedEvent):
                    result = event.result
        if result is None:
            raise RuntimeError("the study ended without a result")
        files = write_result(result, directory, cell_size, thickness, files)

    if as_json:
        absolute = {
            index: {kind: str((directory / name).resolve()) for kind, name in names.items()}
            for index, names in files.items()
        }
        typer.echo(to_json(result.to_dict(absolute)), nl=False)
    else:
        output().print(_table(result))
        failures = [f"{item.index:02d}: {escape(item.message)}" for item in result.designs if item.message]
        failures += [escape(result.remark)] if result.remark else []
        output().print(*failures, _summary(result), f"Files: {escape(str(directory))}", sep="\n", soft_wrap=True)
    if result.status == "cancelled":
        messages.print(f"Stopped: {len(result.designs)} of {request.count} designs were finished.")
        raise typer.Exit(EXIT_INTERRUPTED)
    if not any(item.ok for item in result.designs):
        reasons = sorted({item.message for item in result.designs if item.message})
        fail("no design was realised. " + " ".join(reasons), EXIT_NO_RESULT)


@contextmanager
def _progress(request: DesignRequest) -> Iterator[Callable[[Event], None]]:
    from relaxdesign.events import DesignEvent, StepEvent

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


def _folder(request: DesignRequest) -> str:
    """Name of the folder of a request's files, e.g. ``K-120-2d-seed-0``."""
    words = [f"{target.quantity}-{target.low if target.high is None else target.high:g}" for target in request.targets]
    return "-".join([*words, f"{request.dim}d-seed-{request.seed}"]).replace("/", "-over-")


def _step_note(event: StepEvent, request: DesignRequest) -> str:
    from relaxdesign.quantities import QUANTITIES

    first = request.targets[0]
    values = [float(value) for value in event.values.get(first.quantity, ()) if math.isfinite(value)]
    if not values:
        return "" if event.values else "no candidate left"
    best = min(abs(first.miss(value)) for value in values)
    unit = QUANTITIES[first.quantity].unit
    return f"{first.quantity} {min(values):.4g}…{max(values):.4g} {unit}, best {100 * best:.2f} % off"


def _table(result: DesignResult) -> Table:
    """Stages of the first target's quantity, and what the realised cell has of the others."""
    from relaxdesign.quantities import QUANTITIES
    from relaxdesign.result import STAGES

    first, *others = dict.fromkeys([*(o.quantity for o in result.request.objectives), "density"])
    table = Table(title=f"{result.request.title}; {first} of each stage ({QUANTITIES[first].unit or '-'})")
    for name in ("#", "matrix", "particles"):
        table.add_column(name, justify="left")
    for name in ("vf", "d", *STAGES, "error", *others):
        table.add_column(name, justify="right", no_wrap=True)
    for item in result.designs:
        table.add_row(
            f"{item.index:02d}",
            escape(item.matrix.name) if item.matrix else "-",
            escape(item.particle.name) if item.particle else "-",
            _number(item.volume_fraction, ".3f"),
            _number(item.diameter, ".3f"),
            *(_number(item.stages.get(stage, {}).get(first), ".4g") for stage in STAGES),
            _error_text(item),
            *(_number((item.properties or {}).get(name), ".4g") for name in others),
        )
    return table


def _summary(result: DesignResult) -> str:
    errors = [abs(item.error) for item in result.designs if item.error is not None]
    pairs = {(item.matrix.id, item.particle.id) for item in result.designs if item.ok and item.matrix and item.particle}
    within = sum(error <= 0.01 for error in errors)
    wanted = "the target" if len(result.request.targets) == 1 else "all targets"
    return (
        f"{within} of {result.request.count} within 1 % of {wanted}, {len(pairs)} different material pairs, "
        f"{result.seconds:.1f} s, {result.solver_iterations} solver iterations, prior {result.prior}"
    )


def _error_text(item: Design) -> str:
    return "-" if item.error is None else f"{100 * item.error:+.2f} %"


def _number(value: float | None, spec: str) -> str:
    return "-" if value is None else format(value, spec)
