"""Thermal expansion: that of the phases, and the effective expansion of a cell that is free to expand.

It follows from the solutions of the whole stiffness and one more load case (`relaxdesign.physics.fem.expansion`). Of
two isotropic phases it follows from the effective compliance alone: at one ratio of pressure and temperature both
phases strain alike, so that the cell has no reason to do otherwise (Rosen & Hashin 1970,
doi:10.1016/0020-7225(70)90066-2). `of_two_phases` is that relation; estimates, bounds and composite voxels take it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from relaxdesign.materials.material import Material
from relaxdesign.physics.base import Coefficient, Computed, Fields, Interval, Physics, Quantity, Task
from relaxdesign.physics.composite_voxels import Coefficients
from relaxdesign.physics.elasticity import BULK, ELASTICITY, SHEAR
from relaxdesign.physics.fem import SolveStatus, stiffness_along, thermal_stress, thermal_stress_along
from relaxdesign.physics.fem.moduli import young_poisson_from_bulk_shear
from relaxdesign.physics.voigt_reuss import ENTRIES, averages

NAME = "expansion"
UNIT = "1e-6/K"
EXPANSION = Coefficient("expansion", "thermal expansion", UNIT, positive=False)

_AXES = {"cte_x": 0, "cte_y": 1, "cte_z": 2}
_EQUAL = 1e-9
"""Relative difference of bulk moduli that counts as none."""

QUANTITIES = (
    Quantity("cte", "thermal expansion", UNIT, NAME, "softened", of_material="expansion"),
    *(
        Quantity(name, f"thermal expansion along {name[-1]}", UNIT, NAME, "softened", directional=True)
        for name in _AXES
    ),
)
"""cte: the mean of those along three axes. Linear, 1e-6/K; misses below 1e-6/K count as absolute."""


def of_two_phases(first: Any, second: Any, bulk: tuple[Any, Any], compressibility: Any, share: Any) -> Any:
    """Expansion of a composite of two isotropic phases, from what a uniform pressure makes of it; exact.

    first, second: expansions of the phases. bulk: their bulk moduli in GPa. compressibility: three times the strain
    along the axis asked for, or the relative change of volume for the mean, per unit pressure, 1/GPa. share: of the
    second phase, which counts where the bulk moduli are equal. Numbers or arrays.
    """
    at_first, at_second = 1.0 / bulk[0], 1.0 / bulk[1]
    equal = 1.0 * (abs(at_second - at_first) <= _EQUAL * at_first)
    part = (compressibility - at_first) / (at_second - at_first + equal * at_first)
    return first + (second - first) * (part * (1.0 - equal) + share * equal)


def of_stiffness(
    C: ArrayLike, expansions: tuple[float, float], bulk: tuple[float, float], share: float
) -> NDArray[np.float64]:
    """Expansion (6,) in 1e-6/K of a composite of two isotropic phases, Voigt order with engineering shear; exact.

    C: its stiffness (6, 6) in GPa. expansions: of the phases, 1e-6/K. bulk: their bulk moduli in GPa; 0: a void, whose
    expansion does not count. share: of the second phase, which counts where the bulk moduli are equal.
    """
    normal = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    if 0.0 in bulk:
        return expansions[1 - bulk.index(0.0)] * normal
    compressibility = 3.0 * np.linalg.solve(np.asarray(C, dtype=np.float64), normal)
    # A shear goes by the same line as an expansion does, but from 0, not from what the first phase has.
    first, second = expansions
    line = of_two_phases(first, second, bulk, compressibility + (1.0 - normal) / bulk[0], share * normal)
    return line - (1.0 - normal) * first


def of_materials(materials: Sequence[Material], shares: Sequence[float], C: ArrayLike) -> NDArray[np.float64] | None:
    """As `of_stiffness`, of two materials with these volume fractions.

    None of more materials, whose stiffness does not tell it, and where the expansion of one is not known.
    """
    if len(materials) != 2:
        return None
    first, second = materials
    if first.expansion is None or second.expansion is None:
        return None
    return of_stiffness(C, (first.expansion, second.expansion), (first.bulk, second.bulk), shares[-1])


def quantities_of(free: NDArray[np.float64]) -> dict[str, float]:
    """All quantities of one expansion (6,)."""
    return {name: value.item() for name, value in _quantities(free[None]).items()}


def compute(task: Task) -> Computed:
    """Expansions from the stress of the heated cell that is held, released by its compliance."""
    elastic, options = task.before[ELASTICITY.name], task.options
    assert elastic.fluctuation is not None
    bulk, shear, expansion = (task.fields[each.name] for each in (BULK, SHEAR, EXPANSION))
    result = thermal_stress(
        bulk,
        shear,
        expansion,
        elastic.fluctuation,
        boundary=options.boundary,
        tol=options.tolerance,
        max_iterations=options.max_iterations,
        raise_on_failure=options.raise_on_failure,
    )
    free = _released(_stiffness(elastic.values), result.held)
    return Computed(
        values=_quantities(free),
        tensor=free.detach(),
        fluctuation=result.displacement,
        iterations=result.iterations,
        residual=result.residual,
        load_cases=1,
        messages={
            i: f"the homogenisation of the expansion failed: {status.value}"
            for i, status in enumerate(result.status)
            if status is not SolveStatus.CONVERGED
        },
    )


def along(fields: Fields, change: Fields, computed: Mapping[str, Computed]) -> dict[str, Tensor]:
    """Derivatives of the expansions of a cell as its voxels' coefficients change."""
    elastic, own = computed[ELASTICITY.name], computed[NAME]
    C, displacement, free, heated = elastic.tensor, elastic.fluctuation, own.tensor, own.fluctuation
    assert C is not None and displacement is not None and free is not None and heated is not None
    bulk, shear = change[BULK.name], change[SHEAR.name]
    swelling = 3.0 * (bulk * fields[NAME] + fields[BULK.name] * change[NAME])
    slope = thermal_stress_along(displacement, heated, bulk, shear, swelling)
    slope = slope - (stiffness_along(displacement, bulk, shear) @ free[..., None])[..., 0]
    return _quantities(_released(C, slope))


def composite(
    first: Coefficients,
    second: Coefficients,
    shares: Tensor,
    dim: int,
    fields: Fields,
    barriers: Collection[str] = (),
) -> dict[str, Tensor]:
    """Expansion of composite voxels: that which follows from their bulk moduli.

    A cell of two phases and such voxels has exactly the expansion that belongs to its compliance.
    """
    bulk = first[BULK.name], second[BULK.name]
    return {NAME: of_two_phases(first[NAME], second[NAME], bulk, 1.0 / fields[BULK.name], shares)}


def interval(materials: Mapping[str, NDArray[np.float64]], dim: int, name: str) -> Interval:
    """Smallest and largest expansion that no microstructure of two of the materials leaves.

    The mean lies between those of the materials. Along an axis it may lie beyond: what a uniform pressure makes of the
    axis is bounded as the entries of C are in `relaxdesign.physics.voigt_reuss`, by the compliances ⟨S⟩ and ⟨C⟩⁻¹.
    """
    own = materials[NAME]
    if name not in _AXES:
        return float(own.min()), float(own.max())
    bulk, shear = materials[BULK.name], materials[SHEAR.name]
    (voigt_bulk, reuss_bulk), (voigt_shear, reuss_shear) = averages(bulk), averages(shear)
    soft, _ = young_poisson_from_bulk_shear(reuss_bulk, reuss_shear)
    stiff, _ = young_poisson_from_bulk_shear(voigt_bulk, voigt_shear)
    middle = 0.5 * (1.0 / reuss_bulk + 1.0 / voigt_bulk)
    apart = np.maximum(0.0, (1.0 / soft - 1.0 / stiff) * (1.0 / reuss_bulk - 1.0 / voigt_bulk))
    width = 1.5 * np.sqrt(apart)
    pairs = own[:, None], own, (bulk[:, None], bulk)
    ends = np.stack([of_two_phases(*pairs, middle + side * width, 0.5) for side in (-1.0, 1.0)])
    return float(ends.min()), float(ends.max())


def _stiffness(values: Mapping[str, Tensor]) -> Tensor:
    """C (batch, 6, 6) of its entries, with their gradient."""
    rows = [[values[f"C{min(i, j)}{max(i, j)}"] for j in range(1, 7)] for i in range(1, 7)]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _released(C: Tensor, held: Tensor) -> Tensor:
    """C⁻¹ b (batch, 6); NaN, whose gradient is 0, where C or b is."""
    good = torch.isfinite(C).all(-1).all(-1) & torch.isfinite(held).all(-1)
    C = torch.where(good[..., None, None], C, torch.eye(6, dtype=C.dtype, device=C.device))
    free = torch.linalg.inv_ex(C).inverse @ torch.where(good[..., None], held.to(C.dtype), 0.0)[..., None]
    return torch.where(good[..., None], free[..., 0], torch.nan)


def _quantities(free: Any) -> dict[str, Any]:
    """All quantities of expansions (batch, 6), an array or a tensor."""
    return {"cte": free[:, :3].mean(1)} | {name: free[:, axis] for name, axis in _AXES.items()}


THERMAL_EXPANSION = Physics(
    NAME,
    (EXPANSION, BULK, SHEAR),
    QUANTITIES,
    compute,
    needs=frozenset(ENTRIES),
    along=along,
    composite=composite,
    interval=interval,
    pairs_alone=True,
)
