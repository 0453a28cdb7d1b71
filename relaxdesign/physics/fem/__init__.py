"""The evaluator: effective elastic properties and conductivity of voxel cells and their exact gradients.

Knows tensors only. Moduli in GPa, conductivity in W/(m K), densities in g/cm³, voxels are cubes, fields are
(batch, nx, ny, nz).
"""

from relaxdesign.physics.fem.boundary import Boundary
from relaxdesign.physics.fem.checks import check_young_poisson
from relaxdesign.physics.fem.conduction import ConductivityResult, conductivity_along, effective_conductivity
from relaxdesign.physics.fem.expansion import ThermalResult, thermal_stress, thermal_stress_along
from relaxdesign.physics.fem.gradients import GradientCheck, check_gradient
from relaxdesign.physics.fem.homogenize import (
    BulkResult,
    bulk_modulus,
    density,
    effective_bulk_modulus,
)
from relaxdesign.physics.fem.local_fields import (
    LOADS,
    LocalFields,
    heated_fields,
    local_fields,
    local_fields_under_stress,
)
from relaxdesign.physics.fem.moduli import (
    bulk_shear_from_young_poisson,
    gradient_young_poisson,
    young_poisson_from_bulk_shear,
)
from relaxdesign.physics.fem.solver import ConvergenceError, SolveStatus
from relaxdesign.physics.fem.stiffness import StiffnessResult, effective_stiffness, stiffness_along

__all__ = [
    "LOADS",
    "Boundary",
    "BulkResult",
    "ConductivityResult",
    "ConvergenceError",
    "GradientCheck",
    "LocalFields",
    "SolveStatus",
    "StiffnessResult",
    "ThermalResult",
    "bulk_modulus",
    "bulk_shear_from_young_poisson",
    "check_gradient",
    "check_young_poisson",
    "conductivity_along",
    "density",
    "effective_bulk_modulus",
    "effective_conductivity",
    "effective_stiffness",
    "gradient_young_poisson",
    "heated_fields",
    "local_fields",
    "local_fields_under_stress",
    "stiffness_along",
    "thermal_stress",
    "thermal_stress_along",
    "young_poisson_from_bulk_shear",
]
