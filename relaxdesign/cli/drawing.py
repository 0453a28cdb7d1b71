"""Unguided samples with a progress bar, for the commands that draw some."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relaxdesign.cli.console import interrupted, progress, stop_on_interrupt

if TYPE_CHECKING:
    import torch

    from relaxdesign.prior.model import Prior
    from relaxdesign.prior.steps import Sampler


def draw_with_progress(
    prior: Prior, count: int, *, steps: int, sampler: Sampler, generator: torch.Generator
) -> torch.Tensor:
    """As `relaxdesign.prior.sampling.draw`; Ctrl-C ends the command."""
    from relaxdesign.prior.sampling import BATCH, draw

    with stop_on_interrupt() as stopped, progress() as bars:
        task = bars.add_task("Denoising", total=steps * -(-count // BATCH), note=prior.name)

        def after_step() -> None:
            bars.advance(task)
            if stopped():
                interrupted("Stopped: nothing was written.")

        return draw(prior, count, steps=steps, sampler=sampler, generator=generator, after_step=after_step)
