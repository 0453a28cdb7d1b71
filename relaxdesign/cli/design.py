"""``relaxdesign design``: from targets to verified designs on disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relaxdesign.cli.console import user_errors, warn
from relaxdesign.cli.options import MaterialsFile, PriorName
from relaxdesign.cli.running import run_study
from relaxdesign.cli.showing import exit_by, print_result

if TYPE_CHECKING:
    from relaxdesign.materials.catalogue import Catalogue
    from relaxdesign.study.events import Event
    from relaxdesign.study.request import DesignRequest, GuidanceSettings


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
    sampler: Annotated[
        str | None,
        typer.Option(help="ddpm, or ddim or dpm++, which add no noise. Default: chosen by the number of steps."),
    ] = None,
    guide: Annotated[
        list[str] | None,
        typer.Option(
            "--guidance",
            metavar="NAME=VALUE",
            help="A setting of the guidance, e.g. mean=0.5 or recurrence=2; repeat for more.",
        ),
    ] = None,
    density_weight: Annotated[float, typer.Option(help="Weight of low density against the target's 1.")] = 0.0,
    category: Annotated[
        list[str] | None, typer.Option(help="Material category on offer; repeat for more. Default: all.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Id or name of a material that must not be used; repeat for more.")
    ] = None,
    flagged: Annotated[bool, typer.Option("--flagged", help="Also offer toxic, exotic, … materials.")] = False,
    materials: MaterialsFile = None,
    prior: PriorName = None,
    method: Annotated[str, typer.Option(help="guided, or another way to search: see relaxdesign protocol.")] = "guided",
    family: Annotated[
        str, typer.Option(help="particles: equal particles placed anew; free-form: the sampled phase map itself.")
    ] = "particles",
    boundary: Annotated[str, typer.Option(help="periodic, or kubc: linear displacement on the surface.")] = "periodic",
    refine: Annotated[bool, typer.Option(help="Move the snapped designs onto their targets.")] = True,
    distinct: Annotated[
        bool,
        typer.Option("--distinct/--same-pairs", help="Whether no two designs may be of the same two materials."),
    ] = True,
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
    library: Annotated[
        bool, typer.Option(help="Keep the run in the library too, beside those of the app; see: relaxdesign runs.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON instead of a table.")] = False,
) -> None:
    """Find designs that reach their targets, verify them and write VTI, STL and JSON files.

    Ctrl-C stops after the current step and keeps what there is; relaxdesign resume goes on from there.
    """
    with user_errors():
        from relaxdesign.export import check_sizes, clear_directory, result_record, to_json, write_design, write_result
        from relaxdesign.materials.catalogue import Catalogue
        from relaxdesign.study.events import DesignEvent
        from relaxdesign.study.request import DesignRequest, parse_objective

        objectives = [parse_objective(text) for text in objective or ()]
        own, offered = (None, Catalogue.default()) if materials is None else _own_materials(materials)
        if request_file is not None:
            if objectives or target_bulk is not None:
                raise ValueError("give the targets either in the request file or as options, not both")
            request = DesignRequest.model_validate_json(request_file.read_bytes())
            if own is not None:
                request = DesignRequest.model_validate(request.model_dump() | {"materials_csv": own})
            elif request.materials_csv is not None:
                warn(request_file.name, Catalogue.from_text(request.materials_csv).warnings)
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
                    "exclude": tuple(offered.find(name).id for name in exclude or ()),
                    "flagged": flagged,
                    "materials_csv": own,
                    "prior": prior,
                    "method": method,
                    "family": family,
                    "boundary": boundary,
                    "refine": refine,
                    "distinct": distinct,
                    "start": str(start.absolute()) if start else None,  # for whoever resumes it elsewhere
                    "start_noise": start_noise,
                    "guidance": _guidance(sampler, guide or ()),
                }
            )
        check_sizes(request.dim, cell_size, thickness)
        directory = out or Path("runs") / _folder(request)

        files: dict[int, dict[str, str]] = {}

        def write(event: Event) -> None:
            if isinstance(event, DesignEvent):
                files[event.design.index] = write_design(event.design, directory, cell_size, thickness)

        result, record = run_study(request, library=library, prepare=lambda: clear_directory(directory), heed=write)
        files = write_result(result, directory, cell_size, thickness, files)

    if as_json:
        absolute = {
            index: {kind: str((directory / name).resolve()) for kind, name in names.items()}
            for index, names in files.items()
        }
        typer.echo(to_json(result_record(result, absolute) | {"run": record.run_id}), nl=False)
    else:
        print_result(result, *record.remarks(result), f"Files: {directory}")
    exit_by(result)


def _guidance(sampler: str | None, settings: Iterable[str]) -> GuidanceSettings:
    """Settings of the guidance from ``name=value``. Raises ValueError for one that cannot be used."""
    from relaxdesign.study.request import GuidanceSettings

    values = {} if sampler is None else {"sampler": sampler}
    for setting in settings:
        name, _, value = (part.strip() for part in setting.partition("="))
        if name not in GuidanceSettings.model_fields or not value:
            names = ", ".join(GuidanceSettings.model_fields)
            raise ValueError(f"--guidance {setting}: write NAME=VALUE, where NAME is one of {names}")
        values[name] = value
    return GuidanceSettings.model_validate(values)


def _own_materials(path: Path) -> tuple[str, Catalogue]:
    """The materials in a file, as text and read. Raises ValueError for those that cannot be used."""
    from relaxdesign.materials import decode_table
    from relaxdesign.materials.catalogue import Catalogue
    from relaxdesign.study.request import LONGEST_MATERIALS

    text, warnings = decode_table(path.read_bytes())
    if len(text) > LONGEST_MATERIALS:
        raise ValueError(
            f"{path} has {len(text):,} characters, a request carries at most {LONGEST_MATERIALS:,}: leave out rows, or "
            "columns such as source and url"
        )
    catalogue = Catalogue.from_text(text, warnings)
    warn(path.name, catalogue.warnings)
    return text, catalogue


def _folder(request: DesignRequest) -> str:
    """Name of the folder of a request's files, e.g. ``K-120-2d-seed-0``."""
    words = [f"{target.quantity}-{target.low if target.high is None else target.high:g}" for target in request.targets]
    return "-".join([*words, f"{request.dim}d-seed-{request.seed}"]).replace("/", "-over-")
