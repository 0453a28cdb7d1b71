"""What powders of unlike particles fill, and how far the closed forms hold for them: figures of docs/method.md.

``packing``: in how many of six tries places are found at which particles and the gaps between them fill a share.
``estimates``: simulated K, G and conductivity over what the closed forms say, by contrast and volume fraction.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import torch
from scipy.optimize import brentq

from relaxdesign.materials.material import Material
from relaxdesign.microstructure import LOG_NORMAL, TWO_SIZES
from relaxdesign.microstructure.estimates import estimate_conductivity, estimate_stiffness
from relaxdesign.microstructure.particles.dense import pushed_apart
from relaxdesign.microstructure.particles.packing import particle_volume
from relaxdesign.study.objective import Objective
from relaxdesign.study.simulation import Simulation

GRIDS = {2: 64, 3: 32}
TRIES = 6
FILLED = {2: (0.77, 0.79, 0.81, 0.82), 3: (0.65, 0.66, 0.68, 0.69, 0.7, 0.71)}
SHARES = {2: (0.3, 0.5, 0.6, 0.65, 0.7, 0.75), 3: (0.3, 0.5, 0.6, 0.65)}
PLACEMENTS = {2: 4, 3: 2}
CONTRASTS = (130.0, 10.0, 0.1, 0.01)
MATRIX = Material("matrix", "Matrix", "", 3.1, 0.29, 2.5, 1.2, 1.0, conductivity=1.0)


def packing() -> None:
    for family, dim in ((family, dim) for family in (TWO_SIZES, LOG_NORMAL) for dim in (2, 3)):
        share = family.share.in_dimension(dim).high
        for size in np.linspace(*family.size.in_dimension(dim).range, 3):
            generator = torch.Generator().manual_seed(0)
            cell = family.place(share, size, dim, grid=GRIDS[dim], generator=generator)[0]
            found = []
            for filled in FILLED[dim]:
                gap = _gap_that_fills(cell.diameters.numpy(), filled, dim)
                if gap is not None:
                    starts = (torch.rand(len(cell.centres), dim, generator=generator).double() for _ in range(TRIES))
                    radii = 0.5 * (cell.diameters.numpy() + gap)
                    done = sum(pushed_apart(start.numpy(), radii) is not None for start in starts)
                    found.append(f"{filled:g} (gap {gap * GRIDS[dim]:.2f} voxels): {done} of {TRIES}")
            print(f"{family.name}, {dim}D, {share:g}, mean diameter {cell.size:.3f}: {'; '.join(found)}", flush=True)


def _gap_that_fills(diameters: np.ndarray, filled: float, dim: int) -> float | None:
    """None where the particles alone fill more."""

    def missing(gap: float) -> float:
        return float(particle_volume(diameters + gap, dim).sum()) - filled

    return None if missing(0.0) > 1e-9 else float(brentq(missing, -1e-9, 0.2))


def estimates() -> None:
    names = ("K", "G", "conductivity")
    for family, dim in ((family, dim) for family in (TWO_SIZES, LOG_NORMAL) for dim in (2, 3)):
        simulation = Simulation.of(
            [Objective(quantity=n, sense="minimise") for n in names], "periodic", dim, GRIDS[dim]
        )
        size = family.size.in_dimension(dim).clip(0.3)
        for share in SHARES[dim]:
            generator = torch.Generator().manual_seed(0)
            cells = family.place(share, size, dim, grid=GRIDS[dim], count=PLACEMENTS[dim], generator=generator)
            for contrast in CONTRASTS:
                raised = {name: contrast * getattr(MATRIX, name) for name in ("young", "bulk", "shear", "conductivity")}
                found = simulation.values((MATRIX, replace(MATRIX, **raised)), cells).mean
                stiffness = estimate_stiffness(2.5, 1.2, 2.5 * contrast, 1.2 * contrast, share, dim)
                said = stiffness.bulk, stiffness.average_shear, estimate_conductivity(1.0, contrast, share, dim)
                ratios = (f"{name} {found[name] / float(of):.3f}" for name, of in zip(names, said, strict=True))
                gap = min(cell.gap for cell in cells) * GRIDS[dim]
                where = f"{family.name}, {dim}D, {share:g}, gap {gap:.2f} voxels"
                print(f"{where}, contrast {contrast:g}: {', '.join(ratios)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("packing", "estimates"))
    {"packing": packing, "estimates": estimates}[parser.parse_args().what]()
