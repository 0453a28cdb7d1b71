"""Refinement and realisation: a design is moved onto its targets with real materials.

How depends on what its family knows of itself: inclusions are placed anew and their volume fraction varied (`placed`),
of a shape the interface is moved (`shape`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from relaxdesign.microstructure.base import Family, Fit, Inclusions, Shape
from relaxdesign.study.refinement.outcome import Realised, RefinementError
from relaxdesign.study.refinement.placed import design_inclusions
from relaxdesign.study.refinement.shape import design_shape
from relaxdesign.study.refinement.task import Stage, Task, collect
from relaxdesign.study.selection import PairTable

__all__ = ["Realised", "RefinementError", "Stage", "Task", "collect", "refine_sample"]


def refine_sample(
    task: Task, family: Family, fit: Fit, table: Callable[[Inclusions], PairTable]
) -> Generator[Stage, None, Realised]:
    """Takes a sample that was read as a cell of the family to a verified one, yielding the stages on the way.

    table: gives the estimates for all pairs, of a family that has them.
    """
    if isinstance(family, Inclusions):
        return (yield from design_inclusions(task, family, fit, table(family)))
    if isinstance(family, Shape):
        return (yield from design_shape(task, family, fit))
    raise TypeError(f"the family {family.name} neither places inclusions nor has a shape")
