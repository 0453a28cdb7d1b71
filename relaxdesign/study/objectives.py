"""What a field is steered towards: the objectives of a request, linearised at a relaxed field.

A *target* has a residual r, the distance of the quantity's coordinate from its interval: ln K − ln K*, zero inside.
A *minimised* (or maximised) quantity has a rate: how much of it, relatively, one step tries to take away. Both come
with the gradient of the coordinate in channel space.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import Channels, PhaseChannels, Properties, ThreePhaseChannels
from relaxdesign.microstructure.symmetry import NO_SYMMETRY, Symmetry
from relaxdesign.physics.composite_voxels import own_means
from relaxdesign.physics.evaluator import Evaluator
from relaxdesign.physics.fem.outcome import SMALLEST_TOLERANCE
from relaxdesign.physics.quantities import COEFFICIENTS, PHYSICS, QUANTITIES, coefficients_of
from relaxdesign.prior.model import Prior
from relaxdesign.study.merit import extreme_cost
from relaxdesign.study.objective import Objective, extremes_of, targets_of
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.symmetry import steered
from relaxdesign.study.tuning import TUNING

_GUIDANCE_ITERATIONS = 400
_FINISHED_ITERATIONS = 4000


def finished_tolerance(softness: float) -> float:
    """Relative residual at which K of a finished field errs by less than about 0.1 %.

    softness: K divided by its Voigt average. The error of K is the square of the residual times the Voigt average. The
    K of a foam with ceramic grains is 1/20,000 of its Voigt average; there a residual of 1e-4 left an error of 3 %.
    """
    return min(1e-4, 1e-3 * math.sqrt(softness))


@dataclass(frozen=True)
class Linearisation:
    """Objectives and their first-order behaviour at fields x̂_0 of the candidates still alive.

    target_residual: (batch, targets); target_gradient: (batch, targets, *field); target_weight: (targets,).
    minimise_rate, minimise_gradient: likewise for quantities to minimise (of maximised ones the negative gradient).
    """

    target_residual: Tensor
    target_gradient: Tensor
    target_weight: Tensor
    minimise_rate: Tensor
    minimise_gradient: Tensor

    def select(self, keep: Tensor) -> Linearisation:
        """That of the samples in ``keep``."""
        batched = ("target_residual", "target_gradient", "minimise_rate", "minimise_gradient")
        return replace(self, **{name: getattr(self, name)[keep] for name in batched})


@dataclass(frozen=True)
class Evaluation:
    """Objectives at a batch of fields. Failed samples have NaN values, residuals and gradients of zero, and a message.

    values: effective quantities by name, (batch,). losses: dimensionless, per objective (batch,).
    """

    properties: Properties
    values: dict[str, Tensor]
    losses: dict[str, Tensor]
    linearisation: Linearisation
    messages: dict[int, str]

    @property
    def bulk(self) -> Tensor:
        """Effective bulk modulus, GPa (batch,); NaN where no solve was made."""
        return self.values["K"]

    @property
    def density(self) -> Tensor:
        """g/cm³ (batch,)."""
        return self.values["density"]

    def select(self, keep: Tensor) -> Evaluation:
        """The evaluation of the samples in ``keep`` (batch,) bool only, without the others' messages."""
        return replace(
            self,
            properties=self.properties.map(lambda values: values[keep]),
            values={name: value[keep] for name, value in self.values.items()},
            losses={name: loss[keep] for name, loss in self.losses.items()},
            linearisation=self.linearisation.select(keep),
            messages={},
        )


def with_thickness(field: Tensor) -> Tensor:
    """Fields (batch, *grid) with three axes in the grid: 2D ones become one voxel thick."""
    return field if field.ndim == 4 else field[..., None]


class PropertyLookup:
    """Predicts a coefficient of a material, which is not among the channels, from the channels.

    The predictor is a kernel regression over the materials that have the coefficient (Nadaraya 1964,
    doi:10.1137/1109020), of its logarithm if it is positive. It serves relaxed fields only; designs use the materials'
    own values.
    """

    _BANDWIDTH = 0.05  # channel units: neighbouring materials blend

    def __init__(self, catalogue: Catalogue, channels: Channels, name: str):
        known = [i for i, material in enumerate(catalogue.materials) if getattr(material, name) is not None]
        values = [float(getattr(catalogue.materials[i], name)) for i in known]
        self.positive = COEFFICIENTS[name].positive
        self.points = channels.encode(catalogue.properties, axis=-1)[known].float()
        self.values = torch.tensor(values).log() if self.positive else torch.tensor(values)

    def __call__(self, clean: Tensor) -> Tensor:
        """Values (batch, nx, ny, nz) of fields (batch, channels, *grid)."""
        voxels = clean.movedim(1, -1).float()
        distance = voxels.square().sum(-1, keepdim=True) + self.points.square().sum(-1) - 2 * voxels @ self.points.T
        mean = (-distance / (2 * self._BANDWIDTH**2)).softmax(-1) @ self.values
        value = (mean.exp() if self.positive else mean).to(clean.dtype)
        return with_thickness(value)


Lookup = Callable[[Tensor], Tensor]
"""A coefficient (batch, nx, ny, nz) of fields (batch, channels, *grid)."""


def lookup_of(catalogue: Catalogue, channels: Channels, name: str) -> Lookup:
    """Of a coefficient that channels do not hold: exact between given phases, else predicted."""
    if isinstance(channels, PhaseChannels):
        between = channels.of(catalogue.materials)
        return _between(between, name) if isinstance(between, ThreePhaseChannels) else _between_phases(between, name)
    return PropertyLookup(catalogue, channels, name)


def _between_phases(between: PhaseChannels, name: str) -> Lookup:
    """As `lookup_of`, between the two phases of a channel; what follows from other coefficients does so here, too."""
    assert between.materials is not None
    owner = next(p for p in PHYSICS.values() if name in (c.name for c in p.coefficients))
    if owner.composite is own_means:
        return lambda clean: with_thickness(between.coefficient(name, _share(clean)))
    first, second = (
        {
            c.name: float(between.coefficient(c.name, torch.tensor(end)) if c.positive else getattr(material, c.name))
            for c in owner.coefficients
        }
        for end, material in zip((0.0, 1.0), between.materials, strict=True)
    )

    def following(clean: Tensor) -> Tensor:
        held = {key: with_thickness(values) for key, values in between.decode(clean).as_fields().items()}
        return owner.composite(first, second, with_thickness(_share(clean)), clean.ndim - 2, held, ())[name]

    return following


def _between(between: ThreePhaseChannels, name: str) -> Lookup:
    """As `lookup_of`, between the three phases of two channels: of the last two first, then between the first and that.

    name: of a coefficient that no physics but its own gives.
    """
    owner = next(p for p in PHYSICS.values() if name in (c.name for c in p.coefficients))
    others, nothing = between.others, torch.zeros(())
    if owner.composite is own_means:
        return lambda clean: with_thickness(between.blend(name, _share(clean), _share(clean[:, 1:])))
    single, of_others = between.all_materials[0], _between_phases(others, name)
    first = {
        c.name: float(between.blend(c.name, nothing, nothing) if c.positive else getattr(single, c.name))
        for c in owner.coefficients
    }

    def following(clean: Tensor) -> Tensor:
        inner = clean[:, 1:]
        held, second = (
            {key: with_thickness(values) for key, values in each.decode(part).as_fields().items()}
            for each, part in ((between, clean), (others, inner))
        )
        second[name] = of_others(inner)
        return owner.composite(first, second, with_thickness(_share(clean)), clean.ndim - 2, held, ())[name]

    return following


def _share(clean: Tensor) -> Tensor:
    """Of the second phase, 0 to 1, in fields (batch, 1, *grid); of three, what the first of two channels tells."""
    return (clean[:, 0].clamp(-1, 1) + 1) / 2


@dataclass
class Objectives:
    """The objectives of a request at relaxed fields. Keeps the last displacements as warm start.

    tolerance: √ of the relative error of K in solves that steer; finished fields are solved to
    `finished_tolerance`.
    reuse: number of evaluations in a row that share one solve; those after the first predict residuals to first order.
    lookups: of the coefficients that channels do not hold, by name.
    symmetry: of the fields, which solves keep to their tolerance only; gradients have it exactly.
    load_cases, iterations: linear systems solved so far, and the conjugate gradient iterations they took.
    """

    objectives: Sequence[Objective]
    boundary: str = "periodic"
    tolerance: float = 1e-2
    reuse: int = 1
    lookups: dict[str, Lookup] = field(default_factory=dict, repr=False)
    symmetry: Symmetry = NO_SYMMETRY
    load_cases: int = 0
    iterations: int = 0
    _displacement: Tensor | None = field(default=None, repr=False)
    _last: _Solved | None = field(default=None, repr=False)
    _softness: float = 1.0

    def __post_init__(self) -> None:
        self.targets, self.extremes = targets_of(self.objectives), extremes_of(self.objectives)
        names = {"K", *(objective.quantity for objective in self.objectives)}
        self.evaluator = Evaluator(names, self.boundary, max_iterations=_GUIDANCE_ITERATIONS)

    @staticmethod
    def from_request(request: DesignRequest, catalogue: Catalogue, channels: Channels) -> Objectives:
        """catalogue: the materials on offer, for coefficients that the channels do not hold."""
        needed = coefficients_of(objective.quantity for objective in request.objectives)
        lookups = {name: lookup_of(catalogue, channels, name) for name in needed if name not in channels.coefficients}
        settings = request.guidance
        symmetry = Symmetry(request.symmetry, request.dim)
        objectives = steered(request.objectives, request.symmetry, request.dim)
        return Objectives(objectives, request.boundary, settings.tolerance, settings.reuse, lookups, symmetry)

    def evaluate(self, prior: Prior, clean: Tensor, *, finished: bool = False, unrelated: bool = False) -> Evaluation:
        """Values, losses and gradients at fields (batch, channels, *grid).

        finished: no evaluation follows, so the fields are solved accurately, whatever may be reused.
        unrelated: the fields have nothing in common with the last ones, so no solve of those predicts them.
        """
        if not (finished or unrelated) and self._last is not None and self._last.used < self.reuse:
            return self._predict(prior, clean, self._last)
        clean = clean.detach().requires_grad_()
        with torch.enable_grad():
            properties = prior.decode(clean)
            effective = self._evaluator_for(finished, clean.dtype)(
                properties.as_fields() | {name: lookup(clean) for name, lookup in self.lookups.items()},
                initial=self._displacement,
                raise_on_failure=False,
            )
            coordinates = [o.coordinate(effective.values[o.quantity]) for o in self._ordered]
            gradients = [torch.autograd.grad(u.sum(), clean, retain_graph=True)[0] for u in coordinates]
        self._displacement = effective.displacement.detach()
        relative = effective.values["K"].detach() / properties.bulk.detach().flatten(1).mean(1)
        self._softness = float(relative.nan_to_num(1.0).clamp(1e-6, 1.0).min())
        self.iterations += int(effective.iterations.sum())
        self.load_cases += effective.load_cases * len(clean)
        solved = _Solved(
            clean.detach(),
            torch.stack([u.detach() for u in coordinates], 1),
            self.symmetry.averaged(torch.stack(gradients, 1).nan_to_num(0.0)),
        )
        self._last = solved if self.reuse > 1 else None
        values = {name: value.detach() for name, value in effective.values.items()}
        return self._evaluation(properties, values, solved.coordinates, solved.gradients, effective.messages)

    def losses(self, evaluation: Evaluation) -> Tensor:
        """One number per candidate, lower is better, ∞ where it failed: for searches that compare designs.

        The weighted squares of the misses and the cost of what is to be small or large (`relaxdesign.study.merit`).
        evaluation: of fields that were solved.
        """
        weights, residual = evaluation.linearisation.target_weight, evaluation.linearisation.target_residual
        cost = extreme_cost(self.extremes, lambda name: QUANTITIES[name].coordinate(evaluation.values[name]))
        loss = (weights * residual.square()).sum(1) + cost
        loss[list(evaluation.messages)] = torch.inf
        return loss.nan_to_num(torch.inf, posinf=torch.inf)

    def unevaluated(self, prior: Prior, clean: Tensor) -> Evaluation:
        """What can be said of fields without a solve: no residuals, no gradients, moduli NaN."""
        nothing = clean.new_zeros(len(clean), len(self.objectives), *clean.shape[1:])
        return self._evaluation(prior.decode(clean), self._unsolved(prior, clean), None, nothing)

    def keep(self, alive: Tensor) -> None:
        """Drops the warm start of candidates that were dropped. alive: (batch,) bool."""
        if self._displacement is not None:
            self._displacement = self._displacement[alive]
        if self._last is not None:
            last = self._last
            self._last = _Solved(last.clean[alive], last.coordinates[alive], last.gradients[alive], last.used)

    def _evaluator_for(self, finished: bool, dtype: torch.dtype) -> Evaluator:
        """The evaluator, with the tolerance that the softest candidate needs or the type's smallest."""
        tolerance = self.tolerance * math.sqrt(max(self._softness, 1e-4))
        if finished:
            tolerance = min(tolerance, finished_tolerance(self._softness))
        iterations = _FINISHED_ITERATIONS if finished else self.evaluator.max_iterations
        tolerance = max(tolerance, SMALLEST_TOLERANCE[dtype])
        return replace(self.evaluator, tolerance=tolerance, max_iterations=iterations)

    @property
    def _ordered(self) -> list[Objective]:
        return [*self.targets, *self.extremes]

    def _unsolved(self, prior: Prior, clean: Tensor) -> dict[str, Tensor]:
        unknown = torch.full((len(clean),), torch.nan)
        density = prior.decode(clean).density.flatten(1).mean(1)
        return dict.fromkeys(self.evaluator.quantities, unknown) | {"density": density}

    def _predict(self, prior: Prior, clean: Tensor, last: _Solved) -> Evaluation:
        """First-order prediction from the last solve: u + g · (x − x_last)."""
        last.used += 1
        moved = (clean.detach() - last.clean)[:, None]
        coordinates = last.coordinates + (last.gradients * moved).flatten(2).sum(2)
        return self._evaluation(prior.decode(clean), self._unsolved(prior, clean), coordinates, last.gradients)

    def _evaluation(
        self,
        properties: Properties,
        values: dict[str, Tensor],
        coordinates: Tensor | None,
        gradients: Tensor,
        messages: dict[int, str] | None = None,
    ) -> Evaluation:
        count = len(self.targets)
        batch = len(properties.bulk)
        residual = torch.zeros(batch, count)
        if coordinates is not None and count:
            residual = torch.stack([o.gap(coordinates[:, i]) for i, o in enumerate(self.targets)], 1).nan_to_num(0.0)
        signs = torch.tensor([float(o.sign) for o in self.extremes])
        rates = torch.tensor([TUNING.minimise_rate * o.weight for o in self.extremes])
        field_shape = (1,) * (gradients.ndim - 2)
        # A target that is met asks for nothing, not even to stay where it is.
        active = (residual != 0).view(batch, count, *field_shape)
        losses = {QUANTITIES[o.quantity].label: residual[:, i].square() for i, o in enumerate(self.targets)}
        for objective in self.extremes:
            quantity, value = QUANTITIES[objective.quantity], values[objective.quantity]
            amount = value**objective.sign if quantity.positive else objective.sign * quantity.coordinate(value)
            losses[quantity.label] = objective.weight * amount
        return Evaluation(
            properties=properties.map(torch.Tensor.detach),
            values=values,
            losses=losses,
            linearisation=Linearisation(
                residual,
                gradients[:, :count] * active,
                torch.tensor([o.weight for o in self.targets]),
                rates.expand(batch, -1) if coordinates is not None else torch.zeros(batch, len(rates)),
                gradients[:, count:] * signs.view(1, -1, *field_shape),
            ),
            messages=messages or {},
        )


@dataclass
class _Solved:
    """Coordinates (batch, objectives) and their gradients (batch, objectives, *field) at fields; times used."""

    clean: Tensor
    coordinates: Tensor
    gradients: Tensor
    used: int = 1
