"""``relaxdesign sample``: unguided samples of a prior."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated

import typer

from relaxdesign.cli.console import EXIT_NO_RESULT, fail, messages, user_errors
from relaxdesign.cli.drawing import draw_with_progress
from relaxdesign.cli.options import Dimension, PriorName, SamplerName, Seed, Steps


def sample(
    out: Annotated[Path, typer.Option(metavar="FILE.npz", help="File for the arrays E, nu and rho.")],
    dim: Dimension = 2,
    count: Annotated[int, typer.Option(min=1, help="Number of samples.")] = 16,
    seed: Seed = 0,
    steps: Steps = 50,
    sampler: SamplerName = "ddpm",
    bulk: Annotated[
        float | None, typer.Option(metavar="GPA", help="Bulk modulus a conditional prior is told to make.")
    ] = None,
    scale: Annotated[float, typer.Option(help="By how much --bulk is exaggerated (classifier-free guidance).")] = 2.0,
    prior: PriorName = None,
) -> None:
    """Draw samples that follow the prior alone: E (GPa), nu and rho (g/cm3), each (count, nx, ny, nz)."""
    with user_errors():
        if out.suffix != ".npz":
            raise ValueError(f"--out: {out} must end in .npz")
        import numpy as np
        import torch

        from relaxdesign.files import write_whole
        from relaxdesign.prior.model import load_prior
        from relaxdesign.study.run import DEFAULT_PRIORS

        loaded = load_prior(prior or DEFAULT_PRIORS[dim])
        if loaded.of_shapes:
            raise ValueError(f"{loaded.name} makes shapes of phases that are given: see relaxdesign prior-report")
        if bulk is not None:
            loaded = loaded.aimed_at(bulk, scale)
        generator = torch.Generator().manual_seed(seed)
        clean = draw_with_progress(loaded, count, steps=steps, sampler=sampler, generator=generator)
        finite = torch.isfinite(clean).flatten(1).all(1)
        if not finite.any():
            fail("all samples became non-finite: the prior is damaged or was hardly trained", EXIT_NO_RESULT)
        properties = loaded.decode(clean[finite])
        young, poisson, density = (
            values.cpu().numpy() for values in (properties.young, properties.poisson, properties.density)
        )
        out.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, E=young, nu=poisson, rho=density)
        write_whole(out, buffer.getvalue())
    dropped = count - int(finite.sum())
    if dropped:
        messages.print(f"{dropped} samples were dropped: they became non-finite")
    messages.print(f"{count - dropped} samples of {loaded.name} written to {out}")
