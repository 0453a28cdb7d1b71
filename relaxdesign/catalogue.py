"""Base materials: loading, validation, sampling and nearest-material search.

A catalogue is a CSV file with one isotropic material per row. ``Catalogue.default()`` is the one
that is shipped (``assets/materials.csv``, a source for every row); users can load their own.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

from relaxdesign.channels import Channels, Properties

DEFAULT_CATALOGUE = Path(__file__).resolve().parent.parent / "assets" / "materials.csv"

REQUIRED_COLUMNS = ("id", "name", "E_GPa", "nu", "rho_g_cm3")
KINDS = ("measured", "datasheet", "handbook", "computed")

# The property grid over which materials are drawn and coverage is counted (E GPa, ν, ρ g/cm³).
GRID_CELLS = 10
GRID_MAXIMA = (500.0, 0.5, 10.0)


class CatalogueError(ValueError):
    """A catalogue that cannot be used; ``problems`` names each bad row with its reason."""

    def __init__(self, problems: Sequence[str]):
        self.problems = tuple(problems)
        shown = "\n".join(f"  {problem}" for problem in self.problems[:20])
        more = f"\n  … and {len(self.problems) - 20} more" if len(self.problems) > 20 else ""
        super().__init__(f"the material catalogue has {len(self.problems)} problem(s):\n{shown}{more}")


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


@dataclass(frozen=True, eq=False)
class Catalogue:
    """An ordered set of materials with array views of their properties."""

    materials: tuple[Material, ...]

    def __post_init__(self) -> None:
        if not self.materials:
            raise CatalogueError(["no material is left: tick at least two materials or categories"])

    @staticmethod
    def default() -> Catalogue:
        """The shipped catalogue, flagged materials included (see ``select``)."""
        return _load_default()

    @staticmethod
    def from_csv(source: str | Path | bytes) -> Catalogue:
        """Loads a catalogue from a path or from the bytes of a file.

        Columns ``id, name, E_GPa, nu, rho_g_cm3`` are required; ``category, kind, K_GPa, G_GPa,
        k_W_mK, cte_1e-6_K, price_per_kg, flag, source, url`` are optional.
        Raises CatalogueError with one entry per bad row.
        """
        try:
            text = source.decode("utf-8-sig") if isinstance(source, bytes) else Path(source).read_text("utf-8-sig")
        except UnicodeDecodeError:
            raise CatalogueError(["the file is not UTF-8 text: save it as CSV (UTF-8)"]) from None
        try:
            return Catalogue._read(csv.DictReader(io.StringIO(text, newline=None)))  # any line ends
        except csv.Error as error:
            raise CatalogueError([f"the file cannot be read as CSV: {error}"]) from None

    @staticmethod
    def _read(reader: csv.DictReader) -> Catalogue:
        missing = [column for column in REQUIRED_COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise CatalogueError([f"missing column(s) {', '.join(missing)}; required: {', '.join(REQUIRED_COLUMNS)}"])
        materials: list[Material] = []
        problems: list[str] = []
        seen: set[str] = set()
        for row in reader:
            where = f"line {reader.line_num} ({row.get('id') or 'no id'})"
            try:
                material = _parse_row(row)
                if material.id in seen:
                    raise ValueError("this id appears twice")
                seen.add(material.id)
                materials.append(material)
            except ValueError as error:
                problems.append(f"{where}: {error}")
        if problems:
            raise CatalogueError(problems)
        if not materials:
            raise CatalogueError(["the file has a header but no rows"])
        return Catalogue(tuple(materials))

    def select(
        self,
        *,
        categories: Collection[str] | None = None,
        exclude: Collection[str] = (),
        flagged: bool = False,
    ) -> Catalogue:
        """The materials on offer: of these categories (None: all), without the excluded ids.

        flagged: also offer materials that carry a flag (toxic, exotic, …).
        Raises ValueError for a category or id that does not exist.
        """
        unknown = set(categories or ()) - set(self.categories)
        if unknown:
            raise ValueError(
                f"unknown categories {', '.join(sorted(unknown))}; this catalogue has {', '.join(self.categories)}"
            )
        unknown = set(exclude) - set(self.by_id)
        if unknown:
            raise ValueError(f"unknown material ids {', '.join(sorted(unknown))}")
        return Catalogue(
            tuple(
                m
                for m in self.materials
                if (categories is None or m.category in categories) and m.id not in exclude and (flagged or not m.flag)
            )
        )

    def __len__(self) -> int:
        return len(self.materials)

    @cached_property
    def by_id(self) -> dict[str, Material]:
        return {material.id: material for material in self.materials}

    @cached_property
    def categories(self) -> tuple[str, ...]:
        return tuple(sorted({material.category for material in self.materials}))

    @cached_property
    def properties(self) -> Properties:
        """(K, G, ρ) of all materials, float64 tensors of shape (len,)."""
        return Properties(*(self._column(name) for name in ("bulk", "shear", "density")))

    def _column(self, name: str) -> Tensor:
        return torch.tensor([getattr(m, name) for m in self.materials], dtype=torch.float64)

    @cached_property
    def property_cell(self) -> np.ndarray:
        """Index of the cell of the 10×10×10 (E, ν, ρ) grid that each material lies in, shape (len,)."""
        cell = np.zeros(len(self), dtype=np.int64)
        for name, top in zip(("young", "poisson", "density"), GRID_MAXIMA, strict=True):
            index = np.floor(self._column(name).numpy() / top * GRID_CELLS).astype(np.int64)
            cell = cell * GRID_CELLS + np.clip(index, 0, GRID_CELLS - 1)
        return cell

    @cached_property
    def weights(self) -> Tensor:
        """Probability of each material in `draw`, (len,) float64."""
        cells, inverse, sizes = np.unique(self.property_cell, return_inverse=True, return_counts=True)
        return torch.from_numpy(1.0 / (len(cells) * sizes[inverse]))

    def draw(self, count: int, *, generator: torch.Generator) -> Tensor:
        """Indices of ``count`` random materials: first a non-empty property cell, then one in it.

        So rare kinds are not drowned by the many similar steels. Shape (count,), int64.
        """
        return torch.multinomial(self.weights, count, replacement=True, generator=generator)

    def nearest(self, channels: Channels, values: Tensor, count: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """The ``count`` materials nearest to channel values, nearest first.

        values: (n, 3). Returns (distances, indices), both (n, min(count, len)).
        """
        points = channels.encode(self.properties, axis=-1).numpy()
        most = min(count, len(self))
        distance, index = KDTree(points).query(values.double().numpy(), k=most)
        return np.reshape(distance, (-1, most)), np.reshape(index, (-1, most))


@lru_cache(maxsize=1)
def _load_default() -> Catalogue:
    return Catalogue.from_csv(DEFAULT_CATALOGUE)


def _number(row: dict[str, str], column: str, *, required: bool = False) -> float | None:
    text = (row.get(column) or "").strip()
    if not text:
        if required:
            raise ValueError(f"{column} is empty")
        return None
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{column} is {text!r}, not a number (use a point as decimal sign)") from None
    if not math.isfinite(value):
        raise ValueError(f"{column} is {text}, which is not finite")
    return value


def _parse_row(row: dict[str, str]) -> Material:
    text = {key: (row.get(key) or "").strip() for key in ("id", "name", "category", "kind", "flag", "source", "url")}
    for column in ("id", "name"):
        if not text[column]:
            raise ValueError(f"{column} is empty")
    young, poisson, density = (_number(row, column, required=True) for column in ("E_GPa", "nu", "rho_g_cm3"))
    assert young is not None and poisson is not None and density is not None
    if young <= 0:
        raise ValueError(f"E_GPa is {young}; Young's modulus must be above 0")
    if not 0 < poisson < 0.5:
        raise ValueError(f"nu is {poisson}; Poisson's ratio must lie between 0 and 0.5")
    if not 0.01 <= density <= 23:
        raise ValueError(f"rho_g_cm3 is {density}; supported are 0.01 to 23 g/cm³")
    bulk = _number(row, "K_GPa") or young / (3 * (1 - 2 * poisson))
    shear = _number(row, "G_GPa") or young / (2 * (1 + poisson))
    for column, value, expected in (
        ("K_GPa", young, 3 * bulk * (1 - 2 * poisson)),
        ("G_GPa", young, 2 * shear * (1 + poisson)),
    ):
        if abs(value - expected) > 1e-3 * value:
            raise ValueError(
                f"{column} contradicts E_GPa and nu: they give E = {expected:.6g}, not {value:.6g}; "
                f"leave {column} empty to derive it"
            )
    if not 0.001 <= bulk <= 600:
        raise ValueError(f"the bulk modulus is {bulk:.4g} GPa; supported are 0.001 to 600 GPa")
    conductivity = _number(row, "k_W_mK")
    if conductivity is not None and conductivity <= 0:
        raise ValueError(f"k_W_mK is {conductivity}; the conductivity must be above 0, leave it empty if unknown")
    if text["kind"] and text["kind"] not in KINDS:
        raise ValueError(f"kind is {text['kind']!r}; known kinds are {', '.join(KINDS)}")
    return Material(
        id=text["id"],
        name=text["name"],
        category=text["category"] or "other",
        young=young,
        poisson=poisson,
        bulk=bulk,
        shear=shear,
        density=density,
        kind=text["kind"],
        conductivity=conductivity,
        expansion=_number(row, "cte_1e-6_K"),
        price=_number(row, "price_per_kg"),
        flag=text["flag"],
        source=text["source"],
        url=text["url"],
    )


def occupied_cells(materials: Iterable[Material]) -> int:
    """Number of cells of the 10×10×10 property grid that these materials occupy."""
    return len(np.unique(Catalogue(tuple(materials)).property_cell))
