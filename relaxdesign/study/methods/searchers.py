"""Searchers for one discrete design each: random, pairs with root finding, genetic, CMA-ES."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import AsinhChannels
from relaxdesign.microstructure.base import Inclusions
from relaxdesign.study.guidance import SamplerStep
from relaxdesign.study.methods.base import Task
from relaxdesign.study.methods.discrete import DiscreteDesign, Encoding, Searcher, search, searched_family
from relaxdesign.study.request import DesignRequest


class _Drawing:
    """Random designs as the prior's training data draws them."""

    def __init__(self, materials: Catalogue, family: Inclusions, seed: int):
        self.materials, self.family = materials, family
        self.random = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(seed)

    def draw(self) -> DiscreteDesign:
        pair = self.materials.draw_pair(generator=self.generator)
        limits = self.family.share.range, self.family.size.range
        share, size = (float(self.random.uniform(*ends)) for ends in limits)
        return DiscreteDesign(pair, share, size)


class RandomSearch(_Drawing):
    """Every proposal anew."""

    def ask(self) -> DiscreteDesign:
        return self.draw()

    def tell(self, design: DiscreteDesign, loss: float, residual: float) -> None:
        """Nothing is learnt."""


class PairSearch(_Drawing):
    """Draws random pairs and solves for the volume fraction of those whose limits bracket the target.

    The solver is the Illinois method (Dowell & Jarratt 1971, doi:10.1007/BF01934364). A pair that does not bracket the
    target, or that has met it, is followed by a new one.
    """

    _CLOSE = 2e-3

    def __init__(self, materials: Catalogue, family: Inclusions, seed: int):
        super().__init__(materials, family, seed)
        self._begin()

    def _begin(self) -> None:
        self.pair = self.draw()
        self.ends: list[tuple[float, float]] = []
        self.last_side = 0

    def ask(self) -> DiscreteDesign:
        share = self.family.share.range[len(self.ends)] if len(self.ends) < 2 else self._secant()
        return replace(self.pair, share=share)

    def tell(self, design: DiscreteDesign, loss: float, residual: float) -> None:
        if np.isnan(residual):  # the design failed: so may the pair's others
            self._begin()
            return
        if len(self.ends) < 2:
            self.ends.append((design.share, residual))
            if len(self.ends) == 2 and self.ends[0][1] * self.ends[1][1] >= 0:
                self._begin()
            return
        if abs(residual) < self._CLOSE or abs(self.ends[1][0] - self.ends[0][0]) < 1e-3:
            self._begin()
            return
        side = 0 if residual * self.ends[0][1] > 0 else 1
        other_vf, other = self.ends[1 - side]
        self.ends[side] = design.share, residual
        if side == self.last_side:
            self.ends[1 - side] = other_vf, other / 2
        self.last_side = side

    def _secant(self) -> float:
        (a, ra), (b, rb) = self.ends
        return min(max(a - ra * (b - a) / (rb - ra), min(a, b)), max(a, b))


class GeneticSearch:
    """pymoo's genetic algorithm (simulated binary crossover, polynomial mutation) on the encoded design."""

    POPULATION = 10

    def __init__(self, materials: Catalogue, family: Inclusions, seed: int):
        from pymoo.algorithms.soo.nonconvex.ga import GA
        from pymoo.core.problem import Problem

        encoding = Encoding.of(materials, AsinhChannels(), family)
        drawing = _Drawing(materials, family, seed)
        start = np.stack([encoding.encode(drawing.draw()) for _ in range(self.POPULATION)])
        self.encoding = encoding
        # pymoo takes an array here, which its annotation does not say.
        self.algorithm = GA(pop_size=self.POPULATION, sampling=start)  # type: ignore[arg-type]
        problem = Problem(n_var=Encoding.SIZE, n_obj=1, xl=0.0, xu=1.0)
        self.algorithm.setup(problem, termination=("n_gen", 10**6), seed=seed, verbose=False)
        self.waiting: list = []
        self.told: list = []

    def ask(self) -> DiscreteDesign:
        if not self.waiting:
            population = self.algorithm.ask()
            assert population is not None
            self.population = population
            self.waiting = list(self.population)
            self.told = []
        return self.encoding.decode(self.waiting[0].X)

    def tell(self, design: DiscreteDesign, loss: float, residual: float) -> None:
        self.waiting.pop(0)
        self.told.append([loss])
        if not self.waiting:
            self.population.set("F", np.array(self.told))
            for individual in self.population:
                individual.evaluated.add("F")
            self.algorithm.tell(infills=self.population)


class CmaSearch:
    """CMA-ES with rank-μ update (Hansen 2016, arXiv 1604.00772) on the encoded design, from a random one."""

    def __init__(self, materials: Catalogue, family: Inclusions, seed: int):
        import cma

        self.encoding = Encoding.of(materials, AsinhChannels(), family)
        start = self.encoding.encode(_Drawing(materials, family, seed).draw())
        options = {"bounds": [0.0, 1.0], "seed": seed % (2**31) + 1, "verbose": -9}
        self.strategy = cma.CMAEvolutionStrategy(start, 0.15, options)
        self.waiting: list[np.ndarray] = []

    def ask(self) -> DiscreteDesign:
        if not self.waiting:
            self.points = self.strategy.ask()
            self.waiting, self.losses = list(self.points), []
        return self.encoding.decode(self.waiting[0])

    def tell(self, design: DiscreteDesign, loss: float, residual: float) -> None:
        self.waiting.pop(0)
        self.losses.append(loss)
        if not self.waiting:
            self.strategy.tell(self.points, self.losses)


Make = Callable[[Catalogue, Inclusions, int], Searcher]
"""Makes a searcher among the materials on offer and the cells of a family, with a seed."""


def search_with(make: Make) -> Callable[[Task], Iterator[SamplerStep]]:
    """The search of a method that looks for one discrete design at a time."""

    def steps_of(task: Task) -> Iterator[SamplerStep]:
        request = task.request
        seeds = torch.randint(2**31, (request.count, 2), generator=task.generator).tolist()
        family = searched_family(request.family, request.dim, task.materials)
        found = [make(task.materials, family, seed) for seed, _ in seeds]
        placed = [seed for _, seed in seeds]
        return search(task.prior, task.objectives, task.materials, family, found, placed, request.steps)

    return steps_of


def more_than_one_target(request: DesignRequest) -> str:
    """Why root finding cannot serve the request; empty if it can."""
    if len(request.targets) == 1:
        return ""
    targets = " and ".join(str(target) for target in request.targets)
    return f"the method pairs finds the root of one target, got {targets}: drop all but one, or choose another method"


def no_pymoo(request: DesignRequest) -> str:
    """Why the search cannot run on this machine; empty if it can."""
    if find_spec("pymoo") is not None:
        return ""
    return (
        f"the method {request.method} needs pymoo, which is not installed: "
        'pip install "relaxdesign[baselines]", or choose another method'
    )
