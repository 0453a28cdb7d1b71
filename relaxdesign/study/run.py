"""The whole job: a request becomes a stream of events and, at its end, a result.

``run`` is what the command line, the app and Python call. It owns the order of the stages and
nothing else: guided sampling, projection, refinement and realisation live in their modules.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import torch
from torch import Tensor

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.microstructure.symmetry import Symmetry
from relaxdesign.prior.data import CONNECTED
from relaxdesign.prior.model import Prior, load_prior, shipped_priors
from relaxdesign.prior.own_cells import IMAGED
from relaxdesign.study.attainable import check_reachable
from relaxdesign.study.events import DesignEvent, Event, FinishedEvent, StepEvent
from relaxdesign.study.family import beside, third_of
from relaxdesign.study.guidance import SamplerStep
from relaxdesign.study.methods import METHODS, check_method, sampler_for
from relaxdesign.study.objective import Objective
from relaxdesign.study.objectives import Objectives
from relaxdesign.study.pareto import conflict, missed
from relaxdesign.study.realisation import Finisher
from relaxdesign.study.request import DesignRequest, RequestError
from relaxdesign.study.result import Design, DesignResult
from relaxdesign.study.selection import with_known_properties
from relaxdesign.study.simulation import Cost
from relaxdesign.study.stiffness import check_attainable
from relaxdesign.version import __version__

DEFAULT_PRIORS = {2: "composite-2d-64", 3: "composite-3d-32"}
SHAPE_PRIORS = {2: "free-form-2d-64", 3: "free-form-3d-32"}
"""Of cells whose phases are given."""


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
    study = _Study.begin(request, catalogue, cancel, finished)
    yield from study.sample()
    yield from study.finish()
    yield FinishedEvent(study.result())


@dataclass(eq=False)
class _Study:
    """A run while it goes on.

    kept: designs of an earlier, interrupted run by index. begun: on the monotonic clock. last: the latest step of the
    sampling. designs: so far, in the order of their indices.
    """

    request: DesignRequest
    materials: Catalogue
    prior: Prior
    cancel: Callable[[], bool]
    kept: Mapping[int, Design]
    begun: float
    started: datetime
    cost: Cost = field(default_factory=Cost)
    last: SamplerStep | None = None
    designs: list[Design] = field(default_factory=list)
    cancelled: bool = False

    @staticmethod
    def begin(
        request: DesignRequest, catalogue: Catalogue | None, cancel: Callable[[], bool], finished: Sequence[Design]
    ) -> _Study:
        """A study of a request that can be met. Raises RequestError and PriorError, see `run`."""
        begun, started = time.monotonic(), datetime.now(UTC)
        materials = check_request(request, catalogue)
        prior = load_prior(request.prior or default_prior(request))
        if prior.dim != request.dim:
            raise RequestError(f"the prior {prior.name} makes {prior.dim}D fields, the request asks for {request.dim}D")
        if prior.of_shapes != bool(request.phases):
            makes = "shapes of given phases: give two or three" if prior.of_shapes else "no shapes: choose another"
            raise RequestError(f"the prior {prior.name} makes {makes}")
        prior.offer(materials)
        if request.phases:
            kind = request.shape or _usual_kind(prior, materials)
            prior = prior.of_kind(kind) if kind else prior
            prior = prior.symmetric(Symmetry(request.symmetry, request.dim))
        kept = {design.index: design for design in finished}
        return _Study(request, materials, prior, cancel, kept, begun, started)

    def sample(self) -> Iterator[StepEvent]:
        """The steps of the request's method."""
        objectives = Objectives.from_request(self.request, self.materials, self.prior.channels)
        for step in sampler_for(self.request, self.prior, objectives, self.materials):
            self.last = step
            spent = Cost(objectives.load_cases - self.cost.load_cases, objectives.iterations - self.cost.iterations)
            self.cost.merge(spent)
            yield _step_event(self.prior, self.request, step, spent, self._seconds)
            if self.cancel():
                self.cancelled = True
                return

    def finish(self) -> Iterator[DesignEvent]:
        """A design of every sample: projected, refined and realised, but for those that are kept."""
        if self.last is None or self.cancelled:
            return
        finisher = Finisher(self.request, self.materials, self.prior)
        fields = dict(zip(self.last.alive.nonzero().flatten().tolist(), self.last.clean, strict=True))
        pairs = {self._pair_of(design) for design in self.kept.values() if self._distinct}
        taken: set[tuple[int, ...]] = {pair for pair in pairs if pair is not None}
        for index in range(self.request.count):
            if self.cancel():
                self.cancelled = True
                return
            if index in self.kept:
                design = self.kept[index]
            elif index in fields:
                design, pair, spent = finisher.finish(index, fields[index], taken)
                self.cost.merge(spent)
                if pair is not None and self._distinct:
                    taken.add(pair)
            else:
                design = self._dropped(index, self.last)
            self.designs.append(design)
            yield DesignEvent(design, len(self.designs), self.request.count, self._seconds)

    def result(self) -> DesignResult:
        """What there is, finished or cancelled."""
        return DesignResult(
            request=self.request,
            designs=tuple(self.designs),
            status="cancelled" if self.cancelled else "finished",
            seconds=self._seconds,
            prior=prior_label(self.prior),
            solver_iterations=self.cost.iterations,
            load_cases=self.cost.load_cases,
            started=self.started,
            version=__version__,
            remark=conflict(self.designs) or missed(self.designs),
        )

    @property
    def _distinct(self) -> bool:
        """Whether no two designs may be of the same materials."""
        return self.request.distinct and not self.request.phases

    @property
    def _seconds(self) -> float:
        """Since the start of the study."""
        return time.monotonic() - self.begun

    def _dropped(self, index: int, last: SamplerStep) -> Design:
        """A candidate that sampling dropped."""
        request, message = self.request, last.messages.get(index, "dropped")
        return Design(index, request.objectives, request.family, message)

    def _pair_of(self, design: Design) -> tuple[int, ...] | None:
        """Positions of a design's materials among those on offer; a third one that is given is not among them."""
        at = {material.id: position for position, material in enumerate(self.materials.materials)}
        return tuple(at[material.id] for material in design.materials if material.id in at) or None


def design(request: DesignRequest, *, catalogue: Catalogue | None = None) -> DesignResult:
    """Runs a request to its end and returns the result."""
    for event in run(request, catalogue=catalogue):
        if isinstance(event, FinishedEvent):
            return event.result
    raise RuntimeError("the study ended without a result")


def _usual_kind(prior: Prior, materials: Catalogue) -> str:
    """The kind that a prior of shapes is told where none is asked for: own images, if it was tuned on them."""
    if IMAGED in prior.network.config.classes:
        return IMAGED
    return CONNECTED if materials.has_void else ""


def prior_label(prior: Prior) -> str:
    """Name and beginning of the hash, as results tell which weights made them."""
    return f"{prior.name} ({prior.card['sha256'][:12]})"


def default_prior(request: DesignRequest) -> str:
    """The shipped prior that a request without a choice of its own uses."""
    names = SHAPE_PRIORS if request.phases else DEFAULT_PRIORS
    return names[request.dim] + METHODS[request.method].prior_suffix


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
        if request.phases:
            materials = catalogue.of_phases(request.phases)
        else:
            materials = catalogue.select(
                categories=request.categories, exclude=request.exclude, flagged=request.flagged
            )
        third = third_of(request.family, request.third_phase, request.third_amount, catalogue)
        known = with_known_properties(beside(materials, third), request.objectives)
        materials = known if request.phases else known.combinable(request.makeable, request.dim)
    except ValueError as error:
        raise RequestError(str(error)) from None
    if request.open_voids and not materials.has_void:
        raise RequestError(
            f"open voids take void as a phase, got {', '.join(request.phases)}: leave them out, or give void"
        )
    for target in request.targets:
        try:
            check_reachable(target, request, materials)
        except RequestError as error:
            raise RequestError(f"{error}{_by_any_pair(target, request, known)}") from None
    if request.phases:
        bulk, shear = (max(each) for each in zip(*((m.bulk, m.shear) for m in materials.materials), strict=True))
        try:
            check_attainable(request.objectives, bulk, shear)
        except ValueError as error:
            raise RequestError(str(error)) from None
    return materials


def _by_any_pair(target: Objective, request: DesignRequest, known: Catalogue) -> str:
    """What to do about a target that only pairs reach which are not known to be makeable; empty if none does."""
    if request.phases or request.makeable == "any":
        return ""
    try:
        check_reachable(target, request, known)
    except RequestError:
        return ""
    return f", or allow any pair (--makeable any): some that are less than {request.makeable} to be made reach it"


def _step_event(prior: Prior, request: DesignRequest, step: SamplerStep, spent: Cost, seconds: float) -> StepEvent:
    """The step in physical units over all candidates; those dropped are NaN."""
    alive = step.alive.numpy()
    properties = prior.decode(step.clean)

    def of_all(values: Tensor) -> np.ndarray:
        full = np.full((request.count, *values.shape[1:]), np.nan, dtype=np.float32)
        full[alive] = values.detach().float().cpu().numpy()
        return full

    evaluation = step.evaluation
    nothing = torch.zeros(len(step.clean))
    return StepEvent(
        step=step.index,
        steps=step.steps,
        noise_level=step.noise_level,
        young=of_all(properties.young),
        bulk=of_all(evaluation.bulk if evaluation else nothing),
        mean_density=of_all(evaluation.density if evaluation else nothing),
        losses={name: of_all(loss) for name, loss in evaluation.losses.items()} if evaluation else {},
        messages=step.messages,
        values={o.quantity: of_all(evaluation.values[o.quantity]) for o in request.objectives} if evaluation else {},
        iterations=spent.iterations,
        load_cases=spent.load_cases,
        seconds=seconds,
    )
