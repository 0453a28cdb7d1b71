"""What is measured: targets at quantiles of what random catalogue designs have, by method and setting."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import Properties
from relaxdesign.microstructure.particles.packing import DIAMETER_RANGE, VOLUME_FRACTION_RANGE, random_cells
from relaxdesign.physics.evaluator import Evaluator
from relaxdesign.study.request import DesignRequest

FIRST_SEED = 1000
"""Of the first request of a case; the next has the next seed. Settings were found on these seeds."""
HELD_OUT_SEED = 900_000
"""Of the first request of a case that confirms: no search uses seeds from here on."""
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
MIDDLE = (0.25, 0.5, 0.75)
BATCH = 8
"""Designs of one request: how different they are is told of these."""
BASELINES = ("pairs", "random", "genetic", "cma-es", "gradient", "best-of-n", "noise", "conditional")
COSTLY = ("noise", "conditional")
"""Methods that sample for minutes per request: three targets only."""
DESIGNS = {
    "range": 64, "density": 64, "two-targets": 64, "directional": 64,
    "baselines": 8, "many-steps": 16, "few-steps": 32, "confirm": 64, "expansion": 8,
}  # fmt: skip
"""Sets of cases, and designs of each case unless another number is asked for."""
SETS = tuple(DESIGNS)
_DESIGNS_3D = DESIGNS | {"density": 16, "two-targets": 16, "confirm": 32}
_DESIGNS_OF_BEST_OF_N = {2: 64, 3: 32}
"""The goal for diversity is to be no worse than this baseline: more than one request, to tell."""
_DESIGNS_CONFIRMING_OTHERS = {2: 32, 3: 16}
"""Of requests beside those for K alone."""
GRIDS = {2: 64, 3: 32}
_RANDOM_DESIGNS = {2: 1000, 3: 400}
_AT_ONCE = 20
_SEED = 20260


@dataclass(frozen=True)
class Case:
    """One line of a table: a request, repeated with other seeds until there are ``designs``.

    request: fields of a DesignRequest but count and seed. first_seed: of the first request.
    """

    set: str
    name: str
    dim: int
    quantile: float
    designs: int
    request: dict[str, Any] = field(hash=False)
    first_seed: int = FIRST_SEED

    @property
    def key(self) -> str:
        """Name of its folder."""
        name = f"{self.set}-{self.name}-{self.dim}d-q{100 * self.quantile:g}"
        return re.sub("[ /,]+", "-", name)

    def requests(self) -> list[DesignRequest]:
        """The requests of its chunks."""
        counts = [min(BATCH, self.designs - start) for start in range(0, self.designs, BATCH)]
        return [
            DesignRequest.model_validate(self.request | {"dim": self.dim, "count": count, "seed": seed})
            for seed, count in enumerate(counts, self.first_seed)
        ]


def random_cells_of(dim: int, count: int) -> Iterator[Properties]:
    """Voxel properties, in batches, of random catalogue designs drawn as the training data of the priors are."""
    catalogue = Catalogue.default().select()
    generator = torch.Generator().manual_seed(_SEED)
    matrix, particle = catalogue.draw(2 * count, generator=generator).view(2, count)
    fraction, diameter = (
        low + (high - low) * torch.rand(count, generator=generator, dtype=torch.float64)
        for low, high in (VOLUME_FRACTION_RANGE, DIAMETER_RANGE)
    )
    for part in torch.arange(count).split(_AT_ONCE):
        phase = random_cells(fraction[part], diameter[part], GRIDS[dim], dim, generator=generator)
        phase = phase if dim == 3 else phase[..., None]
        values = catalogue.properties.bulk, catalogue.properties.shear, catalogue.properties.density
        yield Properties(
            *(
                torch.where(phase, *(v[which[part]].float().view(-1, 1, 1, 1) for which in (particle, matrix)))
                for v in values
            )
        )


def targets(dim: int, cache: Path) -> dict[str, dict[str, float]]:
    """Quantiles of K over random designs and the G of the design at each, GPa; kept in a file once measured."""
    if cache.exists():
        return json.loads(cache.read_text(encoding="utf-8"))
    cells = list(random_cells_of(dim, _RANDOM_DESIGNS[dim]))
    evaluator = Evaluator(tolerance=1e-3)  # K errs by the square of the residual
    bulk = torch.cat([evaluator(part.as_fields(), raise_on_failure=False).values["K"] for part in cells]).double()
    order = [i for i in bulk.argsort().tolist() if bulk[i].isfinite()]
    found: dict[str, dict[str, float]] = {"K": {}, "G": {}}
    for q in QUANTILES:
        at = order[round(q * (len(order) - 1))]
        part, row = cells[at // _AT_ONCE], at % _AT_ONCE
        one = {name: values[row : row + 1].double() for name, values in part.as_fields().items()}
        values = Evaluator({"G"}, tolerance=1e-4)(one).values
        found["K"][f"{q:g}"], found["G"][f"{q:g}"] = float(values["K"]), float(values["G"])
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return found


def plan(
    sets: tuple[str, ...], dims: tuple[int, ...], designs: int | None, work: Path, *, quick: bool = False
) -> list[Case]:
    """The cases of the sets, those of a quick look if asked: few targets, few steps, few baselines.

    designs: of each case; None: as ``DESIGNS`` says. work: folder in which targets are kept.
    """
    cases: list[Case] = []
    for dim in dims:
        wanted = targets(dim, work / f"targets-{dim}d.json") if set(sets) - {"expansion"} else {}

        def add(set_: str, name: str, quantiles, dim=dim, wanted=wanted, **request) -> None:
            for q in quantiles:
                target = {"target_bulk": wanted["K"][f"{q:g}"]}
                extra = {key: value(q) if callable(value) else value for key, value in request.items()}
                first_seed = HELD_OUT_SEED if set_ == "confirm" else FIRST_SEED
                count = designs or _usual_designs(set_, name, dim)
                cases.append(Case(set_, name, dim, q, count, target | extra, first_seed))

        if "expansion" in sets:
            steps = {"steps": 20} if quick else {}
            many = designs or DESIGNS["expansion"]
            cases.extend(Case("expansion", name, dim, 0.5, many, of | steps) for name, of in EXPANSION.items())
            if not wanted:
                continue
        few_targets = (0.05, 0.5, 0.95)
        everywhere = few_targets if quick else QUANTILES
        few = {"steps": 20} if quick else {}
        shear = lambda q, wanted=wanted: [  # noqa: E731
            {"quantity": "G", "low": wanted["G"][f"{q:g}"], "high": wanted["G"][f"{q:g}"]}
        ]
        ratio = [{"quantity": "Ex/Ey", "low": 1.5, "high": 1.5}]
        if "range" in sets:
            add("range", "guided", everywhere, **few)
        if "density" in sets:
            add("density", "weight 1", MIDDLE, density_weight=1.0, **few)
        if "two-targets" in sets:
            add("two-targets", "K and G", MIDDLE, objectives=shear, **few)
        if "directional" in sets and dim == 2:
            add("directional", "Ex/Ey = 1.5", MIDDLE, objectives=ratio, family="free-form", **few)
        if "baselines" in sets:
            for method in ("pairs", "random") if quick else BASELINES:
                if dim == 2 or method not in COSTLY:
                    add("baselines", method, few_targets if method in COSTLY else everywhere, method=method, **few)
        for set_, variants in (("many-steps", MANY_STEPS), ("few-steps", FEW_STEPS)):
            for name, settings in variants.items() if set_ in sets else ():
                if dim == 2 or name in IN_3D:
                    add(set_, name, few_targets, **settings)
        if "confirm" in sets:  # by the names of the cases with the seeds of the search
            add("confirm", "guided", everywhere if dim == 2 else few_targets, **few)
            add("confirm", "weight 1", (0.5,), density_weight=1.0, **few)
            add("confirm", "K and G", (0.5,), objectives=shear, **few)
            if dim == 2:
                add("confirm", "Ex/Ey = 1.5", (0.5,), objectives=ratio, family="free-form", **few)
    return cases


def _usual_designs(set_: str, name: str, dim: int) -> int:
    if name == "best-of-n":
        return _DESIGNS_OF_BEST_OF_N[dim]
    if set_ == "confirm" and name != "guided":
        return _DESIGNS_CONFIRMING_OTHERS[dim]
    return (DESIGNS if dim == 2 else _DESIGNS_3D)[set_]


def _joint(*objectives: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"objectives": list(objectives)} | fields


EXPANSION: dict[str, dict[str, Any]] = {
    "base plate": _joint(
        {"quantity": "cte", "low": 7.0, "high": 8.0},
        {"quantity": "conductivity", "low": 180.0},
        {"quantity": "E", "low": 190.0},
        {"quantity": "density", "high": 3.1},
        family="particles-two-sizes",
        categories=["metal", "ceramic", "carbon", "semiconductor"],
    ),
    "invar-like": _joint({"quantity": "cte", "high": 3.0}, {"quantity": "E", "low": 100.0}),
    "interface": _joint(
        {"quantity": "cte", "high": 30.0},
        {"quantity": "conductivity", "low": 1.0},
        {"quantity": "E", "high": 5.0},
        family="particles-two-sizes",
        categories=["polymer", "elastomer", "ceramic", "carbon", "metal"],
    ),
    "sealing": _joint({"quantity": "cte", "low": 9.0, "high": 9.0}, {"quantity": "conductivity", "low": 10.0}),
    "stable and light": _joint(
        {"quantity": "cte", "low": 10.0, "high": 10.0},
        {"quantity": "density", "high": 2.7},
        {"quantity": "E", "low": 90.0},
        family="particles-two-sizes",
    ),
}
"""What is asked of materials that are heated, several quantities at once."""

MANY_STEPS: dict[str, dict[str, Any]] = {
    "100 steps": {"steps": 100},
    "50 steps": {"steps": 50},
    "ddim": {"guidance": {"sampler": "ddim"}},
    "dpm++": {"guidance": {"sampler": "dpm++"}},
    "not through the network": {"guidance": {"variance": 0.0}},
    "fully through the network": {"guidance": {"variance": 1.0}},
    "through the network only": {"guidance": {"mean": 0.0}},
    "weights rising": {"guidance": {"schedule": "rising"}},
    "weights falling": {"guidance": {"schedule": "falling"}},
    "recurrence 2": {"guidance": {"recurrence": 2}},
    "two inner steps": {"guidance": {"mean_iterations": 2}},
    "gradient reused 3 times": {"guidance": {"reuse": 3}},
    "guided from the first step": {"guidance": {"begin": 1.0}},
    "guided below noise 0.7": {"guidance": {"begin": 0.7}},
    "last tenth unguided": {"guidance": {"end": 0.1}},
    "not read crisply": {"guidance": {"sharpness": 1.0}},
    "read twice as crisply": {"guidance": {"sharpness": 8.0}},
    "materials never committed": {"guidance": {"commit": 0.0}},
    "committed at noise 0.3": {"guidance": {"commit": 0.3}},
    "committed at noise 0.8": {"guidance": {"commit": 0.8}},
}
"""Settings that differ from the default in one thing each."""

IN_3D = (
    "fully through the network",
    "not through the network",
    "guided from the first step",
    "materials never committed",
)
"""Settings that are measured in 3D as well, where a design takes longer."""

FEW_STEPS: dict[str, dict[str, Any]] = {
    name: {"steps": steps, "guidance": settings}
    for name, steps, settings in (
        ("20 steps, ddpm", 20, {"sampler": "ddpm"}),
        ("20 steps, ddim", 20, {"sampler": "ddim"}),
        ("20 steps, dpm++", 20, {"sampler": "dpm++"}),
        ("20 steps, ddpm, not through the network", 20, {"sampler": "ddpm", "variance": 0.0}),
        ("20 steps, dpm++, not through the network", 20, {"sampler": "dpm++", "variance": 0.0}),
        ("10 steps, ddpm", 10, {"sampler": "ddpm"}),
        ("10 steps, ddpm, recurrence 2", 10, {"sampler": "ddpm", "recurrence": 2}),
        ("10 steps, ddim", 10, {"sampler": "ddim"}),
        ("10 steps, dpm++", 10, {"sampler": "dpm++"}),
    )
}
