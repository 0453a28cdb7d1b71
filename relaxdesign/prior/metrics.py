"""How good a prior is: its unguided samples against fresh random designs, both read by the same projection.

Distances between distributions are Wasserstein-1 distances in the unit of the quantity; beside each stands the
distance between two independent sets of random designs of the same size, the least that could be measured.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance
from torch import Tensor

from relaxdesign.materials.catalogue import Catalogue, occupied_cells
from relaxdesign.materials.channels import Channels
from relaxdesign.microstructure.base import FitError
from relaxdesign.microstructure.particles.fitting import Projection, project
from relaxdesign.physics.fem import bulk_modulus
from relaxdesign.prior.data import random_fields
from relaxdesign.prior.model import Prior

STIFF_GPA = 10.0
"""Phases above this bulk modulus are those whose flatness is stated in per cent of K."""
NEAR = 0.03
"""A phase within this relative distance in K of a catalogue material counts as that material."""
CELLS_AT_ONCE = 16
_SAME = 1e-3
"""Channel units; materials nearer than this are the same to the network."""
_TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False)
class Population:
    """Relaxed fields and what the projection reads in them."""

    count: int
    """Number of fields."""
    fields: list[Tensor]
    """Those that are two-phase composites, each (channels, *grid)."""
    projections: list[Projection]
    """What they are read as."""
    reasons: Counter[str]
    """Why the others are no composites."""
    bulk: NDArray[np.float64]
    """Effective bulk modulus of every field as it is, GPa; NaN where the solver failed."""

    @property
    def two_phase(self) -> float:
        """Share of the fields that are two-phase composites."""
        return len(self.projections) / self.count

    def phases(self) -> Tensor:
        """Channel values of both phases of every composite: matrices, then particles."""
        return torch.stack([p.matrix for p in self.projections] + [p.particle for p in self.projections])


def assess(
    prior: Prior, catalogue: Catalogue, drawn: Tensor, *, generator: torch.Generator
) -> tuple[dict[str, object], tuple[Population, Population, Population]]:
    """`measure` of drawn samples against random designs; also the samples and both sets of designs."""
    designs = [
        random_fields(catalogue, prior.channels, prior.grid, prior.dim, len(drawn), generator=generator)
        for _ in range(2)
    ]
    populations = read(prior, drawn), read(prior, designs[0]), read(prior, designs[1])
    return measure(prior, catalogue, *populations), populations


def unseen_materials(prior: Prior, catalogue: Catalogue) -> Catalogue:
    """The materials of a catalogue that are not among those the prior holds, i.e. was trained with."""
    values = prior.channels.encode(catalogue.properties, axis=-1).float()
    assert prior.network.head is not None
    distance = torch.cdist(values, prior.network.head.materials.cpu()).amin(1)
    return Catalogue(tuple(m for m, far in zip(catalogue.materials, distance > _SAME, strict=True) if far))


def assess_unseen(
    prior: Prior, materials: Catalogue, drawn: Tensor, *, generator: torch.Generator
) -> dict[str, object]:
    """The memorisation check: samples painted with materials that no training has seen, so no pair of them either.

    A prior that had learnt its pairs by heart would fade, or repeat a few pairs; one that has learnt what composites
    look like makes as many valid ones, of as many pairs, as with the materials it knows. drawn: such samples.
    """
    found, _ = assess(prior, materials, drawn, generator=generator)
    kept = ("count", "two_phase", "misfit", "misfit_designs", "nearest_material", "coverage")
    return {"materials": len(materials.materials)} | {name: found[name] for name in kept}


def read(prior: Prior, fields: Tensor) -> Population:
    """Project and homogenise fields (count, channels, *grid) in the prior's channels."""
    composites, projections, reasons = [], [], Counter[str]()
    for field in fields:
        try:
            projections.append(project(field))
            composites.append(field)
        except FitError as error:
            reasons[str(error).split(":")[0].split(" (")[0]] += 1
    bulk = []
    for part in fields.split(CELLS_AT_ONCE):
        properties = prior.decode(part)
        result = bulk_modulus(properties.bulk, properties.shear, tol=_TOLERANCE, raise_on_failure=False)
        bulk.append(result.value.double().numpy())
    return Population(len(fields), composites, projections, reasons, np.concatenate(bulk))


def measure(
    prior: Prior, catalogue: Catalogue, samples: Population, designs: Population, others: Population
) -> dict[str, object]:
    """All metrics, plain numbers.

    designs, others: two independent sets of random designs, as many as samples.
    Raises ValueError if no sample is a two-phase composite: nothing can be compared.
    """
    if not samples.projections:
        raise ValueError(f"none of {samples.count} samples is a two-phase composite: train the prior longer")
    return {
        "count": samples.count,
        "two_phase": samples.two_phase,
        "two_phase_designs": designs.two_phase,
        "not_two_phase_because": dict(samples.reasons),
        "misfit": quartiles([p.misfit for p in samples.projections]),
        "misfit_designs": quartiles([p.misfit for p in designs.projections]),
        "flatness": flatness(prior.channels, samples),
        "nearest_material": nearest_material(prior.channels, catalogue, samples),
        "coverage": coverage(prior.channels, catalogue, samples, designs),
        "wasserstein": {
            name: {
                "samples": float(wasserstein_distance(values[0], values[1])),
                "designs": float(wasserstein_distance(values[1], values[2])),
                "spread": float(np.std(values[1])),
            }
            for name, values in distributions(prior.channels, samples, designs, others).items()
        },
        "two_point_error": {
            "samples": _rms(two_point(samples) - two_point(designs)),
            "designs": _rms(two_point(others) - two_point(designs)),
        },
    }


def quartiles(values) -> list[float]:
    """25, 50 and 75 % quantiles."""
    return [round(float(v), 4) for v in np.percentile(np.asarray(values, dtype=float), (25, 50, 75))]


def flatness(channels: Channels, samples: Population) -> dict[str, float]:
    """Median within-phase standard deviation: in channel units; in GPa and relative for K of phases above 10 GPa."""
    absolute, relative = [], []
    for field, projection in zip(samples.fields, samples.projections, strict=True):
        bulk = channels.decode(field[None]).bulk[0].numpy()
        for phase in (projection.labels, ~projection.labels):
            mean = bulk[phase].mean()
            if mean > STIFF_GPA:
                absolute.append(bulk[phase].std())
                relative.append(bulk[phase].std() / mean)
    return {
        "channel_units": float(np.median([p.within_phase_deviation for p in samples.projections])),
        "bulk_GPa": float(np.median(absolute)) if absolute else float("nan"),
        "bulk_relative": float(np.median(relative)) if relative else float("nan"),
        "stiff_phases": len(relative),
    }


def nearest_material(channels: Channels, catalogue: Catalogue, samples: Population) -> dict[str, float]:
    """Distance of the phases' medians from the nearest material, and the share within 3 % of its K."""
    phases = samples.phases()
    distance, index = catalogue.nearest(channels, phases)
    found = channels.decode(phases, axis=-1).bulk.numpy()
    wanted = catalogue.properties.bulk.numpy()[index[:, 0]]
    return {
        "median": float(np.median(distance)),
        "90 %": float(np.percentile(distance, 90)),
        "within_3_percent_of_K": float((np.abs(found / wanted - 1.0) < NEAR).mean()),
    }


def coverage(channels: Channels, catalogue: Catalogue, samples: Population, designs: Population) -> dict[str, float]:
    """Cells of the 10×10×10 property grid that the phases occupy, and distinct pairs, for samples and designs.

    A prior that had memorised a few composites would show few pairs; with all of some 100,000 possible ones equally
    new, nearly every sample must have a pair of its own.
    """
    result = {}
    for name, population in (("samples", samples), ("designs", designs)):
        _, index = catalogue.nearest(channels, population.phases())
        materials = [catalogue.materials[i] for i in index[:, 0]]
        half = len(materials) // 2
        pairs = {(a.id, b.id) for a, b in zip(materials[:half], materials[half:], strict=True)}
        result[f"cells_{name}"] = occupied_cells(materials)
        result[f"pairs_{name}"] = len(pairs) / half
    return result | {"relative": result["cells_samples"] / result["cells_designs"]}


def distributions(channels: Channels, *populations: Population) -> dict[str, list[NDArray[np.float64]]]:
    """Quantity -> its values in each population."""

    def of(population: Population) -> dict[str, NDArray[np.float64]]:
        phases = channels.decode(population.phases(), axis=-1)
        half = len(population.projections)
        log_bulk = {"ln K": phases.bulk, "ln G": phases.shear, "ln density": phases.density}
        materials = {name: values.log().numpy() for name, values in log_bulk.items()}
        values = population.phases()
        return {
            "volume fraction": np.array([p.volume_fraction for p in population.projections]),
            "diameter": np.array([p.diameter for p in population.projections]),
            **{f"{name} of the matrix": v[:half] for name, v in materials.items()},
            **{f"{name} of the particles": v[half:] for name, v in materials.items()},
            "contrast, channel units": (values[:half] - values[half:]).norm(dim=1).numpy(),
            "ln effective K": np.log(population.bulk[np.isfinite(population.bulk)]),
        }

    columns = [of(population) for population in populations]
    return {name: [column[name] for column in columns] for name in columns[0]}


def two_point(population: Population) -> NDArray[np.float64]:
    """Mean autocorrelation of the particle phase, (S₂(r) - vf²) / (vf - vf²), at r = 0, 1, … edge / 2 voxels."""
    total: NDArray[np.float64] = np.zeros(1)
    edge, dim = population.fields[0].shape[-1], population.fields[0].ndim - 1
    for projection in population.projections:
        labels = projection.labels.astype(float)
        power = np.abs(np.fft.fftn(labels - labels.mean())) ** 2
        correlation = np.fft.ifftn(power).real / labels.size
        total = total + correlation / correlation.flat[0]
    axes = [np.minimum(np.arange(edge), edge - np.arange(edge)) for _ in range(dim)]
    radius = np.rint(np.sqrt(sum(a.astype(float) ** 2 for a in np.meshgrid(*axes, indexing="ij")))).astype(int)
    inside = radius <= edge // 2
    mean = np.bincount(radius[inside], weights=total[inside]) / np.bincount(radius[inside])
    return mean / len(population.projections)


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt((values**2).mean()))
