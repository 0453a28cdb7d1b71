"""``relaxdesign design``: from targets to verified designs on disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from relaxdesign.cli.console import user_errors, warn
from relaxdesign.cli.options import AsJson, OwnMaterials, grouped, materials_text
from relaxdesign.cli.request_options import request_options
from relaxdesign.cli.running import run_study
from relaxdesign.cli.showing import exit_by, print_result
from relaxdesign.study.guidance_settings import GuidanceSettings
from relaxdesign.study.objective import Objective, parse_objective
from relaxdesign.study.request import DesignRequest, read_request

if TYPE_CHECKING:
    from relaxdesign.cli.recording import Recording
    from relaxdesign.materials.catalogue import Catalogue, Material
    from relaxdesign.study.events import Event
    from relaxdesign.study.result import DesignResult

Files = dict[int, dict[str, str]]
"""Names of the files of each design, by its index and their kind."""


@dataclass(frozen=True)
class Wanted:
    """The objectives of a request, as options."""

    target_bulk: Annotated[float | None, typer.Option(help="Effective bulk modulus wanted, GPa.")] = None
    objective: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            "-o",
            help="'G = 20', 'density <= 3', '10 <= E <= 20', 'maximise conductivity', with a weight 'G = 20 @ 2'; "
            "repeat for more. Quantities: K G E nu Ex Ey Ez Ex/Ey … C11 … C66 AU density conductivity "
            "conductivity_x … cte cte_x … price price_per_litre solid.",
        ),
    ] = None
    density_weight: Annotated[
        float | None, typer.Option(help="Weight of low density against the target's 1. Default: 0.")
    ] = None
    target_stiffness: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A whole stiffness in GPa from JSON or text: 6 × 6, in 2D also 3 × 3, or nine numbers C11 C22 C33 "
            "C12 C13 C23 C44 C55 C66.",
        ),
    ] = None
    relative: Annotated[
        bool | None,
        typer.Option("--relative", help="The wanted stiffness is a share of Young's modulus of the solid."),
    ] = None
    like: Annotated[
        Path | None,
        typer.Option(
            metavar="CELL",
            help="The stiffness of this cell is wanted: moduli (.vti, .npz), or an image or labels (.tif, .h5, …) "
            "whose labels are --phases in ascending order.",
        ),
    ] = None
    like_step: Annotated[
        list[str] | None,
        typer.Option(metavar="STEP", help="Of an image to be like: a step to its phases, as --step of evaluate."),
    ] = None

    start_step: Annotated[
        list[str] | None,
        typer.Option(metavar="STEP", help="Of an image to --start from: a step to its phases, as --step of evaluate."),
    ] = None

    def stiffness(self, young: float, phases: Sequence[Material] = ()) -> NDArray[np.float64] | None:
        """The whole stiffness wanted, GPa (6, 6). Raises ValueError.

        young: what relative ones refer to. phases: of the request, of which the labels of a cell to be like are.
        """
        from relaxdesign.study.stiffness import read_stiffness

        if self.target_stiffness is not None and self.like is not None:
            raise ValueError("give either --target-stiffness or --like, not both")
        if self.relative and self.target_stiffness is None:
            raise ValueError("--relative belongs to --target-stiffness")
        if self.target_stiffness is not None:
            return read_stiffness(self.target_stiffness) * (young if self.relative else 1.0)
        if self.like is not None:
            return _stiffness_like(self.like, self.like_step or (), phases)
        if self.like_step:
            raise ValueError("--like-step belongs to --like")
        return None

    def fields(self) -> dict[str, Any]:
        """Those fields of a request that were given. Raises ValueError for words that cannot be read."""
        fields = {
            "target_bulk": self.target_bulk,
            "objectives": self.objective and [parse_objective(text) for text in self.objective],
            "density_weight": self.density_weight,
        }
        return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True)
class Folder:
    """Where the files go, and the size of the cell in them."""

    cell_size: Annotated[float, typer.Option(help="Edge length of the cell in the exported files, mm.")] = 10.0
    thickness: Annotated[
        float | None, typer.Option(help="Thickness of the STL of a 2D cell, mm. Default: an eighth of the cell.")
    ] = None
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the files; an earlier result in it is replaced. Default: runs/…"),
    ] = None

    def path(self, request: DesignRequest) -> Path:
        """The folder; where none is given one named after the request, e.g. ``K-120-2d-seed-0``."""
        if self.out is not None:
            return self.out
        wanted = [(target.quantity, target.low if target.high is None else target.high) for target in request.targets]
        words = [*(f"{name}-{value:g}" for name, value in wanted), f"{request.dim}d-seed-{request.seed}"]
        return Path("runs") / "-".join(words).replace("/", "-over-")


@grouped
@request_options(DesignRequest)
def design(
    *,
    wanted: Wanted,
    request_file: Annotated[
        Path | None,
        typer.Option(
            "--request", metavar="JSON", help="A request from a file; options that are given replace its fields."
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A request to start from, as 'thermal interface'; options that are given replace its fields.",
        ),
    ] = None,
    settings: dict[str, Any],
    guide: Annotated[
        list[str] | None,
        typer.Option(
            "--guidance",
            metavar="NAME=VALUE",
            help="A setting of the guidance, e.g. mean=0.5 or recurrence=2; repeat for more. Names: "
            f"{', '.join(GuidanceSettings.model_fields)}.",
        ),
    ] = None,
    materials: OwnMaterials = None,
    folder: Folder,
    library: Annotated[
        bool, typer.Option(help="Keep the run in the library too, beside those of the app; see: relaxdesign runs.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Find designs that reach their targets, verify them and write VTI, STL and JSON files.

    Ctrl-C stops after the current step and keeps what there is; relaxdesign resume goes on from there.
    """
    with user_errors():
        from relaxdesign.export import check_sizes

        request = _request(request_file, preset, wanted, settings, guide or (), materials)
        check_sizes(request.dim, folder.cell_size, folder.thickness)
        _warn_of_conflict(request)
        result, record, files = _run(request, folder, library)
    if as_json:
        _print_json(result, record, folder.path(request), files)
    else:
        print_result(result, *record.remarks(result), f"Files: {folder.path(request)}")
    exit_by(result)


def _request(
    path: Path | None,
    preset: str | None,
    wanted: Wanted,
    settings: dict[str, Any],
    guide: Iterable[str],
    materials: str | None,
) -> DesignRequest:
    """The request that the options describe, or that of a file or a preset, in which those given replace fields.

    Raises ValueError for what cannot be used, and for objectives as options beside a file.
    """
    from relaxdesign.materials.catalogue import Catalogue
    from relaxdesign.study.presets import fields_of

    objectives = wanted.fields()
    values: dict[str, Any] = {"objectives": ()} | (fields_of(preset) if preset else {}) | objectives
    if path is not None:
        if preset:
            raise ValueError("give either a request file or a preset, not both")
        if objectives:
            raise ValueError("give the objectives either in the request file or as options, not both")
        values = read_request(path.read_bytes()).model_dump()
    if materials is not None:
        values["materials_csv"], offered = _carried(materials)
    elif path is not None and (text := values["materials_csv"]) is not None:
        offered = Catalogue.from_text(text)
        warn(path.name, offered.warnings)
    else:
        offered = Catalogue.default()
    values |= settings | {"guidance": _guidance(values.get("guidance", {}) | settings.get("guidance", {}), guide)}
    values["objectives"] = (*values["objectives"], *_stiffness(wanted, values, offered))
    values |= _start(values.get("start"), wanted.start_step, _phases(values.get("phases", ())))
    if "exclude" in settings:
        values["exclude"] = tuple(offered.find(name).id for name in settings["exclude"])
    return DesignRequest.model_validate(values)


def _stiffness(wanted: Wanted, values: dict[str, Any], offered: Catalogue) -> tuple[Objective, ...]:
    """The entries of a whole stiffness that is wanted, as objectives. Raises ValueError."""
    if not (wanted.target_stiffness or wanted.like or wanted.like_step or wanted.relative):
        return ()
    from relaxdesign.study.stiffness import stiffness_objectives

    phases = _phases(values.get("phases", ()))
    if not phases:
        raise ValueError("a whole stiffness takes given phases, e.g. --family free-form --phases void,ti-6al-4v")
    young = max(material.young for material in offered.of_phases(phases).materials)
    stiffness = wanted.stiffness(young, [offered.phase(name) for name in phases])
    assert stiffness is not None
    return stiffness_objectives(stiffness, values.get("dim", DesignRequest.model_fields["dim"].default))


def _stiffness_like(path: Path, steps: Sequence[str], phases: Sequence[Material]) -> NDArray[np.float64]:
    """C of the cell in a file, GPa (6, 6). Raises ValueError for one that cannot be read."""
    from relaxdesign.io.likeness import read_like
    from relaxdesign.physics.effective_properties import evaluate

    data, warnings = read_like(path, steps, phases)
    warn(path.name, warnings)
    return np.array(evaluate(data, tol=1e-6).C)


def _start(path: str | None, steps: Sequence[str] | None, phases: Sequence[str]) -> dict[str, str | None]:
    """The cell in a file that shapes of given phases begin from, as fields of a request. Raises ValueError."""
    from relaxdesign.io.likeness import read_phases
    from relaxdesign.study.cell_text import write_cell

    if path is None or not phases:
        if steps:
            raise ValueError("--start-step belongs to the --start of given phases")
        return {}
    return {"start": None, "start_cell": write_cell(read_phases(Path(path), steps or (), len(phases)))}


def _phases(given: Sequence[str]) -> tuple[str, ...]:
    """Names of phases, which may be one text with a comma."""
    return tuple(part.strip() for part in given[0].split(",", 1)) if len(given) == 1 else tuple(given)


def _guidance(values: dict[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Settings of the guidance that were given, and more from ``name=value``.

    Raises ValueError for one that cannot be used.
    """
    values = dict(values)
    for setting in settings:
        name, _, value = (part.strip() for part in setting.partition("="))
        if name not in GuidanceSettings.model_fields or not value:
            names = ", ".join(GuidanceSettings.model_fields)
            raise ValueError(f"--guidance {setting}: write NAME=VALUE, where NAME is one of {names}")
        values[name] = value
    return GuidanceSettings.model_validate(values).model_dump(exclude_unset=True)


def _carried(given: str) -> tuple[str, Catalogue]:
    """Own materials, as text and read. Raises ValueError for those that cannot be used, or that no request carries."""
    from relaxdesign.materials.catalogue import Catalogue
    from relaxdesign.study.request import LONGEST_MATERIALS

    text, warnings = materials_text(given)
    if len(text) > LONGEST_MATERIALS:
        raise ValueError(
            f"{given} has {len(text):,} characters, a request carries at most {LONGEST_MATERIALS:,}: leave out rows, "
            "or columns such as source and url"
        )
    catalogue = Catalogue.from_text(text, warnings)
    warn(Path(given).name, catalogue.warnings)
    return text, catalogue


def _run(request: DesignRequest, folder: Folder, library: bool) -> tuple[DesignResult, Recording, Files]:
    """The result of the request, its entry in the library, and its files; each design is written when it is made."""
    from relaxdesign.export import clear_directory, write_design, write_result
    from relaxdesign.files import TO_GO_ON, check_space
    from relaxdesign.study.events import DesignEvent, StepEvent

    elsewhere = "name another folder with --out"
    directory, sizes = folder.path(request), (folder.cell_size, folder.thickness)
    files: Files = {}

    def write(event: Event) -> None:
        if isinstance(event, DesignEvent):
            files[event.design.index] = write_design(event.design, directory, *sizes)
        elif isinstance(event, StepEvent):
            check_space([directory], elsewhere, TO_GO_ON)

    check_space([directory], elsewhere)
    result, record = run_study(request, library=library, prepare=lambda: clear_directory(directory), heed=write)
    return result, record, write_result(result, directory, *sizes, files)


def _warn_of_conflict(request: DesignRequest) -> None:
    """Tells before the run where targets exclude each other. Raises RequestError for one that is out of reach alone."""
    from relaxdesign.study.run import check_request
    from relaxdesign.study.together import conflict, together

    if (
        len(request.targets) > 1
        and not request.phases
        and (told := conflict(together(request, check_request(request))))
    ):
        warn("the targets together", [told])


def _print_json(result: DesignResult, record: Recording, directory: Path, files: Files) -> None:
    from relaxdesign.export import result_record, to_json

    absolute = {
        index: {kind: str((directory / name).resolve()) for kind, name in names.items()}
        for index, names in files.items()
    }
    typer.echo(to_json(result_record(result, absolute) | {"run": record.run_id}), nl=False)
