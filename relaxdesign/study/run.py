"""The whole job: a request becomes a stream of events and, at its end, a result.

``run`` is what the command line, the app and Python call. It owns the order of the stages and
nothing else: guided sampling, projection, refinement and realisation live in their modules.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
import torch
from torch import Tensor

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import Inclusions
from relaxdesign.physics.attainable import Interval
from relaxdesign.physics.quantities import QUANTITIES, format_value
from relaxdesign.prior.model import Prior, load_prior, shipped_priors
from relaxdesign.study import attainable
from relaxdesign.study import selection as pairs
from relaxdesign.study.events import DesignEvent, Event, FinishedEvent, StepEvent
from relaxdesign.study.guidance import SamplerStep
from relaxdesign.study.methods import check_method, sampler_for
from relaxdesign.study.objectives import Objectives
from relaxdesign.study.pareto import conflict, missed
from relaxdesign.study.realisation import Finisher
from relaxdesign.study.request import DesignRequest, Objective
from relaxdesign.study.result import Design, DesignResult
from relaxdesign.study.simulation import Cost
from relaxdesign.version import __version__

DEFAULT_PRIORS = {2: "composite-2d-64", 3: "composite-3d-32"}


class RequestError(ValueError):
    """A request that no design can meet; the text names the reachable interval or what to change."""


def reachable(
    catalogue: Catalogue, dim: int = 2, quantity: str = "K", family: str = "particles"
) -> tuple[float, float]:
    """Smallest and largest value of a quantity that pairs of these materials can reach; see `reachable_intervals`.

    Raises RequestError when fewer than two materials are on offer.
    """
    intervals = reachable_intervals(catalogue, dim, quantity, family)
    return intervals[0][0], intervals[-1][1]


def reachable_intervals(
    catalogue: Catalogue, dim: int = 2, quantity: str = "K", family: str = "particles"
) -> list[Interval]:
    """Intervals of a quantity that pairs of these materials can reach, ascending; see `attainable.attainable`.

    Few materials leave gaps between them. Raises RequestError when fewer than two materials are on offer.
    """
    try:
        return attainable.attainable(catalogue, dim, quantity, family)
    except ValueError as error:
        raise RequestError(str(error)) from None


def run(
    request: DesignRequest,
    *,
    catalogue: Catalogue | None = None,
    cancel: Callable[[], bool] = lambda: False,
    finished: Sequence[Design] = (),
) -> Iterator[Event]:
    """Yields a StepEvent per sampling step, a DesignEvent per candidate and one FinishedEvent.

    catalogue: materials on offer before the request's own selection; None: those of the request, or the shipped ones.
    cancel: asked between steps and between designs; when True the run ends early with what it has.
    finished: designs of an earlier, interrupted run of the same request, which are kept and not made again.
    Raises RequestError for a request that cannot be met (see `check_request`), PriorError for a prior that
    cannot be used, before any work.
    """
    begin, started = time.monotonic(), datetime.now(UTC)
    materials = check_request(request, catalogue)
    prior = load_prior(request.prior or default_prior(request))
    if prior.dim != request.dim:
        raise RequestError(f"the prior {prior.name} makes {prior.dim}D fields, the request asks for {request.dim}D")
    prior.offer(materials)

    last: SamplerStep | None = None
    cancelled = False
    objectives = Objectives.from_request(request, materials, prior.channels)
    cost = Cost()
    for last in sampler_for(request, prior, objectives, materials):
        spent = Cost(objectives.load_cases - cost.load_cases, objectives.iterations - cost.iterations)
        cost.merge(spent)
        yield _step_event(prior, request, last, spent, time.monotonic() - begin)
        if cancel():
            cancelled = True
            break

    kept = {design.index: design for design in finished}
    designs: list[Design] = []
    if last is not None and not cancelled:
        finisher = Finisher(request, materials, prior)
        taken = {pair for design in kept.values() if (pair := _indices(design, materials)) and request.distinct}
        fields = dict(zip(last.alive.nonzero().flatten().tolist(), last.clean, strict=True))
        for index in range(request.count):
            if cancelled := cancelled or cancel():
                break
            if index in kept:
                design = kept[index]
            elif index in fields:
                design, pair, spent = finisher.finish(index, fields[index], taken)
                cost.merge(spent)
                if pair and request.distinct:
                    taken.add(pair)
            else:
                message = last.messages.get(index, "dropped")
                design = Design(index, request.objectives, request.family, message)
            designs.append(design)
            yield DesignEvent(design, len(designs), request.count, time.monotonic() - begin)

    yield FinishedEvent(
        DesignResult(
            request=request,
            designs=tuple(designs),
            status="cancelled" if cancelled else "finished",
            seconds=time.monotonic() - begin,
            prior=prior_label(prior),
            solver_iterations=cost.iterations,
            load_cases=cost.load_cases,
            started=started,
            version=__version__,
            remark=conflict(designs) or missed(designs),
        )
    )


def design(request: DesignRequest, *, catalogue: Catalogue | None = None) -> DesignResult:
    """Runs a request to its end and returns the result."""
    for event in run(request, catalogue=catalogue):
        if isinstance(event, FinishedEvent):
            return event.result
    raise RuntimeError("the study ended without a result")


def prior_label(prior: Prior) -> str:
    """Name and beginning of the hash, as results tell which weights made them."""
    return f"{prior.name} ({prior.card['sha256'][:12]})"


def default_prior(request: DesignRequest) -> str:
    """The shipped prior that a request without a choice of its own uses."""
    suffix = "-conditional" if request.method == "conditional" else ""
    return DEFAULT_PRIORS[request.dim] + suffix


def check_request(request: DesignRequest, catalogue: Catalogue | None = None) -> Catalogue:
    """The `materials_on_offer` of a request that can be run.

    Raises RequestError if they cannot reach one of its targets, or if its method cannot serve it.
    """
    try:
        check_method(request)
    except ValueError as error:
        raise RequestError(str(error)) from None
    if request.prior is None and default_prior(request) not in shipped_priors():
        raise RequestError(
            f"the method {request.method} has no prior for {request.dim}D here: choose another method or dimension, "
            "or name a prior of your own"
        )
    return materials_on_offer(request, catalogue)


def materials_on_offer(request: DesignRequest, catalogue: Catalogue | None = None) -> Catalogue:
    """The materials a request may use. Raises RequestError if they cannot reach one of its targets."""
    try:
        if catalogue is None:
            own = request.materials_csv
            catalogue = Catalogue.default() if own is None else Catalogue.from_text(own)
        materials = catalogue.select(categories=request.categories, exclude=request.exclude, flagged=request.flagged)
        materials = pairs.with_known_properties(materials, request.objectives)
    except ValueError as error:
        raise RequestError(str(error)) from None
    for target in request.targets:
        _check_reachable(target, request, materials)
    return materials


def _check_reachable(target: Objective, request: DesignRequest, materials: Catalogue) -> None:
    name = target.quantity
    intervals = reachable_intervals(materials, request.dim, name, request.family)
    low, high = intervals[0][0], intervals[-1][1]
    slack = 1e-9 * max(abs(low), abs(high))
    within = (target.high is None or target.high >= low - slack) and (target.low is None or target.low <= high + slack)
    family = FAMILIES[request.family]
    gap = attainable.gap_of(target, intervals)
    if gap is not None and isinstance(family, Inclusions):
        gap = attainable.simulated_gap(target, gap, materials, family, request.dim, request.boundary)
    if within and gap is None:
        return
    advice = "change the target or offer other materials"
    if not family.directional and QUANTITIES[name].directional:
        others = " or ".join(other.name for other in FAMILIES.values() if other.directional)
        advice = f"{family.phases[1]} placed at random have no direction in their plane: ask for {others} cells"
    between = f"between {format_value(name, low)} and {format_value(name, high)}"
    if gap is not None:
        between += f", but none between {format_value(name, gap.low)} and {format_value(name, gap.high)}"
        advice = f"the nearest that can be had is {format_value(name, gap.nearest(target))}; {advice}"
    has = f"{family.composites} of the materials on offer have a {QUANTITIES[name].label} {between}"
    raise RequestError(f"{target} is out of reach: {has}; {advice}")


def _indices(design: Design, materials: Catalogue) -> tuple[int, int] | None:
    """Positions of a design's materials among those on offer."""
    if not design.materials:
        return None
    ids = [material.id for material in materials.materials]
    matrix, inclusion = (ids.index(material.id) for material in design.materials)
    return matrix, inclusion


def _step_event(prior: Prior, request: DesignRequest, step: SamplerStep, spent: Cost, seconds: float) -> StepEvent:
    """The step in physical units over all candidates; those dropped are NaN."""
    alive = step.alive.numpy()
    properties = prior.decode(step.clean)

    def spread(values: Tensor) -> np.ndarray:
        full = np.full((request.count, *values.shape[1:]), np.nan, dtype=np.float32)
        full[alive] = values.detach().float().cpu().numpy()
        return full

    evaluation = step.evaluation
    nothing = torch.zeros(len(step.clean))
    return StepEvent(
        step=step.index,
        steps=step.steps,
        noise_level=step.noise_level,
        young=spread(properties.young),
        poisson=spread(properties.poisson),
        density=spread(properties.density),
        bulk=spread(evaluation.bulk if evaluation else nothing),
        mean_density=spread(evaluation.density if evaluation else nothing),
        losses={name: spread(loss) for name, loss in evaluation.losses.items()} if evaluation else {},
        messages=step.messages,
        values={o.quantity: spread(evaluation.values[o.quantity]) for o in request.objectives} if evaluation else {},
        iterations=spent.iterations,
        load_cases=spent.load_cases,
        seconds=seconds,
    )
