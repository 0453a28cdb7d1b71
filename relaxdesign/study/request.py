"""What a user asks for: one validated object that the CLI, the app and Python all fill in.

The options of the command line and the controls of the app come from the fields here, see `relaxdesign.study.fields`.
Whatever loads torch is imported inside functions: the command line reads this module whenever it starts.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from relaxdesign.materials.compatibility import Makeable
from relaxdesign.study.cell_text import LONGEST_CELL, check_cell
from relaxdesign.study.earlier import request_before_makeable, request_of_version_0_1
from relaxdesign.study.fields import Ui
from relaxdesign.study.guidance_settings import GuidanceSettings
from relaxdesign.study.objective import Objective, targets_of
from relaxdesign.study.tuning import TUNING
from relaxdesign.version import __version__

Method = Literal[
    "guided",
    "noise",
    "best-of-n",
    "random",
    "pairs",
    "genetic",
    "cma-es",
    "gradient",
    "topology",
    "level-set",
    "conditional",
]
"""What `relaxdesign.study.methods.METHODS` offers."""


LONGEST_MATERIALS = 1_000_000
MOST_OBJECTIVES = 64
"""More than there are quantities."""
_LARGEST_FILE = 4 * 2**20
"""Characters of own materials that a request carries."""


_SURE = {"established": "established only", "plausible": "at least plausible", "any": "any pair"}


def problems(error: ValidationError) -> list[str]:
    """What is wrong with a refused request, one text per field."""
    texts = []
    for detail in error.errors():
        message = detail["msg"].removeprefix("Value error, ")
        where = ".".join(str(part) for part in detail["loc"])
        if detail["type"] == "value_error":  # our own words, which name the quantity
            texts.append(message)
        else:
            given = "" if detail["type"] == "missing" else f", got {quoted(detail['input'])}"
            texts.append(f"{where or 'request'}: {message[:1].lower()}{message[1:]}{given}")
    return texts


def quoted(value: Any, longest: int = 200) -> str:
    """A refused value as messages show it: of a whole file the beginning only, and how long it is."""
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return f"a file that is not text ({len(value):,} bytes)"
    text = repr(value)
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters)"


class RequestError(ValueError):
    """A request that no design can meet; the text names the reachable interval or what to change."""


def _variance_of_shapes(dim: int) -> float:
    return TUNING.variance_of_shapes_3d if dim == 3 else TUNING.variance_of_shapes_2d


def _families() -> dict[str, str]:
    """The families of microstructures by name, with what each is."""
    from relaxdesign.microstructure import FAMILIES

    directed = ", for properties that depend on direction"
    return {name: family.summary + (directed if family.directional else "") for name, family in FAMILIES.items()}


def _shapes() -> dict[str, str]:
    """The kinds of shapes that a prior of free form can be told, by name, with what each is."""
    from relaxdesign.microstructure.free_form.generators import GENERATORS

    return {"": "any"} | {name: kind.title.lower() for name, kind in GENERATORS.items()}


class DesignRequest(BaseModel):
    """A design task. Moduli in GPa, densities in g/cm³.

    ``target_bulk=120, density_weight=1`` is a short form of the objectives K = 120 GPa and, with weight 1, a low
    density. Raises pydantic.ValidationError naming each bad field.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    objectives: Annotated[tuple[Objective, ...], Field(max_length=MOST_OBJECTIVES)]
    dim: Annotated[
        Literal[2, 3],
        Field(description="2: parallel fibres seen end-on; 3: spheres."),
        Ui("Dimension", "cell", segmented=True, tooltip=False),
    ] = 2
    count: Annotated[
        int,
        Field(ge=1, le=64, description="Number of candidates."),
        Ui("Candidates", "sampling", per_row=3, tooltip=False),
    ] = 8
    steps: Annotated[
        int,
        Field(ge=2, le=1000, description="Denoising steps; fewer are quicker and a little less precise."),
        Ui("Steps", "sampling", step=5, per_row=3),
    ] = TUNING.steps
    seed: Annotated[
        int,
        Field(ge=0, lt=2**63, description="The same request with the same seed gives the same designs."),
        Ui("Seed", "sampling", per_row=3),
    ] = 0
    categories: Annotated[
        tuple[str, ...] | None,
        Field(description="Material category on offer. Default: all."),
        Ui("Material categories", "materials", tooltip=False, option="--category"),
    ] = None
    exclude: Annotated[
        tuple[str, ...],
        Field(description="Material that must not be used, by its id; on the command line also by its name."),
        Ui("Not these materials", "materials", tooltip=False),
    ] = ()
    flagged: Annotated[
        bool,
        Field(description="Also offer materials with a flag: toxic, exotic, …"),
        Ui("Include flagged materials", "materials"),
    ] = False
    makeable: Annotated[
        Makeable,
        Field(
            description="How sure it must be that the two materials can be made into a composite. established: of a "
            "known class; plausible: a process is known that both bear; any: all pairs."
        ),
        Ui("Pairs that can be made", "materials", words=_SURE),
    ] = "plausible"
    materials_csv: Annotated[
        str | None,
        Field(
            max_length=LONGEST_MATERIALS,
            description="Own materials as the text of a CSV file. Default: the shipped ones.",
        ),
        Ui(group="materials", option=""),
    ] = None
    prior: Annotated[
        str | None,
        Field(description="Name of a shipped prior or path of a .safetensors file. Default: by the dimension."),
    ] = None
    method: Annotated[
        Method,
        Field(
            description="How designs are found. Guided diffusion is the default; the others are what it is compared "
            "with."
        ),
        Ui("Method", "search"),
    ] = "guided"
    family: Annotated[str, Field(description="Kind of microstructure."), Ui("Family", "search", registry=_families)] = (
        "particles"
    )
    third_phase: Annotated[
        str,
        Field(
            description="Material by id or name of the third phase that some families have: the coating of coated "
            "particles, the filler beside particles of another kind."
        ),
        Ui("Third phase", "materials"),
    ] = ""
    third_amount: Annotated[
        float,
        Field(
            ge=0,
            le=0.5,
            description="How much of it: thickness of the coating over the particle's diameter, or volume fraction of "
            "the filler. 0: what is usual.",
        ),
        Ui("Amount of the third phase", "materials", step=0.01),
    ] = 0.0
    phases: Annotated[
        tuple[str, ...],
        Field(
            max_length=3,
            description="Two or three materials by id or name, one may be void: void,ti-6al-4v. Then only shapes are "
            "sought.",
        ),
        Ui("Phases", "materials", option="--phases"),
    ] = ()
    shape: Annotated[
        str,
        Field(description="Kind of shape that free-form cells of given phases have; empty: any."),
        Ui("Kind of shape", "materials", words={"": "any"}, registry=_shapes),
    ] = ""
    min_feature: Annotated[
        float,
        Field(ge=0, le=0.25, description="Thinnest neck, wall or gap of shapes of given phases, in cell edges."),
        Ui("Thinnest part", "materials", step=0.01),
    ] = 0.0
    symmetry: Annotated[
        Literal["none", "orthotropic", "cubic"],
        Field(
            description="Of cells of given phases. orthotropic: mirror planes across all axes; cubic: axes alike too."
        ),
        Ui("Symmetry", "materials", words={"cubic": "cubic (all axes alike)"}),
    ] = "none"
    open_voids: Annotated[
        bool,
        Field(description="Cells of given phases in 3D have no enclosed voids: powder can be taken out of all."),
        Ui("Open voids", "materials"),
    ] = False
    boundary: Annotated[
        Literal["periodic", "kubc"],
        Field(description="periodic: effective properties; kubc: linear displacement on the surface."),
        Ui("Boundary condition", "search", segmented=True, tooltip=False),
    ] = "periodic"
    refine: Annotated[
        bool,
        Field(description="Move the snapped designs onto their targets."),
        Ui("Refine onto the targets", "finishing", tooltip=False),
    ] = True
    robust: Annotated[
        float,
        Field(
            ge=0,
            le=0.2,
            description="Prefer designs that stay on target if their volume fraction is off by this much, e.g. 0.02.",
        ),
        Ui("Volume fraction may be off by", "finishing", step=0.01),
    ] = 0.0
    distinct: Annotated[
        bool,
        Field(description="No two designs are of the same two materials; kinds that no other design has come first."),
        Ui("Different materials in every design", "finishing", option="--distinct/--same-pairs"),
    ] = True
    start: Annotated[
        str | None,
        Field(
            description="Microstructure to begin from, not from noise: a field (.vti, .npz); for given phases labels "
            "or an image (.vti, .tif, …), whose labels in ascending order they are."
        ),
        Ui(file=True),
    ] = None
    start_cell: Annotated[
        str | None,
        Field(max_length=LONGEST_CELL, description="The cell that given phases begin from, as text, see write_cell."),
        Ui(option=""),
    ] = None
    start_noise: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="Noise level, up to 1, to which the start is taken; a small one refines it nearly as it is.",
        ),
    ] = 0.6
    guidance: GuidanceSettings = GuidanceSettings()

    @model_validator(mode="before")
    @classmethod
    def _without_version(cls, values: Any) -> Any:
        """A request file also tells the version that wrote it, see `request_file`."""
        return {key: values[key] for key in values if key != "version"} if isinstance(values, dict) else values

    @model_validator(mode="before")
    @classmethod
    def _before_makeable(cls, values: Any) -> Any:
        return request_before_makeable(values) if isinstance(values, dict) else values

    @model_validator(mode="before")
    @classmethod
    def _of_version_0_1(cls, values: Any) -> Any:
        return request_of_version_0_1(values) if isinstance(values, dict) else values

    @field_validator("phases", mode="before")
    @classmethod
    def _with_comma(cls, phases: Any) -> Any:
        """Phases may be one text with commas between them; after the first, one before a space is part of a name."""
        texts = [phases] if isinstance(phases, str) else phases
        if isinstance(texts, list | tuple) and len(texts) == 1 and isinstance(texts[0], str):
            first, *others = texts[0].split(",", 1)
            parts = re.split(r",(?! )", others[0]) if others else []
            return tuple(part.strip() for part in (first, *parts))
        return phases

    @model_validator(mode="before")
    @classmethod
    def _guidance_of_shapes(cls, values: Any) -> Any:
        """Shapes of given phases are guided otherwise, as far as nothing else is said."""
        if not isinstance(values, dict) or not values.get("phases"):
            return values
        said = values.get("guidance", {})
        if not isinstance(said, dict):
            return values
        usual = {"sharpness": TUNING.sharpness_of_shapes, "variance": _variance_of_shapes(values.get("dim", 2))}
        return values | {"guidance": usual | said}

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not {"target_bulk", "density_weight"} & values.keys():
            return values
        values = dict(values)
        bulk, weight = values.pop("target_bulk", None), values.pop("density_weight", 0.0)
        objectives = list(values.get("objectives", ()))
        if bulk is not None:
            objectives.insert(0, {"quantity": "K", "low": bulk, "high": bulk})
        if weight:
            objectives.append({"quantity": "density", "sense": "minimise", "weight": weight})
        return values | {"objectives": objectives}

    @model_validator(mode="after")
    def _consistent(self) -> DesignRequest:
        from relaxdesign.study.symmetry import check_symmetry

        if not self.targets:
            raise ValueError("give at least one target (a value, at least or at most), e.g. K = 50")
        twice = {o.quantity for o in self.objectives if sum(p.quantity == o.quantity for p in self.targets) > 1}
        if twice:
            raise ValueError(f"more than one target for {', '.join(sorted(twice))}: give one interval")
        if self.family not in (known := _families()):
            raise ValueError(f"unknown family {self.family!r}; known are {', '.join(known)}")
        self._check_phases()
        check_symmetry(self.objectives, self.symmetry, self.dim)
        if (self.start or self.start_cell) is not None and self.method != "guided":
            raise ValueError(f"only guided diffusion begins from a microstructure, not the method {self.method!r}")
        return self

    def _check_phases(self) -> None:
        if self.phases and self.family != "free-form":
            raise ValueError(f"phases are given to cells of the family free-form, not to {self.family}")
        if self.phases and len(self.phases) < 2:
            raise ValueError(f"give two phases, e.g. void and a material, or three, got {', '.join(self.phases)}")
        if self.phases and self.start is not None:
            raise ValueError("shapes of given phases begin from a start_cell, not from a file: see write_cell")
        if self.start_cell is not None:
            check_cell(self.start_cell, self.phases, self.dim)
        shapes = {"a kind of shape": self.shape, "a thinnest part": self.min_feature, "open voids": self.open_voids}
        for what, asked in (shapes | {"a symmetry": self.symmetry != "none"}).items():
            if asked and not self.phases:
                raise ValueError(f"{what} takes given phases, e.g. void and a material")
        if self.shape not in (known := _shapes()):
            raise ValueError(f"unknown shape {self.shape!r}; known are {', '.join(filter(None, known))}")
        if self.open_voids and self.dim == 2:
            raise ValueError("voids of 2D cells are open along the third axis: ask for open voids in 3D only")

    @property
    def targets(self) -> tuple[Objective, ...]:
        """The objectives with an interval to reach."""
        return targets_of(self.objectives)

    @property
    def target_bulk(self) -> float | None:
        """The bulk modulus wanted (GPa), if one value is."""
        return next((target.value for target in self.targets if target.quantity == "K"), None)

    @property
    def density_weight(self) -> float:
        """Weight of low density; 0 if it is not asked for."""
        return next((o.weight for o in self.objectives if (o.quantity, o.sense) == ("density", "minimise")), 0.0)

    @property
    def title(self) -> str:
        """The objectives on one line, e.g. ``"K = 120 GPa, minimise density"``."""
        entries = [objective for objective in self.objectives if objective.scale is not None]
        others = [str(objective) for objective in self.objectives if objective.scale is None]
        whole = [f"a stiffness of {len(entries)} entries"] if len(entries) > 2 else [str(entry) for entry in entries]
        return ", ".join(whole + others)


def guidance_defaults() -> dict[str, Any]:
    """The settings of the guidance as they act where none is given, the number of steps included."""
    settings = GuidanceSettings()
    return settings.model_dump() | {"sampler": settings.sampler_at(DesignRequest.model_fields["steps"].default)}


def request_file(request: DesignRequest) -> str:
    """A request as JSON that repeats it elsewhere: every setting, and the version of RelaxDesign that wrote it.

    `read_request` reads it, as it reads a file that leaves out defaults and the version.
    """
    return json.dumps({"version": __version__} | request.model_dump(mode="json"), indent=1, ensure_ascii=False)


def read_request(content: bytes) -> DesignRequest:
    """The request of a file. Raises ValueError; a file of megabytes is none and is not read."""
    if len(content) > _LARGEST_FILE:
        raise ValueError(f"the file has {len(content) / 2**20:.0f} MB: a request has at most {_LARGEST_FILE // 2**20}")
    return DesignRequest.model_validate_json(content)
