"""The evaluator: effective elastic properties of voxel cells and their exact gradients.

Knows tensors only. Moduli in GPa, densities in g/cm³, voxels are cubes, fields are (batch, nx, ny, nz).
"""

from relaxdesign.fem.boundary import Boundary
from relaxdesign.fem.checks import check_young_poisson
from relaxdesign.fem.gradients import GradientCheck, check_gradient
from relaxdesign.fem.homogenize import (
    BulkResult,
    bulk_modulus,
    density,
    effective_bulk_modulus,
)
from relaxdesign.fem.moduli import (
    bulk_shear_from_young_poisson,
    gradient_young_poisson,
    young_poisson_from_bulk_shear,
)
from relaxdesign.fem.solver import ConvergenceError, SolveStatus
from relaxdesign.fem.stiffness import StiffnessResult, effective_stiffness

__all__ = [
    "Boundary",
    "BulkResult",
    "ConvergenceError",
    "GradientCheck",
    "SolveStatus",
    "StiffnessResult",
    "bulk_modulus",
    "bulk_shear_from_young_poisson",
    "check_gradient",
    "check_young_poisson",
    "density",
    "effective_bulk_modulus",
    "effective_stiffness",
    "gradient_young_poisson",
    "young_poisson_from_bulk_shear",
]
