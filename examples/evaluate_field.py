"""Computes the effective properties of a cell that is drawn with NumPy: a stiff sphere in a soft matrix."""

from __future__ import annotations

import numpy as np

import relaxdesign as rd


def main(grid: int = 32, diameter: float = 0.6) -> rd.Evaluation:
    """Returns the properties of an aluminium sphere in epoxy. diameter: in cell edges; grid: voxels per edge."""
    axis = (np.arange(grid) + 0.5) / grid - 0.5
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    inside = x**2 + y**2 + z**2 < (diameter / 2) ** 2

    cell = rd.VoxelFields(
        E=np.where(inside, 70.0, 3.0),  # GPa
        nu=np.where(inside, 0.33, 0.35),
        rho=np.where(inside, 2.7, 1.2),  # g/cm³
        k=np.where(inside, 237.0, 0.2),  # W/(m K)
    )
    properties = rd.evaluate(cell)

    low, high = properties.bulk_bounds.hs_lower, properties.bulk_bounds.hs_upper
    print(f"volume fraction {inside.mean():.3f}")
    print(f"K = {properties.bulk:.3f} GPa, between the Hashin–Shtrikman bounds {low:.3f} and {high:.3f} GPa")
    print(f"E = {properties.young:.3f} GPa, ν = {properties.poisson:.3f}, anisotropy {properties.anisotropy:.3f}")
    if properties.conduction is not None:
        print(f"k = {properties.conduction.mean:.3f} W/(m K)")
    return properties


if __name__ == "__main__":
    main()
