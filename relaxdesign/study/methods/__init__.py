"""The ways to search for designs, all behind one interface: guided diffusion among equals.

Every method is a generator of `SamplerStep` whose last step holds one field per candidate; projection, refinement
and verification are the same for all. A *step* is one evaluation of every candidate, so equal ``steps`` are equal
budgets of simulations. The search methods handle discrete designs and hand over their voxel fields.

A new method is a module with a generator, an entry here, and its name in `relaxdesign.study.request.Method`. The entry
carries all that server and app need to know of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.prior.model import Prior
from relaxdesign.study.guidance import SamplerStep
from relaxdesign.study.methods import (
    gradient,
    guided,
    level_set,
    noise_optimisation,
    random_shapes,
    searchers,
    topology,
    unguided,
)
from relaxdesign.study.methods.base import Method, Task, serves_all
from relaxdesign.study.objectives import Objectives
from relaxdesign.study.request import DesignRequest


def _discrete(
    description: str, searcher: searchers.Make, refusal: Callable[[DesignRequest], str] = serves_all
) -> Method:
    """A search among discrete designs of two materials on offer."""
    return Method(description, searchers.search_with(searcher), refusal, discrete=True, shapes=False, revision=2)


METHODS: dict[str, Method] = {
    "guided": Method(
        "diffusion prior, steered by exact gradients while it denoises",
        guided.steps_of,
        passes=guided.passes,
        guidance=True,
    ),
    "noise": Method(
        "diffusion prior with few steps, its initial noise optimised by exact gradients",
        noise_optimisation.steps_of,
        passes=lambda _: noise_optimisation.PASSES,
        revision=2,
    ),
    "best-of-n": Method(
        "the best of many unguided samples of the prior",
        unguided.best_of_many_for,
        passes=lambda _: unguided.DENOISING_STEPS,
    ),
    "conditional": Method(
        "a prior trained to be told the bulk modulus (classifier-free guidance), no simulations",
        unguided.conditional_for,
        refusal=unguided.more_than_a_bulk_modulus,
        prior_suffix="-conditional",
        passes=lambda _: 1,
        simulates=False,
        shapes=False,
    ),
    "gradient": Method("gradient descent on the relaxed field, without a prior", gradient.steps_of, revision=2),
    "topology": Method(
        "topology optimisation by density from random fields, without a prior", topology.steps_of, topology.refusal
    ),
    "level-set": Method(
        "level-set descent by shape derivatives from random fields, without a prior",
        level_set.steps_of,
        level_set.refusal,
    ),
    "random": Method(
        "the best of many random designs",
        random_shapes.shapes_or(searchers.search_with(searchers.RandomSearch)),
        discrete=True,
        revision=2,
    ),
    "pairs": _discrete(
        "random pairs of materials, root finding in the volume fraction",
        searchers.PairSearch,
        searchers.more_than_one_target,
    ),
    "genetic": _discrete(
        "genetic algorithm on materials, volume fraction and size of inclusions",
        searchers.GeneticSearch,
        searchers.no_pymoo,
    ),
    "cma-es": _discrete(
        "covariance matrix adaptation on materials, volume fraction and size of inclusions",
        searchers.CmaSearch,
        searchers.no_pymoo,
    ),
}
"""By the name that requests call them by, in the order in which they are offered."""


def check_method(request: DesignRequest) -> None:
    """Raises ValueError where the request's method cannot serve it, or not on this machine."""
    method = METHODS[request.method]
    if request.phases and not method.shapes:
        able = ", ".join(name for name, other in METHODS.items() if other.shapes)
        raise ValueError(f"the method {request.method} does not search among shapes of given phases; these do: {able}")
    if refusal := method.refusal(request):
        raise ValueError(refusal)


def sampler_for(
    request: DesignRequest, prior: Prior, objectives: Objectives, materials: Catalogue
) -> Iterator[SamplerStep]:
    """The steps of the request's method. Raises ValueError for a method that cannot serve it, see `check_method`."""
    check_method(request)
    generator = torch.Generator().manual_seed(request.seed)
    return METHODS[request.method].search(Task(request, prior, objectives, materials, generator))
