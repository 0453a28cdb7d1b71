"""The events of a study, which feed the progress bar and the live view."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from relaxdesign.study.result import Design, DesignResult


@dataclass(frozen=True, eq=False)
class StepEvent:
    """State of all candidates after one denoising step.

    step: 1 … steps. noise_level: √(1-ᾱ_t), 1 at the start and 0 at the end.
    young: Young's modulus of the clean estimate x̂_0, GPa, float32 (count, nx, ny, nz); NaN: dropped candidates.
    bulk: (count,) effective bulk modulus of x̂_0, GPa, NaN where the candidate was dropped or no solve was made.
    mean_density: (count,) g/cm³. values: every quantity asked for, (count,).
    losses: per objective name, (count,) dimensionless.
    messages: per dropped candidate, why. iterations, load_cases: what this step's simulations took.
    """

    step: int
    steps: int
    noise_level: float
    young: np.ndarray = field(repr=False)
    bulk: np.ndarray
    mean_density: np.ndarray
    losses: dict[str, np.ndarray]
    messages: dict[int, str]
    iterations: int
    seconds: float  # since the start of the study
    values: dict[str, np.ndarray] = field(default_factory=dict)
    load_cases: int = 0


@dataclass(frozen=True)
class DesignEvent:
    """A candidate went through projection, refinement and realisation (or failed: see its message)."""

    design: Design
    done: int
    count: int
    seconds: float


@dataclass(frozen=True)
class FinishedEvent:
    """The last event; the study is finished or was cancelled."""

    result: DesignResult


Event = StepEvent | DesignEvent | FinishedEvent
