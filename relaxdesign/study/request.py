"""What a user asks for: one validated object that the CLI, the app and Python all fill in.

The options of the command line and the controls of the app come from the fields here, see `relaxdesign.study.fields`.
Whatever loads torch is imported inside functions: the command line reads this module whenever it starts.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from relaxdesign.study.fields import Ui
from relaxdesign.study.tuning import TUNING
from relaxdesign.version import __version__

if TYPE_CHECKING:
    from relaxdesign.prior.steps import Sampler

Schedule = Literal["constant", "rising", "falling"]
SamplerChoice = Literal["auto", "ddpm", "ddim", "dpm++"]
Sense = Literal["reach", "minimise", "maximise"]
Method = Literal["guided", "noise", "best-of-n", "random", "pairs", "genetic", "cma-es", "gradient", "conditional"]
"""What `relaxdesign.study.methods.METHODS` offers."""


class GuidanceSettings(BaseModel):
    """How strongly, and in which way, samples are steered (Ye et al. 2024, arXiv 2409.15761).

    The weights scale a Gauss–Newton step that needs no tuning: 1 closes the whole linearised gap.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sampler: Annotated[
        SamplerChoice,
        Field(description="ddpm: new noise at each step; ddim, dpm++: none; auto: chosen by the number of steps."),
        Ui("Sampler", "guidance", words={"auto": "by the number of steps"}, tooltip=False, option="--sampler"),
    ] = "auto"
    mean: Annotated[
        float,
        Field(ge=0, le=2, description="Weight of the step on the clean estimate (mean guidance)."),
        Ui("On the estimate", "guidance", step=0.1, per_row=2),
    ] = 1.0
    mean_iterations: Annotated[int, Field(ge=1, le=10, description="Inner updates of the clean estimate per step.")] = 1
    variance: Annotated[
        float,
        Field(ge=0, le=2, description="Weight of the step on the noisy sample, through the network."),
        Ui("Through the net", "guidance", step=0.1, per_row=2),
    ] = TUNING.variance
    clip: Annotated[
        float, Field(ge=1e-3, le=10, description="Largest step, as root mean square over a sample in channel units.")
    ] = TUNING.clip
    schedule: Annotated[
        Schedule,
        Field(description="Of both weights, as noise goes: constant, rising from 0, or falling to 0."),
        Ui("Both weights", "guidance", per_row=2),
    ] = "constant"
    recurrence: Annotated[
        int,
        Field(ge=1, le=8, description="How often each noise level is repeated."),
        Ui("Recurrences", "guidance", per_row=2),
    ] = 1
    begin: Annotated[
        float,
        Field(
            gt=0, le=1, description="Noise level below which samples are steered; before, the prior chooses materials."
        ),
    ] = TUNING.begin
    end: Annotated[float, Field(ge=0, lt=1, description="Noise level down to which samples are steered.")] = 0.0
    sharpness: Annotated[
        float, Field(ge=1, le=20, description="Exponent of the labels' probabilities where objectives are taken.")
    ] = TUNING.sharpness
    commit: Annotated[
        float, Field(ge=0, le=1, description="Noise level below which a candidate keeps to its likeliest materials.")
    ] = TUNING.commit
    reuse: Annotated[int, Field(ge=1, le=10, description="Steps for which one solve's gradient serves.")] = 1
    tolerance: Annotated[float, Field(ge=1e-6, le=1e-1, description="√ of the relative error of K while steering.")] = (
        TUNING.tolerance
    )

    @model_validator(mode="after")
    def _ordered(self) -> GuidanceSettings:
        if self.end >= self.begin:
            raise ValueError(f"guidance ends at noise level {self.end:g}, not below the {self.begin:g} it begins at")
        return self

    def strength_at(self, noise_level: float) -> float:
        """Part of the weights that acts at a noise level √(1-ᾱ), 0 to 1."""
        signal_level = (1.0 - noise_level**2) ** 0.5
        return {"constant": 1.0, "rising": signal_level, "falling": noise_level}[self.schedule]

    def sampler_at(self, steps: int) -> Sampler:
        """The sampler for a number of steps: left to choose, as `relaxdesign.study.tuning` says."""
        if self.sampler != "auto":
            return self.sampler
        return "dpm++" if steps <= TUNING.multistep_until else "ddim" if steps <= TUNING.ddim_until else "ddpm"


class Objective(BaseModel):
    """One thing wanted of an effective quantity: to lie between ``low`` and ``high``, or to be small or large.

    quantity: a name of `relaxdesign.physics.quantities.QUANTITIES`. low == high: a value; low alone: at least; high
    alone: at most. weight: against those of the other objectives, where not all can be had.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantity: str
    sense: Sense = "reach"
    low: float | None = None
    high: float | None = None
    weight: float = Field(default=1.0, ge=1e-6, le=10, allow_inf_nan=False)

    @model_validator(mode="after")
    def _possible(self) -> Objective:
        from relaxdesign.physics.quantities import QUANTITIES, check_value

        if self.quantity not in QUANTITIES:
            raise ValueError(f"unknown quantity {self.quantity!r}; known are {', '.join(QUANTITIES)}")
        limits = [limit for limit in (self.low, self.high) if limit is not None]
        if self.sense != "reach":
            if limits:
                raise ValueError(f"{self.sense} {self.quantity} takes no limits: give a second objective for them")
            return self
        if not limits:
            raise ValueError(f"say which {QUANTITIES[self.quantity].label} is wanted: a value, at least or at most")
        for problem in (check_value(self.quantity, limit) for limit in limits):
            if problem:
                raise ValueError(problem)
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"{self.quantity} cannot lie between {self.low:g} and {self.high:g}: swap them")
        return self

    @property
    def value(self) -> float | None:
        """The one value wanted, if it is one."""
        return self.low if self.low == self.high else None

    @property
    def sign(self) -> int:
        """-1 for what is to be large, 1 else: of the direction in which a quantity gets worse."""
        return -1 if self.sense == "maximise" else 1

    def nearest(self, value: float) -> float:
        """The wanted value nearest to a given one (the value itself inside the interval)."""
        if self.low is not None and value < self.low:
            return self.low
        return self.high if self.high is not None and value > self.high else value

    def gap(self, coordinate: Any) -> Any:
        """Signed distance of coordinates (array or tensor) of the quantity from the interval's, 0 inside."""
        from relaxdesign.physics.quantities import QUANTITIES

        quantity = QUANTITIES[self.quantity]
        low = None if self.low is None else float(quantity.coordinate(self.low))
        high = None if self.high is None else float(quantity.coordinate(self.high))
        return coordinate - coordinate.clip(low, high)

    def miss(self, value: float) -> float:
        """Signed distance from the interval (relative for positive quantities), 0 inside and for senses without one."""
        from relaxdesign.physics.quantities import QUANTITIES

        if self.sense != "reach":
            return 0.0
        return QUANTITIES[self.quantity].miss(value, self.nearest(value))

    def __str__(self) -> str:
        from relaxdesign.physics.quantities import format_value

        name = self.quantity
        if self.sense != "reach":
            return f"{self.sense} {name}"
        if self.value is not None:
            return f"{name} = {format_value(name, self.value)}"
        if self.low is not None and self.high is not None:
            return f"{self.low:.4g} ≤ {name} ≤ {format_value(name, self.high)}"
        limit = self.low if self.high is None else self.high
        return f"{name} {'≤' if self.low is None else '≥'} {format_value(name, float(limit or 0.0))}"


LONGEST_MATERIALS = 1_000_000
"""Characters of own materials that a request carries."""


def problems(error: ValidationError) -> list[str]:
    """What is wrong with a refused request, one text per field."""
    texts = []
    for detail in error.errors():
        message = detail["msg"].removeprefix("Value error, ")
        where = ".".join(str(part) for part in detail["loc"])
        if detail["type"] == "value_error":  # our own words, which name the quantity
            texts.append(message)
        else:
            texts.append(f"{where or 'request'}: {message[:1].lower()}{message[1:]}, got {quoted(detail['input'])}")
    return texts


def quoted(value: Any, longest: int = 200) -> str:
    """A refused value as messages show it: of a whole file the beginning only, and how long it is."""
    text = repr(value)
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters)"


_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
_NAME = r"([A-Za-z][\w/]*)"
_FORMS = {
    "range": re.compile(rf"{_NUMBER}\s*(?:<=?|≤)\s*{_NAME}\s*(?:<=?|≤)\s*{_NUMBER}"),
    "limit": re.compile(rf"{_NAME}\s*(==?|<=?|>=?|≤|≥)\s*{_NUMBER}"),
    "sense": re.compile(rf"(minimi[sz]e|maximi[sz]e)\s+{_NAME}"),
}


def parse_objective(text: str) -> Objective:
    """An objective in words: ``"K = 50"``, ``"density <= 3"``, ``"10 <= G <= 20"``, ``"minimise density @ 2"``.

    The number after @ is its weight. Raises ValueError with the accepted forms.
    """
    body, _, weight = (part.strip() for part in text.partition("@"))
    try:
        values: dict[str, Any] = {"weight": float(weight)} if weight else {}
    except ValueError:
        raise ValueError(f"{text!r}: the weight after @ must be a number, got {weight!r}") from None
    if found := _FORMS["range"].fullmatch(body):
        low, name, high = found.groups()
        values |= {"quantity": name, "low": float(low), "high": float(high)}
    elif found := _FORMS["sense"].fullmatch(body):
        sense, name = found.groups()
        values |= {"quantity": name, "sense": sense.replace("z", "s")}
    elif found := _FORMS["limit"].fullmatch(body):
        name, relation, limit = found.groups()
        values["quantity"] = name
        if relation[0] in "=>≥":
            values["low"] = float(limit)
        if relation[0] in "=<≤":
            values["high"] = float(limit)
    else:
        raise ValueError(
            f"cannot read the objective {text!r}; write e.g. 'K = 50', 'density <= 3', '10 <= G <= 20', "
            "'minimise density' or, with a weight, 'G = 20 @ 2'"
        )
    return Objective.model_validate(values)


class RequestError(ValueError):
    """A request that no design can meet; the text names the reachable interval or what to change."""


def _families() -> dict[str, str]:
    """The families of microstructures by name, with what each is."""
    from relaxdesign.microstructure import FAMILIES

    directed = ", for properties that depend on direction"
    return {name: family.summary + (directed if family.directional else "") for name, family in FAMILIES.items()}


FAMILIES_OF_VERSION_0_1 = {"statistical": "particles", "geometric": "free-form"}


class DesignRequest(BaseModel):
    """A design task. Moduli in GPa, densities in g/cm³.

    ``target_bulk=120, density_weight=1`` is a short form of the objectives K = 120 GPa and, with weight 1, a low
    density. Raises pydantic.ValidationError naming each bad field.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    objectives: tuple[Objective, ...]
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
        Ui("Include flagged materials", "materials", option="--flagged"),
    ] = False
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
    family: Annotated[
        str, Field(description="Kind of microstructure."), Ui("Family", "search", segmented=True, registry=_families)
    ] = "particles"
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
    distinct: Annotated[
        bool,
        Field(description="No two designs are of the same two materials; kinds that no other design has come first."),
        Ui("Different materials in every design", "finishing", option="--distinct/--same-pairs"),
    ] = True
    start: Annotated[
        str | None,
        Field(description="Microstructure (.vti, .npz) to begin from, not from noise."),
        Ui(file=True),
    ] = None
    start_noise: Annotated[
        float, Field(gt=0, le=1, description="Noise level, up to 1, to which the start is taken.")
    ] = 0.6
    guidance: GuidanceSettings = GuidanceSettings()

    @model_validator(mode="before")
    @classmethod
    def _without_version(cls, values: Any) -> Any:
        """A request file also tells the version that wrote it, see `request_file`."""
        return {key: values[key] for key in values if key != "version"} if isinstance(values, dict) else values

    @model_validator(mode="before")
    @classmethod
    def _of_version_0_1(cls, values: Any) -> Any:
        """Version 0.1 called a family by how a sample is read: its requests, files and links open still."""
        if not isinstance(values, dict) or "projection" not in values:
            return values
        values = dict(values)
        named = values.pop("projection")
        return {"family": FAMILIES_OF_VERSION_0_1.get(named, named)} | values

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
        if not self.targets:
            raise ValueError("give at least one target (a value, at least or at most), e.g. K = 50")
        twice = {o.quantity for o in self.objectives if sum(p.quantity == o.quantity for p in self.targets) > 1}
        if twice:
            raise ValueError(f"more than one target for {', '.join(sorted(twice))}: give one interval")
        if self.family not in (known := _families()):
            raise ValueError(f"unknown family {self.family!r}; known are {', '.join(known)}")
        if self.start is not None and self.method != "guided":
            raise ValueError(f"only guided diffusion begins from a microstructure, not the method {self.method!r}")
        return self

    @property
    def targets(self) -> tuple[Objective, ...]:
        """The objectives with an interval to reach."""
        return tuple(objective for objective in self.objectives if objective.sense == "reach")

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
        return ", ".join(str(objective) for objective in self.objectives)


def guidance_defaults() -> dict[str, Any]:
    """The settings of the guidance as they act where none is given, the number of steps included."""
    settings = GuidanceSettings()
    return settings.model_dump() | {"sampler": settings.sampler_at(DesignRequest.model_fields["steps"].default)}


def request_file(request: DesignRequest) -> str:
    """A request as JSON that repeats it elsewhere: every setting, and the version of RelaxDesign that wrote it.

    ``DesignRequest.model_validate_json`` reads it, as it reads a file that leaves out defaults and the version.
    """
    return json.dumps({"version": __version__} | request.model_dump(mode="json"), indent=1, ensure_ascii=False)
