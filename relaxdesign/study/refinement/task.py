"""The input of refinement, `Task`, and functions that all refinements share."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from relaxdesign.materials.catalogue import Catalogue, Material
from relaxdesign.materials.channels import Channels
from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import Fit
from relaxdesign.study.family import with_third
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.simulation import Simulation

T = TypeVar("T")

Stage = tuple[str, dict[str, float]]
"""A name of `relaxdesign.study.result.STAGES`, and the quantities there."""


@dataclass(frozen=True, eq=False)
class Task:
    """One sample to refine.

    materials: on offer. taken: pairs that other designs of the result use. generator: of its placements.
    """

    request: DesignRequest
    materials: Catalogue
    channels: Channels
    simulation: Simulation
    taken: Collection[tuple[int, ...]]
    generator: torch.Generator

    def materials_of(self, pair: Sequence[int]) -> tuple[Material, ...]:
        """Of all phases by label, from the two that were chosen."""
        chosen = [self.materials.materials[index] for index in pair]
        return with_third(chosen, FAMILIES[self.request.family], self.materials.third)

    def nearest(self, fit: Fit) -> tuple[int, ...]:
        """Indices of the materials of a sample's phases: of given ones themselves, else the `nearest_pair`."""
        return tuple(range(len(self.request.phases))) or self.nearest_pair(fit)

    def nearest_pair(self, fit: Fit) -> tuple[int, int]:
        """Indices of the materials nearest to the phases' channel values; without refinement, of those not taken."""
        points = self.channels.encode(self.materials.properties, axis=-1)
        far = [(points - values).square().sum(1) for values in fit.phases]
        cost = far[0][:, None] + far[1][None, :]
        cost[torch.from_numpy(self.materials.forbidden)] = torch.inf
        for pair in () if self.request.refine else self.taken:
            cost[pair] = torch.inf
        nearest = divmod(int(cost.argmin()), len(points))
        return nearest[0], nearest[1]

    def kept(self, values: Mapping[str, float]) -> dict[str, float]:
        """The values that a stage records."""
        names = {"K", "density", *(objective.quantity for objective in self.request.objectives)}
        return {name: values[name] for name in sorted(names) if name in values}


def collect(steps: Generator[Stage, None, T], stages: dict[str, dict[str, float]]) -> T:
    """Runs the steps to their end and returns what they come to; the stages on the way are kept, if it fails too."""
    while True:
        try:
            stage, values = next(steps)
        except StopIteration as end:
            return end.value
        stages[stage] = values
