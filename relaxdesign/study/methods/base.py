"""What every way to search for designs is given, and what it says of itself."""

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
    refusal: why the method cannot serve a request, or not on this machine; empty if it can.
    prior_suffix: ending of the name of the shipped prior that it needs, by the dimension.
    revision: of how the method searches. Raised with each change that may change its designs, so that the protocol does
    not take what was measured before for what the method does now.
    """

    description: str
    search: Callable[[Task], Iterator[SamplerStep]]
    refusal: Callable[[DesignRequest], str] = serves_all
    prior_suffix: str = ""
    revision: int = 1
