"""What a user asks for: one validated object that the CLI, the app and Python all fill in."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Sampler = Literal["ddpm", "ddim", "dpm++"]


class GuidanceSettings(BaseModel):
    """How strongly, and in which way, samples are steered (Ye et al. 2024, arXiv 2409.15761).

    The weights scale a Gauss–Newton step that needs no tuning: 1 closes the whole linearised gap.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: float = Field(default=1.0, ge=0, le=2, description="weight of the step on the clean estimate (mean guidance)")
    mean_iterations: int = Field(default=1, ge=1, le=10, description="inner updates of the clean estimate per step")
    variance: float = Field(
        default=0.0, ge=0, le=2, description="weight of the step on the noisy sample, through the network"
    )
    clip: float = Field(
        default=0.2, gt=0, description="largest step, as root mean square over a sample in channel units"
    )
    recurrence: int = Field(default=1, ge=1, le=8, description="times each noise level is repeated")
    sampler: Sampler = Field(
        default="ddpm", description="ddpm: new noise at each step; ddim, dpm++: none, for 10 to 25 steps"
    )
    tolerance: float = Field(default=1e-4, gt=0, le=1e-2, description="relative residual of the guidance solves")


class DesignRequest(BaseModel):
    """A design task. Moduli in GPa.

    Raises pydantic.ValidationError naming each bad field.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target_bulk: float = Field(gt=0, le=600, allow_inf_nan=False, description="effective bulk modulus wanted, GPa")
    dim: Literal[2, 3] = 2
    density_weight: float = Field(
        0.0, ge=0, le=10, allow_inf_nan=False, description="weight of low density against the target's 1"
    )
    count: int = Field(default=8, ge=1, le=64, description="number of candidates")
    steps: int = Field(default=50, ge=2, le=1000, description="denoising steps")
    seed: int = Field(default=0, ge=0, lt=2**63)
    categories: tuple[str, ...] | None = Field(default=None, description="material categories on offer; None: all")
    exclude: tuple[str, ...] = Field(default=(), description="ids of materials that must not be used")
    flagged: bool = Field(default=False, description="also offer materials flagged toxic, exotic, …")
    prior: str | None = Field(
        default=None, description="name or path of a prior; None: the shipped one for this dimension"
    )
    guidance: GuidanceSettings = GuidanceSettings()
