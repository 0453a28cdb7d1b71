"""The studies in the order of the page, with the sizes of a quick run."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.verification import (
    bounded,
    conduction,
    contrast,
    dilute,
    exact_cells,
    grids,
    invariance,
    loadcases,
    locking,
    second_code,
)
from benchmarks.verification.model import Study


@dataclass(frozen=True)
class Entry:
    """A study and the arguments that make it quick."""

    run: Callable[..., Study]
    quick: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """First line of the docstring."""
        return (inspect.getdoc(self.run) or "").splitlines()[0]

    @property
    def text(self) -> str:
        """What follows the title; {name} stands for the default of an argument."""
        text = "\n".join((inspect.getdoc(self.run) or "").splitlines()[1:]).strip()
        for name, parameter in inspect.signature(self.run).parameters.items():
            text = text.replace("{" + name + "}", str(parameter.default))
        return text


QUICK_SPHERES = ((24, 4.0), (24, 6.0), (32, 4.0), (32, 6.0), (32, 8.0), (40, 10.0))
QUICK_FIBRES = dilute.FIBRES[:6]

STUDIES: dict[str, Entry] = {
    "homogeneous": Entry(exact_cells.homogeneous),
    "laminate": Entry(exact_cells.laminate),
    "fibres": Entry(exact_cells.fibres, {"sizes": (8, 16)}),
    "equal-shear": Entry(exact_cells.equal_shear, {"repeats": (2, 4, 8), "seeds": (0, 1)}),
    "bounds": Entry(bounded.bounds, {"contrasts": (1.0, 10.0, 1e3, 1e5), "count": 4, "size_2d": 16, "size_3d": 8}),
    "sphere": Entry(
        dilute.spheres,
        {"runs": QUICK_SPHERES, "samples": 2, "pairs": ("2 × stiffer", "4 × softer"), "limit": 0.02},
    ),
    "fibre": Entry(
        dilute.fibres, {"runs": QUICK_FIBRES, "samples": 4, "pairs": ("2 × stiffer", "4 × softer"), "limit": 0.02}
    ),
    "symmetry": Entry(invariance.symmetries, {"size": 6}),
    "gradients": Entry(invariance.gradients, {"shapes": ((4, 3, 3), (5, 4, 1)), "voxels": 3}),
    "averages": Entry(invariance.averages, {"size": 6}),
    "second-code": Entry(second_code.second_code, {"size": 6}),
    "contrast": Entry(contrast.contrasts, {"exponents": (-5, -2, 0, 2, 5), "size_2d": 32, "size_3d": 8}),
    "iterations": Entry(contrast.grid_independence, {"sizes_3d": (8, 16, 24), "sizes_2d": (16, 32, 64)}),
    "grid-sphere": Entry(
        grids.sphere,
        {"sizes": (12, 16, 24, 32, 48), "samples": 2, "pairs": ("2 × stiffer", "130 × stiffer"), "coarsest": 12},
    ),
    "grid-disc": Entry(grids.disc, {"sizes": (16, 24, 32, 48, 64, 96, 128), "samples": 8}),
    "grid-packing": Entry(grids.packings, {"sizes_3d": (16, 32), "sizes_2d": (32, 64, 128), "count": 1}),
    "locking": Entry(
        locking.locking,
        {
            "ratios": (0.3, 0.4999),
            "sizes_2d": (8, 16, 32, 64),
            "sizes_3d": (4, 8, 16, 32),
            "standard_2d": 32,
            "standard_3d": 8,
            "quadratic_2d": 16,
            "quadratic_3d": 4,
            "agreement": 0.1,
        },
    ),
    "loadcases": Entry(loadcases.uniaxial, {"size": 8}),
    "conduction-laminate": Entry(conduction.laminate),
    "conduction-sphere": Entry(conduction.sphere, {"runs": QUICK_SPHERES, "samples": 2, "limit": 0.02}),
    "conduction-duality": Entry(conduction.duality, {"sizes": (8, 16, 32, 64)}),
}
