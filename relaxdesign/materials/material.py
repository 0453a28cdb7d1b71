"""One isotropic base material, and the limits within which it is supported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from relaxdesign.materials.substances import price_of

KINDS = ("measured", "datasheet", "handbook", "computed")
TEXTS = ("id", "name", "category", "substance", "kind", "flag", "source", "url")

# Below these a voxel would be a void and the elastic problem singular.
MIN_BULK_GPA = 1e-5
MIN_SHEAR_GPA = 1e-5
MIN_DENSITY = 1e-3

BULK_RANGE = (MIN_BULK_GPA, 600.0)  # GPa
SHEAR_RANGE = (1e-6, 600.0)  # GPa
DENSITY_RANGE = (MIN_DENSITY, 23.0)  # g/cm³


@dataclass(frozen=True)
class Material:
    """An isotropic base material. Moduli in GPa, density in g/cm³."""

    id: str
    name: str
    category: str
    young: float
    poisson: float
    bulk: float
    shear: float
    density: float
    kind: str = ""
    conductivity: float | None = None  # W/(m K)
    expansion: float | None = None  # 1e-6/K
    price: float | None = None  # per kg
    flag: str = ""  # e.g. toxic, exotic: not offered unless asked for
    source: str = ""
    url: str = ""
    young_std: float | None = None  # standard uncertainty of young, GPa
    conductivity_std: float | None = None  # W/(m K)
    substance: str = ""  # id of what its grades share, see `relaxdesign.materials.substances`

    @property
    def void(self) -> bool:
        """Whether it is nothing."""
        return self.young == 0.0

    @property
    def solid(self) -> float:
        """Its contribution to the solid fraction."""
        return 0.0 if self.void else 1.0

    @property
    def price_per_litre(self) -> float | None:
        """Its price by volume, None where that by mass is not known."""
        return None if self.price is None else self.price * self.density

    def uncertainty(self, name: str) -> float:
        """Relative standard uncertainty of a coefficient; ``bulk`` and ``shear`` have that of E, at the same ν.

        What the table says, else what is usual for numbers of this kind of source (see assets/MATERIALS.md). A price is
        an order of magnitude where it is that of the substance; one of its own, densities and voids are exact.
        """
        if name in ("density", "solid", "price"):
            return _ORDER_OF_MAGNITUDE if name == "price" and self.price == price_of(self.substance) else 0.0
        usual = _USUAL.get(self.kind, _USUAL["handbook"])
        if name in ("bulk", "shear"):
            return usual if self.young_std is None else self.young_std / self.young
        if name == "conductivity" and self.conductivity and self.conductivity_std is not None:
            return self.conductivity_std / self.conductivity
        return 2 * usual


VOID = Material(
    "void",
    "Void",
    "void",
    young=0.0,
    poisson=0.0,
    bulk=0.0,
    shear=0.0,
    density=0.0,
    conductivity=0.0,
    expansion=0.0,
    price=0.0,
)
"""Nothing: a phase without stiffness, mass and conductivity; never on offer, but what a phase may be made of."""

VOID_NAMES = ("void", "voids", "pore", "pores", "empty", "vacuum")

_USUAL = {"measured": 0.02, "datasheet": 0.02, "computed": 0.02, "handbook": 0.04}
"""Relative standard uncertainty of E by kind of source. Where two sources of the catalogue tell E of one substance
(27, glasses left out) they differ by 2.5 % in the median, those of handbooks by 5 % (root of the mean square); in
conductivity (11) by twice as much.
"""

_ORDER_OF_MAGNITUDE = 0.4
"""Relative standard uncertainty of prices of substances: grade, quantity and year make a factor of two."""

MAY_LACK = frozenset(each.name for each in fields(Material) if each.default is None)
"""Numbers that need not be known of a material."""


@dataclass(frozen=True)
class Number:
    """A number of a table. value: in the catalogue's unit, None if empty. heading, text: as written in the table."""

    value: float | None
    heading: str
    text: str

    @property
    def written(self) -> str:
        return f"{self.heading} is {self.text}"


def material_of(texts: Mapping[str, str], numbers: Mapping[str, Number]) -> Material:
    """Makes a material of the cells of a row, by their columns; K and G are derived where they are not given.

    Raises ValueError for what is empty, out of range or contradictory.
    """
    text = {column: texts.get(column, "") for column in TEXTS}
    for column in ("id", "name"):
        if not text[column]:
            raise ValueError(f"{column} is empty")
    if text["kind"] and text["kind"] not in KINDS:
        raise ValueError(f"kind is {text['kind']!r}; known kinds are {', '.join(KINDS)}")
    young, poisson, density = (_required(numbers, column) for column in ("E_GPa", "nu", "rho_g_cm3"))
    bulk, shear = _moduli(numbers, young, poisson)
    low, high = DENSITY_RANGE
    if not low <= density <= high:
        raise ValueError(
            f"{numbers['rho_g_cm3'].written}; supported are {low:g} to {high:g} g/cm³. Does the heading say the right "
            "unit, e.g. rho_g_cm3 or rho (kg/m3)?"
        )
    return Material(
        **{column: text[column] for column in TEXTS} | {"category": text["category"] or "other"},
        young=young,
        poisson=poisson,
        bulk=bulk,
        shear=shear,
        density=density,
        conductivity=_positive(numbers, "k_W_mK", "the conductivity"),
        expansion=_optional(numbers, "cte_1e-6_K"),
        price=_positive(numbers, "price_per_kg", "a price")
        if "price_per_kg" in numbers
        else price_of(text["substance"]),
        young_std=_positive(numbers, "E_std_GPa", "an uncertainty"),
        conductivity_std=_positive(numbers, "k_std_W_mK", "an uncertainty"),
    )


def _moduli(numbers: Mapping[str, Number], young: float, poisson: float) -> tuple[float, float]:
    """K and G in GPa, given or derived. Raises ValueError unless all four moduli are physical, supported and agree."""
    if young <= 0:
        raise ValueError(f"{numbers['E_GPa'].written}; Young's modulus must be above 0")
    if not -1 < poisson < 0.5:
        raise ValueError(f"{numbers['nu'].written}; Poisson's ratio must lie between -1 and 0.5, both excluded")
    moduli = []
    for column, label, (low, high), per_young in (
        ("K_GPa", "bulk", BULK_RANGE, 3 * (1 - 2 * poisson)),
        ("G_GPa", "shear", SHEAR_RANGE, 2 * (1 + poisson)),
    ):
        given = _positive(numbers, column, f"the {label} modulus")
        modulus = young / per_young if given is None else given
        if abs(young - modulus * per_young) > 1e-3 * young:
            raise ValueError(
                f"{column} contradicts E_GPa and nu: they give E = {modulus * per_young:.6g}, not {young:.6g}; "
                f"leave {column} empty to derive it"
            )
        if not low <= modulus <= high:
            raise ValueError(
                f"the {label} modulus is {modulus:.4g} GPa ({numbers['E_GPa'].written}, {numbers['nu'].written}); "
                f"supported are {low:g} to {high:g} GPa. Does the heading say the right unit, e.g. E_GPa or E (MPa)?"
            )
        moduli.append(modulus)
    return moduli[0], moduli[1]


def _required(numbers: Mapping[str, Number], column: str) -> float:
    value = _optional(numbers, column)
    if value is None:
        raise ValueError(f"{column} is empty")
    return value


def _optional(numbers: Mapping[str, Number], column: str) -> float | None:
    return numbers[column].value if column in numbers else None


def _positive(numbers: Mapping[str, Number], column: str, what: str) -> float | None:
    value = _optional(numbers, column)
    if value is not None and value <= 0:
        raise ValueError(f"{numbers[column].written}; {what} must be above 0, leave it empty if unknown")
    return value


def void_of(materials: Sequence[Material]) -> int | None:
    """Which of the phases is void, the first one if several are; None if none is."""
    return next((phase for phase, material in enumerate(materials) if material.void), None)
