"""A study that plays a script instead of computing: for tests of what is built around the real one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import numpy as np

from relaxdesign.materials.catalogue import Material
from relaxdesign.physics.bounds import Bounds
from relaxdesign.study.events import DesignEvent, Event, FinishedEvent, StepEvent
from relaxdesign.study.objective import Objective
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import STAGES, Design, DesignResult

GRID = 16

ALUMINIUM = Material("al", "Aluminium 6061", "metal", 69.0, 0.33, 67.6, 25.9, 2.70)
CARBIDE = Material("sic", "Silicon carbide", "ceramic", 410.0, 0.17, 207.1, 175.2, 3.21)


def scripted_design(index: int, target: float = 100.0, *, failed: bool = False) -> Design:
    """A finished design near the target, or one that failed with a message."""
    wanted = (Objective(quantity="K", low=target, high=target),)
    if failed:
        return Design(index, wanted, message="No two phases were found.", stages={"relaxed": {"K": target}})
    x, y = np.meshgrid(*[np.arange(GRID) / GRID - 0.5] * 2, indexing="ij")
    phase = (x**2 + y**2 < 0.09)[..., None].astype(np.uint8)
    relaxed = np.stack([np.where(phase, 410.0, 69.0), np.where(phase, 0.17, 0.33), np.where(phase, 3.21, 2.7)])
    realised = target * (1 + 0.002 * (index + 1))
    return Design(
        index=index,
        objectives=wanted,
        materials=(ALUMINIUM, CARBIDE),
        shares=(1 - float(phase.mean()), float(phase.mean())),
        parameters={"diameter": 0.3},
        stages={
            stage: {"K": value}
            for stage, value in zip(
                STAGES, (target * 1.01, target * 1.05, target * 0.96, target * 1.003, realised), strict=True
            )
        },
        properties={"K": realised, "density": 2.84},
        spread=0.4,
        bounds=Bounds(reuss=target * 0.8, hs_lower=target * 0.9, hs_upper=target * 1.1, voigt=target * 1.3),
        iterations=21,
        residual=1e-9,
        labels=phase,
        relaxed=relaxed.astype(np.float32),
    )


def scripted_step(request: DesignRequest, step: int) -> StepEvent:
    """Noise that becomes a disc; candidate 1 is dropped half way."""
    noise = 1 - step / request.steps
    random = np.random.default_rng(step)
    shape = (request.count, GRID, GRID, 1)
    disc = scripted_design(0).relaxed[0]
    young = disc * (1 - noise) + 200 * noise * random.random(shape)
    bulk = request.target_bulk * (1 + 0.3 * noise * random.standard_normal(request.count))
    messages = {}
    if request.count > 1 and step * 2 > request.steps:
        bulk[1], young[1] = np.nan, np.nan
        messages = {1: "The solver did not converge for this candidate."}
    return StepEvent(
        step=step,
        steps=request.steps,
        noise_level=noise,
        young=young.astype(np.float32),
        bulk=bulk,
        mean_density=np.full(request.count, 2.8),
        losses={"bulk": np.log(bulk / request.target_bulk) ** 2},
        messages=messages,
        iterations=10,
        seconds=0.01 * step,
    )


def scripted_study(pause: float = 0.0, fail_at: int | None = None, error: Exception | None = None):
    """A function like ``study.run``. pause: seconds per event. fail_at: step at which it raises ``error``."""

    def run(
        request: DesignRequest, *, cancel: Callable[[], bool] = lambda: False, catalogue=None, finished=()
    ) -> Iterator[Event]:
        designs: list[Design] = []
        status = "finished"
        for step in range(1, request.steps + 1):
            if cancel():
                status = "cancelled"
                break
            if step == fail_at:
                raise error or ZeroDivisionError("scripted")
            time.sleep(pause)
            yield scripted_step(request, step)
        for index in range(request.count if status == "finished" else 0):
            time.sleep(pause)
            designs.append(scripted_design(index, request.target_bulk, failed=index == 1))
            yield DesignEvent(designs[-1], len(designs), request.count, 0.0)
        yield FinishedEvent(
            DesignResult(request, tuple(designs), status, 1.5, "scripted", 123, datetime.now(UTC), "0.0")
        )

    return run
