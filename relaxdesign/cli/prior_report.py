"""``relaxdesign prior-report``: how good a prior is, measured on unguided samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from relaxdesign.cli.console import EXIT_INTERRUPTED, messages, progress, stop_on_interrupt, user_errors


def prior_report(
    dim: Annotated[int, typer.Option(min=2, max=3, help="2 or 3; chooses the shipped prior.")] = 2,
    count: Annotated[int, typer.Option(min=8, help="Number of samples, and of random designs.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of noise and designs.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Denoising steps.")] = 50,
    sampler: Annotated[
        Literal["ddpm", "ddim", "dpm++"], typer.Option(help="ddim and dpm++ are for 10 to 25 steps.")
    ] = "ddpm",
    prior: Annotated[str | None, typer.Option(help="Name of a shipped prior or path of a .safetensors file.")] = None,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for report.html, samples.png and metrics.json.")
    ] = Path("runs/prior-report"),
) -> None:
    """Compare samples of a prior with random designs: shapes, materials, moduli, diversity."""
    with user_errors():
        import torch

        from relaxdesign.catalogue import Catalogue
        from relaxdesign.guidance import sample as draw
        from relaxdesign.prior.data import random_fields
        from relaxdesign.prior.metrics import measure, read
        from relaxdesign.prior.model import load_prior
        from relaxdesign.prior.report import summary, write_report
        from relaxdesign.study import DEFAULT_PRIORS

        loaded = load_prior(prior or DEFAULT_PRIORS[dim])
        catalogue = Catalogue.default().select()
        generator = torch.Generator().manual_seed(seed)
        parts = [min(BATCH, count - start) for start in range(0, count, BATCH)]
        drawn = []
        with stop_on_interrupt() as stopped, progress() as bars, torch.no_grad():
            task = bars.add_task("Denoising", total=steps * len(parts), note=loaded.name)
            for part in parts:
                clean = None
                for step in draw(loaded, part, steps=steps, sampler=sampler, generator=generator):
                    clean = step.clean
                    bars.advance(task)
                    if stopped():
                        messages.print("Stopped: nothing was written.")
                        raise typer.Exit(EXIT_INTERRUPTED)
                drawn.append(clean)
            fields = torch.cat(drawn).cpu()
            bars.update(task, note="reading")
            designs = [
                random_fields(catalogue, loaded.channels, loaded.grid, loaded.dim, count, generator=generator)
                for _ in range(2)
            ]
            populations = read(loaded, fields), read(loaded, designs[0]), read(loaded, designs[1])
        metrics = {"prior": loaded.name, "sha256": loaded.card.get("sha256"), "seed": seed}
        metrics |= {"sampling": f"{sampler}, {steps} steps"} | measure(loaded, catalogue, *populations)
        page = write_report(out, loaded, metrics, fields, populations)
    for name, value in summary(metrics):
        messages.print(f"{name}: {value}")
    messages.print(f"written to {page}", soft_wrap=True)


BATCH = 32
"""Samples denoised together."""
