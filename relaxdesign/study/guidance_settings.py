"""How strongly, and in which way, samples are steered: the part of a request that guidance takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from relaxdesign.study.fields import Ui
from relaxdesign.study.tuning import TUNING

if TYPE_CHECKING:
    from relaxdesign.prior.steps import Sampler

Schedule = Literal["constant", "rising", "falling"]
SamplerChoice = Literal["auto", "ddpm", "ddim", "dpm++"]


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
