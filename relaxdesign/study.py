"""The whole job: a request becomes a stream of events and, at its end, a result.

``run`` is what the command line, the app and Python call. It owns the order of the stages and
nothing else: guided sampling, projection, refinement and realisation live in their modules.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import numpy as np
import torch
from torch import Tensor

import relaxdesign
from relaxdesign import estimates
from relaxdesign.bounds import Bounds, field_bounds
from relaxdesign.catalogue import Catalogue, Material
from relaxdesign.channels import Properties
from relaxdesign.composite import PackingError
from relaxdesign.events import DesignEvent, Event, FinishedEvent, StepEvent
from relaxdesign.fem import ConvergenceError, bulk_modulus
from relaxdesign.guidance import SamplerStep, guided_sample
from relaxdesign.objectives import Objectives
from relaxdesign.prior.model import Prior, load_prior
from relaxdesign.projection import Projection, ProjectionError, project, project_to_single_material
from relaxdesign.refinement import (
    Realised,
    RefinementError,
    contrast,
    crowded,
    material_properties,
    mean_bulk,
    realise,
    refine,
    two_phase,
)
from relaxdesign.request import DesignRequest
from relaxdesign.result import Design, DesignResult, StageBulk

DEFAULT_PRIORS = {2: "composite-2d-64", 3: "composite-3d-32"}


class RequestError(ValueError):
    """A request that no design can meet; the text names the reachable interval or what to change."""


def reachable_bulk(catalogue: Catalogue, dim: int = 2) -> tuple[float, float]:
    """Smallest and largest effective bulk modulus (GPa) that pairs of these materials can reach.

    Raises RequestError when fewer than two materials are on offer.
    """
    try:
        return estimates.reachable_bulk(catalogue, dim)
    except ValueError as error:
        raise RequestError(str(error)) from None


def run(
    request: DesignRequest,
    *,
    catalogue: Catalogue | None = None,
    cancel: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Yields a StepEvent per denoising step, a DesignEvent per candidate and one FinishedEvent.

    catalogue: materials on offer before the request's own selection; None: the shipped one.
    cancel: asked between steps and between designs; when True the run ends early with what it has.
    Raises RequestError for a target that cannot be reached, PriorError for a prior that
    cannot be used, before any work.
    """
    begin, started = time.monotonic(), datetime.now(UTC)
    materials = _materials_on_offer(request, catalogue)
    prior = load_prior(request.prior or DEFAULT_PRIORS[request.dim])
    if prior.dim != request.dim:
        raise RequestError(f"the prior {prior.name} makes {prior.dim}D fields, the request asks for {request.dim}D")
    prior.offer(materials)

    iterations = 0
    last: SamplerStep | None = None
    cancelled = False
    generator = torch.Generator().manual_seed(request.seed)
    steps = guided_sample(
        prior,
        Objectives.from_request(request),
        request.count,
        steps=request.steps,
        settings=request.guidance,
        generator=generator,
    )
    for last in steps:
        event = _step_event(prior, request, last, time.monotonic() - begin)
        iterations += event.iterations
        yield event
        if cancel():
            cancelled = True
            break

    designs: list[Design] = []
    taken: set[tuple[int, int]] = set()
    if last is not None and last.index == request.steps:
        fields = dict(zip(last.alive.nonzero().flatten().tolist(), last.clean, strict=True))
        for index in range(request.count):
            if cancelled := cancelled or cancel():
                break
            if index in fields:
                # A generator per candidate: its design does not depend on how many others there are.
                own = torch.Generator().manual_seed(request.seed * 1_000_003 + index)
                design, spent = _finish_design(index, fields[index], request, prior, materials, taken, own)
                iterations += spent
            else:
                design = Design(index, request.target_bulk, StageBulk(), last.messages.get(index, "dropped"))
            designs.append(design)
            yield DesignEvent(design, len(designs), request.count, time.monotonic() - begin)

    yield FinishedEvent(
        DesignResult(
            request=request,
            designs=tuple(designs),
            status="cancelled" if cancelled else "finished",
            seconds=time.monotonic() - begin,
            prior=f"{prior.name} ({prior.card['sha256'][:12]})",
            solver_iterations=iterations,
            started=started,
            version=relaxdesign.__version__,
        )
    )


def design(request: DesignRequest, *, catalogue: Catalogue | None = None) -> DesignResult:
    """Runs a request to its end and returns the result."""
    for event in run(request, catalogue=catalogue):
        if isinstance(event, FinishedEvent):
            return event.result
    raise RuntimeError("the study ended without a result")


def _materials_on_offer(request: DesignRequest, catalogue: Catalogue | None) -> Catalogue:
    try:
        materials = (catalogue or Catalogue.default()).select(
            categories=request.categories, exclude=request.exclude, flagged=request.flagged
        )
    except ValueError as error:
        raise RequestError(str(error)) from None
    low, high = reachable_bulk(materials, request.dim)
    if not low <= request.target_bulk <= high:
        raise RequestError(
            f"a bulk modulus of {request.target_bulk:g} GPa is out of reach: particle composites of the materials "
            f"on offer lie between {low:.3g} and {high:.4g} GPa; change the target or offer other materials"
        )
    return materials


def _finish_design(
    index: int,
    field: Tensor,
    request: DesignRequest,
    prior: Prior,
    materials: Catalogue,
    taken: set[tuple[int, int]],
    generator: torch.Generator,
) -> tuple[Design, int]:
    """Projection, snapping, refinement and realisation of one sample; failures become the design's message."""
    target, dim, grid = request.target_bulk, request.dim, prior.grid
    stages: dict[str, float] = {}
    spent = 0

    properties = prior.decode(field[None].double())
    sample = np.stack([p[0].float().numpy() for p in (properties.young, properties.poisson, properties.density)])
    try:
        # K errs by the square of the residual; fields with elastomers beside ceramics would take very long for less.
        relaxed = bulk_modulus(properties.bulk, properties.shear, tol=1e-4)
        stages["relaxed"], spent = float(relaxed.value[0]), int(relaxed.iterations.sum())

        projection, remark = _project(field)
        values = torch.stack((projection.matrix, projection.particle))
        phases = prior.channels.decode(values, axis=-1)
        projected = [Properties(phases.bulk[i], phases.shear[i], phases.density[i]) for i in (0, 1)]
        nearest = materials.nearest(prior.channels, values)[1][:, 0]
        snapped = [material_properties(materials.materials[i]) for i in nearest]
        for stage, (matrix, particle) in (("projected", projected), ("snapped", snapped)):
            if projection.homogeneous:
                stages[stage] = float(matrix.bulk)
                continue
            bulk = mean_bulk(
                matrix, particle, projection.volume_fraction, projection.diameter, dim, grid, generator=generator
            )
            stages[stage] = bulk.mean
            spent += bulk.iterations

        refined = refine(
            projection,
            materials,
            prior.channels,
            target,
            dim,
            grid,
            density_weight=request.density_weight,
            taken=taken,
            generator=generator,
        )
        stages["refined"] = refined.bulk.mean
        spent += refined.iterations
        realised = realise(refined, materials, target, grid)
        stages["realised"] = realised.bulk
        spent += realised.iterations
    except (PackingError, RefinementError, ConvergenceError) as error:
        return Design(index, target, StageBulk(**stages), str(error), relaxed=sample), spent
    taken.add((refined.matrix, refined.particle))
    gap = grid * (realised.packing.largest_diameter() - realised.packing.diameter)
    if crowded(gap, contrast(materials.properties, refined.matrix, refined.particle)):
        near = f"particles come within {gap:.1f} voxels of each other: resolved more finely, this cell would be softer"
        remark = "; ".join(filter(None, (remark, near)))
    pair = materials.materials[refined.matrix], materials.materials[refined.particle]
    return _describe(index, target, StageBulk(**stages), remark, pair, realised, refined.bulk.deviation, sample), spent


def _project(field: Tensor) -> tuple[Projection, str]:
    """The projection and a remark: a sample without two phases counts as its mean material."""
    try:
        return project(field), ""
    except ProjectionError as error:
        return project_to_single_material(field), f"{error}; the design combines two materials near its mean"


def _describe(
    index: int,
    target: float,
    stages: StageBulk,
    remark: str,
    pair: tuple[Material, Material],
    realised: Realised,
    spread: float,
    sample: np.ndarray,
) -> Design:
    phase = realised.phase if realised.phase.ndim == 3 else realised.phase[..., None]
    matrix, particle = (material_properties(material) for material in pair)
    bounds = field_bounds(
        two_phase((matrix.bulk, particle.bulk), phase).numpy(), two_phase((matrix.shear, particle.shear), phase).numpy()
    )
    return Design(
        index=index,
        target_bulk=target,
        K=stages,
        message=remark,
        matrix=pair[0],
        particle=pair[1],
        volume_fraction=float(phase.double().mean()),
        diameter=realised.packing.diameter,
        spread=spread,
        density=float(two_phase((matrix.density, particle.density), phase).mean()),
        bounds=Bounds(*(float(getattr(bounds, name)) for name in Bounds.__dataclass_fields__)),
        iterations=int(realised.result.iterations[0]),
        residual=float(realised.result.residual[0]),
        phase=phase.to(torch.uint8).numpy(),
        relaxed=sample,
    )


def _step_event(prior: Prior, request: DesignRequest, step: SamplerStep, seconds: float) -> StepEvent:
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
        steps=request.steps,
        noise_level=step.noise_level,
        young=spread(properties.young),
        poisson=spread(properties.poisson),
        density=spread(properties.density),
        bulk=spread(evaluation.bulk if evaluation else nothing),
        mean_density=spread(evaluation.density if evaluation else nothing),
        losses={name: spread(loss) for name, loss in evaluation.losses.items()} if evaluation else {},
        messages=step.messages,
        iterations=evaluation.iterations if evaluation else 0,
        seconds=seconds,
    )
