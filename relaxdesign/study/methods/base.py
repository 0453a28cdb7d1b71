"""The input of a search method, `Task`, and its entry in the registry, `Method`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.prior.model import Prior
from relaxdesign.study.guidance import SamplerStep
from relaxdesign.study.objectives import Objectives
from relaxdesign.study.request import DesignRequest


@dataclass(frozen=True, eq=False)
class Task:
    """One search: ``request.count`` candidates in ``request.steps`` steps.

    materials: on offer. generator: of everything random; seeded by the request.
    """

    request: DesignRequest
    prior: Prior
    objectives: Objectives
    materials: Catalogue
    generator: torch.Generator


def serves_all(request: DesignRequest) -> str:
    """The check of a method that can serve every request."""
    return ""


@dataclass(frozen=True)
class Method:
    """A way to search for designs.

    description: for people, one line. search: gives the steps of a task; the last one holds one field per candidate.
    refusal: gives the reason why the method cannot serve a request, or not on this machine; empty if it can.
    prior_suffix: ending of the name of the shipped prior that it needs, by the dimension.
    passes: counts the passes of the prior's network per step and candidate; None: the method needs no network.
    simulates: whether every step solves the fields of all candidates.
    discrete: whether the fields of its steps are cells of two materials; else any material may be in every voxel.
    shapes: whether it searches among shapes of given phases.
    guidance: whether the settings of the guidance steer it.
    revision: of how the method searches. Each change that may change its designs raises the number, so that the
    protocol measures the method again.
    """

    description: str
    search: Callable[[Task], Iterator[SamplerStep]]
    refusal: Callable[[DesignRequest], str] = serves_all
    prior_suffix: str = ""
    passes: Callable[[DesignRequest], int] | None = None
    simulates: bool = True
    discrete: bool = False
    shapes: bool = True
    guidance: bool = False
    revision: int = 1

    @property
    def denoises(self) -> bool:
        """Whether its steps remove noise from samples of the prior."""
        return self.passes is not None
