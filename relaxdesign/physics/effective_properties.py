"""All effective properties of one cell from its voxel fields: what the command, the page and the exports show."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from relaxdesign.physics import conduction, expansion
from relaxdesign.physics.bounds import (
    Bounds,
    bounds_dict,
    bounds_with,
    field_bounds,
    field_conductivity_bounds,
    field_shear_bounds,
)
from relaxdesign.physics.composite_voxels import extrapolated
from relaxdesign.physics.elasticity import quantities_of_stiffness
from relaxdesign.physics.fem import (
    LocalFields,
    bulk_shear_from_young_poisson,
    check_young_poisson,
    effective_conductivity,
    effective_stiffness,
    local_fields,
    local_fields_under_stress,
)
from relaxdesign.physics.heating import Expansion, heated
from relaxdesign.physics.resolution import bound_warnings, grid_warnings, loose_warnings
from relaxdesign.physics.voxel_fields import TRACE, VoxelFields


@dataclass(frozen=True, eq=False)
class Conduction:
    """Effective thermal conductivity in W/(m K).

    tensor: (3, 3). anisotropy: largest over smallest principal value. bounds: on the mean tr(k)/3.
    """

    tensor: np.ndarray
    anisotropy: float
    bounds: Bounds
    iterations: int
    residual: float
    seconds: float

    @property
    def mean(self) -> float:
        """tr(k)/3, W/(m K)."""
        return float(self.directional.mean())

    @property
    def directional(self) -> np.ndarray:
        """k_xx, k_yy, k_zz in W/(m K)."""
        return self.tensor.diagonal()

    @property
    def values(self) -> dict[str, float]:
        """Its quantities, W/(m K)."""
        found = conduction.quantities_of(torch.from_numpy(self.tensor)[None])
        return {name: value.item() for name, value in found.items()}

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "mean": self.mean,
            "directional": self.directional.tolist(),
            "anisotropy": self.anisotropy,
            "tensor": self.tensor.tolist(),
            "bounds": bounds_dict(self.bounds),
            "iterations": self.iterations,
            "residual": self.residual,
            "seconds": self.seconds,
        }


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Effective properties of one cell. Moduli in GPa, density in g/cm³; see `fem.StiffnessResult`."""

    C: np.ndarray  # (6, 6), Voigt order xx, yy, zz, yz, xz, xy, engineering shear
    bulk: float
    shear: float
    young: float
    poisson: float
    directional_young: tuple[float, float, float]  # E_x, E_y, E_z
    anisotropy: float  # universal index A^U, zero if isotropic
    density: float | None  # None: the densities of the voxels are not known
    bulk_bounds: Bounds
    shear_bounds: Bounds
    conduction: Conduction | None  # None: the conductivities of the voxels are not known
    expansion: Expansion | None  # None: the expansions of the voxels are not known
    boundary: str
    iterations: int  # of all six load cases
    residual: float  # the largest
    seconds: float
    warnings: tuple[str, ...] = ()  # signs that the grid is too coarse for the cell, see `physics.resolution`

    @property
    def beside(self) -> dict[str, Conduction | Expansion]:
        """What is known beside the stiffness, by the quantity that is its mean."""
        parts = {conduction.QUANTITIES[0].name: self.conduction, expansion.QUANTITIES[0].name: self.expansion}
        return {name: part for name, part in parts.items() if part is not None}

    @cached_property
    def values(self) -> dict[str, float]:
        """All quantities that are known of the cell, by their names in `relaxdesign.physics.quantities`."""
        C = torch.from_numpy(self.C)[None]
        known = {name: value.item() for name, value in quantities_of_stiffness(C).items()}
        known |= {} if self.density is None else {"density": self.density}
        for part in self.beside.values():
            known |= part.values
        return known

    @property
    def bounds(self) -> dict[str, Bounds]:
        """Bounds on the averages over directions, by quantity."""
        beside = {name: part.bounds for name, part in self.beside.items()}
        return {"K": self.bulk_bounds, "G": self.shear_bounds} | beside

    def to_dict(self) -> dict[str, Any]:
        """JSON form, keys as in ``relaxdesign evaluate --json``."""
        return {
            "K": self.bulk,
            "G": self.shear,
            "E": self.young,
            "nu": self.poisson,
            "C": self.C.tolist(),
            "directional_E": list(self.directional_young),
            "anisotropy": self.anisotropy,
            "density": self.density,
            "bounds": bounds_dict(self.bulk_bounds),
            "bounds_G": bounds_dict(self.shear_bounds),
            "conductivity": None if self.conduction is None else self.conduction.to_dict(),
            "cte": None if self.expansion is None else self.expansion.mean,
            "cte_tensor": None if self.expansion is None else self.expansion.tensor.tolist(),
            "expansion": None if self.expansion is None else self.expansion.to_dict(),
            "iterations": self.iterations,
            "residual": self.residual,
            "boundary": self.boundary,
            "seconds": self.seconds,
            "warnings": list(self.warnings),
        }


def evaluate(
    data: VoxelFields, *, boundary: str = "periodic", tol: float | None = None, element: str = "mean-dilatation"
) -> Evaluation:
    """Solves the six load cases of the stiffness, in float64.

    With a conductivity of the voxels three more, with their thermal expansion one more.

    boundary: "periodic" (effective properties) or "kubc" (an upper estimate). tol: relative residual, default 1e-8.
    element: see `relaxdesign.physics.fem.effective_stiffness`.

    Raises:
        ValueError: a modulus is out of range, names the voxel.
        relaxdesign.physics.fem.ConvergenceError: a load case did not reach the tolerance.
    """
    void, data = data.void, data.with_trace()
    K, G = moduli(data)
    begin = time.perf_counter()
    solved = effective_stiffness(K, G, boundary=boundary, tol=tol, element=element)
    seconds = time.perf_counter() - begin
    x, y, z = solved.directional_young[0].tolist()
    bulk_bounds, shear_bounds = (bounds_with(void, of(K[0], G[0])) for of in (field_bounds, field_shear_bounds))
    conducting = None if data.k is None else _conduction(data.k, boundary, tol)
    averages = {"K": (solved.bulk.item(), bulk_bounds), "G": (solved.shear.item(), shear_bounds)}
    if conducting is not None:
        averages["k"] = conducting.mean, conducting.bounds
    return Evaluation(
        C=solved.C[0].numpy(),
        bulk=solved.bulk.item(),
        shear=solved.shear.item(),
        young=solved.young.item(),
        poisson=solved.poisson.item(),
        directional_young=(x, y, z),
        anisotropy=solved.anisotropy.item(),
        density=None if data.rho is None else float(data.rho.mean()),
        bulk_bounds=bulk_bounds,
        shear_bounds=shear_bounds,
        conduction=conducting,
        expansion=None if data.alpha is None else heated(data, K, G, solved, element),
        boundary=str(solved.boundary),
        iterations=int(solved.iterations.sum()),
        residual=float(solved.residual.max()),
        seconds=seconds,
        warnings=resolution_warnings(data, str(solved.boundary), averages),
    )


def on_finer_grids(
    data: VoxelFields, given: Evaluation, *, boundary: str = "periodic", tol: float | None = None, element: str
) -> dict[str, Any]:
    """What an evaluation comes to with every voxel divided in two per axis, and extrapolated to ever finer grids.

    The shapes stay those of the voxels. Returns, per quantity, the values ``given``, ``doubled`` and their ``limit``
    (Richardson, an error that falls as the edge of a voxel), as JSON. Errors as in `evaluate`.
    """
    doubled = evaluate(_divided(data), boundary=boundary, tol=tol, element=element)
    values = {name: (given.values[name], doubled.values[name]) for name in dict.fromkeys((*given.bounds, "E"))}
    refined = {name: {"given": a, "doubled": b, "limit": extrapolated(a, b)} for name, (a, b) in values.items()}
    return {"shape": [2 * n if n > 1 else 1 for n in data.E.shape], **refined}


def _divided(data: VoxelFields) -> VoxelFields:
    """The same fields on twice as many voxels along every axis of more than one."""
    long = [axis for axis in range(3) if data.E.shape[axis] > 1]

    def divided(values: np.ndarray) -> np.ndarray:
        for axis in long:
            values = np.repeat(values, 2, axis)
        return values

    return replace(data, **{name: divided(values) for name, values in data.arrays.items()}, edge=None)


def resolution_warnings(data: VoxelFields, boundary: str, averages: dict[str, tuple[float, Bounds]]) -> tuple[str, ...]:
    """Signs that the grid cannot carry the cell, see `relaxdesign.physics.resolution`.

    averages: K, G, k with their bounds, as far as they were computed.
    """
    data = data.with_trace()
    found = grid_warnings("E", data.E)
    if data.k is not None and "k" in averages:
        found += grid_warnings("k", data.k)
    if boundary == "periodic":  # kubc and uniaxial are no effective properties and may pass the bounds
        for name, (value, bounds) in averages.items():
            found += bound_warnings(name, value, bounds) or loose_warnings(name, value, bounds)
    return tuple(found)


def fields_under(data: VoxelFields, load: str, *, boundary: str = "periodic", tol: float | None = None) -> LocalFields:
    """Local fields under a unit strain by name (`fem.LOADS`), a batch of one; errors as in `evaluate`."""
    K, G = moduli(data)
    return local_fields(K, G, load, boundary=boundary, tol=tol)


def fields_under_stress(data: VoxelFields, load: str, *, tol: float | None = None) -> LocalFields:
    """Local fields of a periodic cell under a unit stress of 1 GPa by name (`fem.LOADS`); errors as in `evaluate`."""
    K, G = moduli(data)
    return local_fields_under_stress(K, G, load, tol=tol)


def moduli(data: VoxelFields) -> tuple[torch.Tensor, torch.Tensor]:
    """K and G (1, nx, ny, nz) in GPa, a trace of them in voids. Raises ValueError that names the voxel out of range."""
    data = data.with_trace()
    young, poisson = torch.from_numpy(data.E), torch.from_numpy(data.nu)
    check_young_poisson(young, poisson)
    return bulk_shear_from_young_poisson(young[None], poisson[None])


def _conduction(k: np.ndarray, boundary: str, tol: float | None) -> Conduction:
    begin, insulating = time.perf_counter(), float(np.mean(k <= TRACE * k.max()))
    solved = effective_conductivity(torch.from_numpy(k)[None], boundary=boundary, tol=tol)
    return Conduction(
        tensor=solved.k[0].numpy(),
        anisotropy=solved.anisotropy.item(),
        bounds=bounds_with(insulating, field_conductivity_bounds(k)),
        iterations=int(solved.iterations.sum()),
        residual=float(solved.residual.max()),
        seconds=time.perf_counter() - begin,
    )
