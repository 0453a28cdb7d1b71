"""The ways to search for designs, all behind one interface: guided diffusion and what it is compared with.

Every method is a generator of `SamplerStep` whose last step holds one field per candidate; projection, refinement
and verification are the same for all. A *step* is one evaluation of every candidate, so equal ``steps`` are equal
budgets of simulations. The search methods handle discrete designs and hand over their voxel fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.prior.model import Prior
from relaxdesign.study.guidance import SamplerStep, guided_sample
from relaxdesign.study.objectives import Objectives
from relaxdesign.study.request import DesignRequest, Method

DESCRIPTIONS: dict[Method, str] = {
    "guided": "diffusion prior, steered by exact gradients while it denoises",
    "noise": "diffusion prior with few steps, its initial noise optimised by exact gradients",
    "best-of-n": "the best of many unguided samples of the prior",
    "conditional": "a prior trained to be told the bulk modulus (classifier-free guidance), no simulations",
    "gradient": "gradient descent on the relaxed field, without a prior",
    "random": "the best of many random designs",
    "pairs": "random pairs of materials, root finding in the volume fraction",
    "genetic": "genetic algorithm on materials, volume fraction and diameter",
    "cma-es": "covariance matrix adaptation on materials, volume fraction and diameter",
}

REVISIONS: dict[str, int] = dict.fromkeys(("noise", "gradient", "random", "pairs", "genetic", "cma-es"), 2)
"""Of how a method searches, 1 where none is given. Raised with each change that may change its designs, so that the
protocol does not take what was measured before for what the method does now."""


def revision(method: str) -> int:
    """See `REVISIONS`."""
    return REVISIONS.get(method, 1)


def check_method(request: DesignRequest) -> None:
    """Raises ValueError where the request's method cannot serve its targets, or not on this machine."""
    targets = " and ".join(str(target) for target in request.targets)
    if request.method == "pairs" and len(request.targets) > 1:
        raise ValueError(
            f"the method pairs finds the root of one target, got {targets}: drop all but one, or choose another method"
        )
    if request.method == "conditional" and (request.target_bulk is None or len(request.objectives) > 1):
        wanted = " and ".join(str(objective) for objective in request.objectives)
        raise ValueError(
            f"the method conditional can be told one value of K and nothing else, got {wanted}: ask for K = … alone, "
            "or choose another method"
        )
    if request.method in ("genetic", "cma-es") and find_spec("pymoo") is None:
        raise ValueError(
            f"the method {request.method} needs pymoo, which is not installed: "
            'pip install "relaxdesign[baselines]", or choose another method'
        )


def sampler_for(
    request: DesignRequest, prior: Prior, objectives: Objectives, materials: Catalogue
) -> Iterator[SamplerStep]:
    """The steps of the request's method. Raises ValueError for a method that cannot serve it, see `check_method`."""
    check_method(request)
    generator = torch.Generator().manual_seed(request.seed)
    arguments: dict[str, Any] = {"steps": request.steps, "generator": generator}
    match request.method:
        case "guided":
            from relaxdesign.study.start import start_field

            settings, start = request.guidance, start_field(request, prior)
            return guided_sample(prior, objectives, request.count, settings=settings, start=start, **arguments)
        case "noise":
            from relaxdesign.study.methods.noise_optimisation import optimise_noise

            return optimise_noise(prior, objectives, request.count, clip=request.guidance.clip, **arguments)
        case "best-of-n":
            from relaxdesign.study.methods.unguided import best_of_many

            return best_of_many(prior, objectives, request.count, **arguments)
        case "conditional":
            from relaxdesign.study.methods.unguided import conditional

            assert request.target_bulk is not None  # checked above
            arguments |= {"bulk": request.target_bulk, "sampler": request.guidance.sampler_at(request.steps)}
            return conditional(prior, objectives, request.count, **arguments)
        case "gradient":
            from relaxdesign.study.methods.gradient import descend

            return descend(prior, objectives, request.count, clip=request.guidance.clip, **arguments)
        case name:
            from relaxdesign.study.methods.discrete import search
            from relaxdesign.study.methods.searchers import searcher_for

            seeds = torch.randint(2**31, (request.count, 2), generator=generator).tolist()
            searchers = [searcher_for(name, materials, request, seed) for seed, _ in seeds]
            return search(prior, objectives, materials, searchers, [seed for _, seed in seeds], request.steps)
