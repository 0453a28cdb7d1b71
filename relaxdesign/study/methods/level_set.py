"""Level-set descent of shapes of two given phases, without a prior.

The classical method (Allaire, Jouve & Toader 2004, doi:10.1016/j.jcp.2003.09.032): from the level set of a random
field, one per candidate, shape derivatives of the targets move the interface, in Gauss–Newton steps (`Interface`) that
are taken where the distance from all targets becomes less and shortened where it does not. Necks and gaps that are
thinner than refinement makes them are held, without which many descents end where the solid would fall apart. New holes
do not arise. What is to be small or large is left to refinement.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from relaxdesign.microstructure.free_form import FREE_FORM
from relaxdesign.study.guidance import SamplerStep
from relaxdesign.study.methods.base import Task
from relaxdesign.study.methods.staged import in_stages, no_phases, random_field
from relaxdesign.study.refinement.given_phases import WIDTH
from relaxdesign.study.refinement.interface import Interface, Level
from relaxdesign.study.refinement.making import Making
from relaxdesign.study.refinement.outcome import RefinementError
from relaxdesign.study.refinement.solid import check_endless, solid_of
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.simulation import Simulation

_STAGE = 6  # evaluations after which the level set is made a distance again
_USUAL = 0.5  # solid fraction to begin with where none is asked for
_MORE = 0.05  # what is added to it until the solid hangs together


def refusal(request: DesignRequest) -> str:
    """Why the method cannot serve a request; empty if it can."""
    if len(request.phases) > 2:
        return "the method level-set moves one interface, between two phases: choose topology or guided for three"
    return no_phases(request)


def steps_of(task: Task) -> Iterator[SamplerStep]:
    """The fields after every stage of the descent, see `in_stages`."""
    request, prior, materials = task.request, task.prior, task.materials.materials
    simulation = Simulation.for_request(request, prior.grid, void=task.materials.has_void)
    solid = solid_of(materials)
    making = Making(solid, request.open_voids, simulation.symmetry)

    def shares_of(level: Level) -> NDArray[np.float64]:
        return FREE_FORM.geometry(level).shares(prior.grid).numpy()

    def admitted(level: Level) -> Level:
        level = making.admitted(level)
        check_endless(shares_of(level) - 0.5, solid)  # as it is handed over
        return level

    interface = Interface(FREE_FORM, materials, simulation, width=WIDTH[request.dim], admitted=admitted)
    wanted = _solid_fraction(request)
    fields = [random_field(prior.field_shape[1:], simulation.symmetry, task.generator) for _ in range(request.count)]
    levels = [_start(field, wanted, solid) for field in fields]
    stages = max(1, request.steps // _STAGE)
    ends = [request.steps * stage // stages for stage in range(stages + 1)]

    def advance(index: int, stage: int, evaluations: int) -> NDArray[np.float64]:
        shares = shares_of(interface.shifted(levels[index], evaluations - 1)[1])
        levels[index] = FREE_FORM.level_set(shares)
        return shares

    return in_stages(task, simulation, advance, np.diff(ends).tolist())


def _solid_fraction(request: DesignRequest) -> float:
    """To begin with."""
    asked = [target.nearest(_USUAL) for target in request.targets if target.quantity == "solid"]
    return float(np.clip(asked[0] if asked else _USUAL, *FREE_FORM.shares))


def _start(field: NDArray[np.float64], wanted: float, solid: int | None) -> Level:
    """The level set of a field at a solid fraction, or at as much more as it takes for the solid to hang together."""
    ordered = np.sort(field, axis=None)
    level = field
    for fraction in np.arange(wanted, 1.0, _MORE):
        share = 1.0 - fraction if solid == 0 else fraction
        level = FREE_FORM.level_set(field > ordered[int((1.0 - share) * (field.size - 1))])
        try:
            check_endless(level, solid)
        except RefinementError:
            continue
        break
    return level
