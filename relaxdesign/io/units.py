"""Units of voxel fields: GPa, g/cm³, W/(m K) and 1e-6/K inside; what a file is in, and when that must be asked for."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

FACTORS: dict[str, dict[str, float]] = {
    "E": {"GPa": 1.0, "MPa": 1e-3, "Pa": 1e-9},
    "rho": {"g/cm3": 1.0, "kg/m3": 1e-3, "t/mm3": 1e9},
    "k": {"W/mK": 1.0, "mW/mK": 1e-3},
    "alpha": {"1e-6/K": 1.0, "1/K": 1e6},
}
"""Of each property the units that are known, and what turns them into the first, which is used here."""

# No solid lies beyond: diamond has K = 443 GPa and E up to 1.22 TPa, osmium 22.6 g/cm³, diamond rich in ¹²C about
# 3300 W/(m K), a carbon nanotube about 6000 W/(m K). Poisson's ratios near 1/2 raise K of every material.
STIFFEST_GPA, LARGEST_BULK_GPA, COMPRESSIBLE = 1300.0, 600.0, 0.45
DENSEST, LIGHTEST, MOST_CONDUCTIVE, LEAST_EXPANDING = 25.0, 1e-5, 1e4, 2e-3


@dataclass(frozen=True)
class Units:
    """The units a file is written in; None: not told, taken for the ones used here where that is plausible."""

    E: str | None = None
    rho: str | None = None
    k: str | None = None
    alpha: str | None = None

    @staticmethod
    def parse(text: str | None) -> Units:
        """Units from text such as ``MPa`` or ``Pa,kg/m3``. Raises ValueError for an unknown or a second one."""
        chosen: dict[str, str] = {}
        for part in (text or "").replace(",", " ").split():
            name = next((n for n, known in FACTORS.items() if part.lower() in map(str.lower, known)), None)
            if name is None:
                raise ValueError(f"unknown unit {part!r}; known are {known_units()}")
            if name in chosen:
                raise ValueError(f"two units for {name}, {chosen[name]} and {part}; give one")
            chosen[name] = next(unit for unit in FACTORS[name] if unit.lower() == part.lower())
        return Units(**chosen)

    def factor(self, name: str) -> float:
        """What turns numbers of this property into those used here."""
        unit = getattr(self, name, None)
        return 1.0 if unit is None else FACTORS[name][unit]

    def missing(self) -> list[str]:
        """Properties whose unit was not told."""
        return [field.name for field in fields(self) if getattr(self, field.name) is None]


def known_units() -> str:
    """All units, for messages."""
    return "; ".join(f"{', '.join(units)} for {name}" for name, units in FACTORS.items())


def implausible(name: str, values: np.ndarray, nu: np.ndarray) -> tuple[str, str] | None:
    """What makes the numbers of a property look as if in another unit, and that unit; None for plausible ones.

    values: E (GPa), rho (g/cm³), k (W/(m K)) or alpha (1e-6/K), finite. nu: Poisson's ratios of the same voxels.
    """
    largest = float(values.max())
    if name == "E":
        solid = (nu > -1.0) & (nu < COMPRESSIBLE)
        bulk = float((values[solid] / (3.0 * (1.0 - 2.0 * nu[solid]))).max(initial=0.0))
        if largest > STIFFEST_GPA or bulk > LARGEST_BULK_GPA:
            likely = "Pa" if largest > 1e3 * STIFFEST_GPA else "MPa"
            number = f"a bulk modulus of {bulk:.4g} GPa" if bulk > LARGEST_BULK_GPA else f"E = {largest:.4g} GPa"
            return f"{number} is beyond diamond (K = 443 GPa, E = 1220 GPa)", likely
    elif name == "rho":
        if largest > DENSEST:
            return f"rho = {largest:.4g} g/cm³ is beyond osmium (22.6 g/cm³)", "kg/m3"
        if 0.0 < largest < LIGHTEST:
            return f"rho = {largest:.4g} g/cm³ is less than any gas has", "t/mm3"
    elif name == "k" and largest > MOST_CONDUCTIVE:
        return f"k = {largest:.4g} W/(m K) is beyond any material (diamond: 2000 W/(m K))", "mW/mK"
    elif name == "alpha" and 0.0 < (most := float(np.abs(values).max())) < LEAST_EXPANDING:
        return f"alpha = {most:.4g} · 1e-6/K at most is less than that of any material", "1/K"
    return None
