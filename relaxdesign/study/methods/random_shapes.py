"""The best of many random shapes of given phases, as the generators draw them that the priors learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from relaxdesign.microstructure.free_form.generators import GENERATORS, draw_shapes, one_piece
from relaxdesign.microstructure.symmetry import Symmetry
from relaxdesign.study.guidance import SamplerStep
from relaxdesign.study.methods.base import Task
from relaxdesign.study.methods.keeping import BestDesigns
from relaxdesign.study.refinement.solid import solid_of

_MOST_DRAWS = 30  # until a network is one piece with the symmetry that is asked for as well

Search = Callable[[Task], Iterator[SamplerStep]]


def shapes_or(others: Search) -> Search:
    """The search among random shapes where phases are given, else another one."""
    return lambda task: (steps_of if task.request.phases else others)(task)


def steps_of(task: Task) -> Iterator[SamplerStep]:
    """``request.steps`` - 1 random cells per candidate, each simulated once; the best of each candidate's own is kept.

    A cell that cannot be drawn or simulated is passed over; a candidate of which all fail is dropped with a message.
    """
    request, prior, objectives = task.request, task.prior, task.objectives
    seeds = torch.randint(2**31, (request.count,), generator=task.generator).tolist()
    drawing = _Drawing.for_task(task)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    kept = BestDesigns.of(request.count, prior)
    for index in range(1, request.steps):
        shown, undrawn = kept.fields.clone(), {}
        for i, generator in enumerate(generators):
            try:
                shown[i] = drawing.field(generator)
            except RuntimeError as error:
                undrawn[i] = str(error)
        evaluation = objectives.evaluate(prior, shown, unrelated=True)
        failed, losses = undrawn | evaluation.messages, objectives.losses(evaluation)
        losses[list(failed)] = torch.inf
        kept.offer(shown, losses, failed)
        everyone = torch.ones(request.count, dtype=torch.bool)
        yield SamplerStep(index, request.steps, 1 - index / request.steps, shown, evaluation, everyone, {})
    yield kept.last_step(prior, objectives, request.steps)


@dataclass(frozen=True)
class _Drawing:
    """Draws cells of kinds at random.

    kinds: of the generators. solid_first: whether the first of the phases is the solid beside a void, the second of
    which else is phase 1 of the generators. parting: kinds that part the second and third of three phases; of two none.
    """

    kinds: tuple[str, ...]
    parting: tuple[str, ...]
    grid: int
    symmetry: Symmetry
    solid_first: bool

    @staticmethod
    def for_task(task: Task) -> _Drawing:
        """Of the kind that is requested, or of all; beside a void of networks alone."""
        request, void = task.request, task.materials.has_void
        known = {name: kind for name, kind in GENERATORS.items() if request.dim in kind.dims}
        usual = (name for name, kind in known.items() if kind.network or not void)
        kinds = (request.shape,) if request.shape else tuple(usual)
        parting = tuple(known) if len(request.phases) > 2 else ()
        solid_first = solid_of(task.materials.materials) == 0
        return _Drawing(kinds, parting, task.prior.grid, Symmetry(request.symmetry, request.dim), solid_first)

    def field(self, generator: torch.Generator) -> Tensor:
        """A field (1, *grid), -1 in the first phase and 1 in the second; of three phases one of each channel.

        Raises RuntimeError for cells in pieces.
        """
        fields = []
        for kinds in filter(None, (self.kinds, self.parting)):
            kind = kinds[int(torch.randint(len(kinds), (), generator=generator))]
            fields.append(2.0 * self._cell(kind, generator).float() - 1.0)
        field = torch.stack(fields)
        return -field if self.solid_first else field

    def _cell(self, kind: str, generator: torch.Generator) -> Tensor:
        """Symmetric, bool (*grid): in every voxel the phase of the first one of its orbit."""
        for _ in range(_MOST_DRAWS):
            drawn = draw_shapes(kind, 1, self.grid, self.symmetry.dim, generator)[0]
            if self.symmetry.name == "none":
                return drawn
            copied = self.symmetry.copied(drawn)
            cell = one_piece(copied) if GENERATORS[kind].network else copied
            if cell is not None:
                return cell
        raise RuntimeError(f"hardly any cell of the kind {kind} is one piece with {self.symmetry.name} symmetry")
