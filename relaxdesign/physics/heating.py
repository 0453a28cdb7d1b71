"""What becomes of a cell that is heated: its thermal expansion, and the stress that is left in it, phase by phase."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from relaxdesign.physics.bounds import Bounds, bounds_dict, field_expansion_bounds
from relaxdesign.physics.expansion import quantities_of
from relaxdesign.physics.fem import LocalFields, StiffnessResult, heated_fields, thermal_stress
from relaxdesign.physics.voxel_fields import TRACE, VoxelFields

MOST_PHASES = 8
"""Different materials up to which stress is told of each."""
COOLING = 100
"""K by which a cell is cooled where its stress is told in words."""
_QUANTILE = 0.99


@dataclass(frozen=True)
class PhaseStress:
    """Stress in one material of a cell that is heated by one kelvin and free to expand, in MPa/K.

    young, alpha: tell the material. share: its volume fraction. von_mises: the largest, and below which 99 % of its
    voxels lie. tension, compression: largest principal stress when heated, and when cooled. Values are means over
    voxels; at corners of an interface the largest grows with the grid, the 99 % hardly.
    """

    young: float
    alpha: float
    share: float
    von_mises: float
    von_mises_99: float
    tension: float
    compression: float


@dataclass(frozen=True, eq=False)
class Expansion:
    """Effective thermal expansion in 1e-6/K, and what holds the cell together meanwhile.

    tensor: (6,), Voigt order with engineering shear. mean: over three axes. phases: stiffest first; empty of a cell of
    more than `MOST_PHASES` materials.
    """

    mean: float
    tensor: np.ndarray
    bounds: Bounds
    phases: tuple[PhaseStress, ...]
    iterations: int
    residual: float
    seconds: float

    @property
    def values(self) -> dict[str, float]:
        """Its quantities, 1e-6/K."""
        return quantities_of(self.tensor)

    @property
    def cooling(self) -> str:
        """Where cooling leaves the largest tension, in words; empty where the materials are too many to tell."""
        if not self.phases:
            return ""
        worst = max(self.phases, key=lambda phase: phase.compression)
        tension = f"{COOLING * worst.compression:.3g} MPa"
        return f"Cooling by {COOLING} K leaves up to {tension} of tension in the phase of E = {worst.young:.4g} GPa."

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "mean": self.mean,
            "tensor": self.tensor.tolist(),
            "bounds": bounds_dict(self.bounds),
            "stress_MPa_per_K": [asdict(phase) for phase in self.phases],
            "cooling": self.cooling,
            "iterations": self.iterations,
            "residual": self.residual,
            "seconds": self.seconds,
        }


def heated(
    data: VoxelFields, K: torch.Tensor, G: torch.Tensor, solved: StiffnessResult, element: str = "mean-dilatation"
) -> Expansion:
    """The expansion of a cell whose stiffness was solved, from one load case more.

    data: with ``alpha``; E tells its materials apart. K, G: (1, nx, ny, nz) in GPa, of the solved cell.

    Raises relaxdesign.physics.fem.ConvergenceError.
    """
    assert data.alpha is not None
    begin, alpha = time.perf_counter(), torch.from_numpy(data.alpha)[None]
    options = {"boundary": solved.boundary, "tol": solved.tol, "element": element}
    thermal = thermal_stress(K, G, alpha, solved.displacement, **options)
    free = torch.linalg.solve(solved.C, thermal.held)[0].numpy()
    return Expansion(
        mean=float(free[:3].mean()),
        tensor=free,
        bounds=field_expansion_bounds(K[0], G[0], data.alpha),
        phases=_stresses(data, heated_fields(solved, thermal, K, G, alpha)),
        iterations=int(thermal.iterations.sum()),
        residual=float(thermal.residual.max()),
        seconds=time.perf_counter() - begin,
    )


def _stresses(data: VoxelFields, fields: LocalFields) -> tuple[PhaseStress, ...]:
    """Of every material but voids."""
    assert data.alpha is not None
    pairs = np.stack([data.E, data.nu, data.alpha], -1).reshape(-1, 3)
    materials, index = np.unique(pairs, axis=0, return_inverse=True)
    if len(materials) > MOST_PHASES:
        return ()
    principal = fields.principal[0]
    mises, tension, compression = (
        1e-3 * field.numpy().ravel() for field in (fields.von_mises[0], principal[2], -principal[0])
    )
    found = []
    for number, (young, _, alpha) in enumerate(materials):
        here = index.ravel() == number
        if young <= 2.0 * TRACE * data.E.max():  # a void
            continue
        found.append(
            PhaseStress(
                young=float(young),
                alpha=float(alpha),
                share=float(here.mean()),
                von_mises=float(mises[here].max()),
                von_mises_99=float(np.quantile(mises[here], _QUANTILE)),
                tension=float(tension[here].max()),
                compression=float(compression[here].max()),
            )
        )
    return tuple(sorted(found, key=lambda phase: -phase.young))
