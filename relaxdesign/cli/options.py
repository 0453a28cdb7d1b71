"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Dimension = Annotated[int, typer.Option(min=2, max=3, help="2 or 3; chooses the shipped prior.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]
Steps = Annotated[int, typer.Option(min=1, help="Denoising steps.")]
SamplerName = Annotated[
    Literal["ddpm", "ddim", "dpm++"], typer.Option(help="ddim and dpm++ add no noise: for 10 to 25 steps.")
]
PriorName = Annotated[str | None, typer.Option(help="Name of a shipped prior or path of a .safetensors file.")]
