"""``relaxdesign prior-report``: how good a prior is, measured on unguided samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relaxdesign.cli.console import messages, user_errors
from relaxdesign.cli.drawing import draw_with_progress
from relaxdesign.cli.options import Dimension, PriorName, SamplerName, Seed, Steps

if TYPE_CHECKING:
    import torch

    from relaxdesign.prior.model import Prior
    from relaxdesign.prior.steps import Sampler

UNSEEN_SAMPLES, LEAST_UNSEEN = 128, 8
"""Samples, and materials that are needed, for the memorisation check."""


def prior_report(
    dim: Dimension = 2,
    count: Annotated[int, typer.Option(min=8, help="Number of samples, and of random designs.")] = 1000,
    seed: Seed = 0,
    steps: Steps = 50,
    sampler: SamplerName = "ddpm",
    prior: PriorName = None,
    card: Annotated[bool, typer.Option("--card", help="Put the numbers into the model card, too.")] = False,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for report.html, samples.png and metrics.json.")
    ] = Path("runs/prior-report"),
) -> None:
    """Compare samples of a prior with random designs: shapes, materials, moduli, diversity."""
    with user_errors():
        import torch

        from relaxdesign.materials.catalogue import Catalogue
        from relaxdesign.prior.metrics import assess, assess_unseen, unseen_materials
        from relaxdesign.prior.model import add_to_card, load_prior
        from relaxdesign.prior.report import summary, write_report
        from relaxdesign.study.run import DEFAULT_PRIORS

        name = prior or DEFAULT_PRIORS[dim]
        loaded = load_prior(name)
        generator = torch.Generator().manual_seed(seed)
        if loaded.of_shapes:
            _report_shapes(loaded, name, count, steps, sampler, generator, out, card=card)
            return
        drawn = draw_with_progress(loaded, count, steps=steps, sampler=sampler, generator=generator)
        found, populations = assess(loaded, Catalogue.default().select(), drawn, generator=generator)
        others = unseen_materials(loaded, Catalogue.default())
        if len(others.materials) >= LEAST_UNSEEN:
            loaded.offer(others)
            strange = draw_with_progress(
                loaded, min(count, UNSEEN_SAMPLES), steps=steps, sampler=sampler, generator=generator
            )
            found["unseen"] = assess_unseen(loaded, others, strange, generator=generator)
        metrics = {"prior": loaded.name, "sha256": loaded.card.get("sha256"), "seed": seed}
        metrics |= {"sampling": f"{sampler}, {steps} steps"} | found
        page = write_report(out, loaded, metrics, drawn, populations)
        if card:
            add_to_card(name, {"metrics": metrics})
    for what, value in summary(metrics):
        messages.print(f"{what}: {value}")
    messages.print(f"written to {page}", soft_wrap=True)


def _report_shapes(
    prior: Prior,
    name: str,
    count: int,
    steps: int,
    sampler: Sampler,
    generator: torch.Generator,
    out: Path,
    *,
    card: bool,
) -> None:
    """The same of a prior of shapes: numbers and a sheet of samples."""
    import json

    from relaxdesign.files import write_whole
    from relaxdesign.prior.data import CONNECTED
    from relaxdesign.prior.model import add_to_card
    from relaxdesign.prior.report import sample_sheet
    from relaxdesign.prior.shape_metrics import assess_shapes, summary

    drawn = draw_with_progress(prior.of_kind(CONNECTED), count, steps=steps, sampler=sampler, generator=generator)
    metrics = {"prior": prior.name, "sha256": prior.card.get("sha256"), "sampling": f"{sampler}, {steps} steps"}
    metrics |= assess_shapes(prior, drawn, generator=generator)
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / "metrics.json", (json.dumps(metrics, indent=2) + "\n").encode())
    sample_sheet(drawn[:48]).save(out / "samples.png")
    if card:
        add_to_card(name, {"metrics": metrics})
    for what, value in summary(metrics):
        messages.print(f"{what}: {value}")
    messages.print(f"written to {out}", soft_wrap=True)
