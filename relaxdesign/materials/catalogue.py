"""Base materials: loading, validation, sampling and nearest-material search.

A catalogue is a CSV file with one isotropic material per row. ``Catalogue.default()`` is the one
that is shipped (``assets/materials.csv``, a source for every row); users can load their own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree
from torch import Tensor

from relaxdesign.data import data_file
from relaxdesign.materials import (
    KINDS,
    MOST_SHOWN,
    CatalogueError,
    Material,
    Reading,
    decode_table,
    find_material,
    read_materials,
)
from relaxdesign.materials.channels import Channels, Properties
from relaxdesign.materials.compatibility import Makeable, most_at
from relaxdesign.materials.material import VOID, VOID_NAMES
from relaxdesign.materials.substances import substances

__all__ = ["DEFAULT_CATALOGUE", "KINDS", "Catalogue", "CatalogueError", "Material", "Reading", "occupied_cells"]

DEFAULT_CATALOGUE = data_file("assets/materials.csv")

# The property grid over which materials are drawn and coverage is counted (E GPa, ν, ρ g/cm³): each property has cells
# of a tenth of its maximum, from 0 on, of ν from -1 on.
GRID_CELLS = 10
GRID_MAXIMA = (500.0, 0.5, 10.0)
GRID_LOWEST = (0, -20, 0)

_DRAWS = 100  # of pairs, before those that may be combined are counted


@dataclass(frozen=True)
class Third:
    """A material that all composites have beside the two that are chosen, and how much of it, as their family says."""

    material: Material
    amount: float


@dataclass(frozen=True, eq=False)
class Catalogue:
    """An ordered set of materials with array views of their properties.

    reading: how their file was understood. makeable: least level of the pairs that may be combined, of fibres in the
    third direction (dim 2) or particles (3), see `relaxdesign.materials.compatibility`. third: given beside them.
    given: whether these are the phases of all cells, in their order, and no choice.
    """

    materials: tuple[Material, ...]
    reading: Reading | None = None
    makeable: Makeable = "any"
    dim: int = 3
    third: Third | None = None
    given: bool = False

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

        Columns ``id, name, E_GPa, nu, rho_g_cm3`` are required; ``category, substance, kind, K_GPa, G_GPa, k_W_mK,
        cte_1e-6_K, price_per_kg, E_std_GPa, k_std_W_mK, flag, source, url`` are optional. Headings may have other
        units, ``E (MPa)``; columns are separated by commas, semicolons or tabs; the decimal sign is that of the file.
        Raises CatalogueError with one entry per bad column or row.
        """
        return Catalogue.from_text(*decode_table(source if isinstance(source, bytes) else Path(source).read_bytes()))

    @staticmethod
    def from_text(text: str, warnings: Collection[str] = ()) -> Catalogue:
        """Loads a catalogue from the text of a CSV file. warnings: added to its own. Raises as ``from_csv``."""
        materials, reading = read_materials(text, tuple(warnings))
        return Catalogue(materials, reading)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the giver of the file should know, e.g. of columns that are not used."""
        return () if self.reading is None else self.reading.warnings

    def find(self, text: str) -> Material:
        """The material with this id or name, or the only one whose name has these words; see `find_material`.

        Raises ValueError, with a list, if there is none or more than one.
        """
        return find_material(self.materials, text)

    def phase(self, text: str) -> Material:
        """What a phase is made of: a material as `find` finds it, or void, unless a material is called so."""
        try:
            return self.find(text)
        except ValueError:
            if text.strip().casefold() in VOID_NAMES:
                return VOID
            raise

    def of_phases(self, names: Sequence[str]) -> Catalogue:
        """The materials of given phases, in their order, and nothing else; of three void comes first.

        Raises ValueError for an unknown or ambiguous name, for the same material twice and for nothing but void.
        """
        materials = tuple(self.phase(name) for name in names)
        if len({material.id for material in materials}) < len(materials):
            raise ValueError(f"the phases have to be different, got {' and '.join(m.name for m in materials)}")
        if len(materials) > 2:
            materials = tuple(sorted(materials, key=lambda material: not material.void))
        return Catalogue(materials, given=True)

    @property
    def has_void(self) -> bool:
        """Whether one of the phases is void; never of materials on offer."""
        return any(material.void for material in self.materials)

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
            shown = ", ".join(sorted(unknown)[:MOST_SHOWN])
            more = f" and {len(unknown) - MOST_SHOWN} more" if len(unknown) > MOST_SHOWN else ""
            raise ValueError(f"unknown material ids {shown}{more}")
        return Catalogue(
            tuple(
                m
                for m in self.materials
                if (categories is None or m.category in categories) and m.id not in exclude and (flagged or not m.flag)
            )
        )

    def combinable(self, makeable: Makeable, dim: int) -> Catalogue:
        """The materials that make a composite with at least one other, and only such pairs of them.

        Raises ValueError if there are none.
        """
        whole = replace(self, makeable=makeable, dim=dim)
        allowed = ~whole.forbidden
        some = np.asarray(allowed.any(0) | allowed.any(1))
        if not some.any():
            raise ValueError(
                f"no two of the {len(self)} materials on offer make a composite that is {makeable}: offer others, or "
                "allow any pairs"
            )
        return replace(whole, materials=tuple(m for m, keep in zip(self.materials, some.tolist(), strict=True) if keep))

    @cached_property
    def forbidden(self) -> NDArray[np.bool_]:
        """Which ordered pairs (matrix, inclusion) may not be combined, bool (len, len); none where any pair may."""
        return self.most_share <= 0.0

    @cached_property
    def most_share(self) -> NDArray[np.float64]:
        """Largest volume fraction at which ordered pairs may be combined, float64 (len, len); 1 where any pair may."""
        return self._most(self.makeable)

    @cached_property
    def usual_share(self) -> NDArray[np.float64]:
        """As ``most_share``, at which they are of an established class of composites."""
        return self._most("any" if self.makeable == "any" else "established")

    def _most(self, level: Makeable) -> NDArray[np.float64]:
        if level == "any":
            return np.ones((len(self), len(self)))
        place, known = _most_of_substances(level, self.dim)
        which = np.array([place.get(material.substance, -1) for material in self.materials])
        most = known[which][:, which]
        np.fill_diagonal(most, 0.0)
        return most

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
        return Properties(*(torch.from_numpy(self.column(name)) for name in ("bulk", "shear", "density")))

    def column(self, name: str) -> np.ndarray:
        """A number of all materials by its attribute, float64 (len,); NaN where it is unknown."""
        return np.array([getattr(m, name) for m in self.materials], dtype=np.float64)

    @cached_property
    def property_cell(self) -> np.ndarray:
        """Number of the cell of the (E, ν, ρ) grid that each material lies in, shape (len,): 10×10×10 where ν ≥ 0."""
        cell = np.zeros(len(self), dtype=np.int64)
        for name, top, lowest in zip(("young", "poisson", "density"), GRID_MAXIMA, GRID_LOWEST, strict=True):
            index = np.floor(self.column(name) / top * GRID_CELLS).astype(np.int64)
            cell = cell * (GRID_CELLS - lowest) + np.clip(index, lowest, GRID_CELLS - 1) - lowest
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

    def draw_pair(self, *, generator: torch.Generator) -> tuple[int, int]:
        """Indices (matrix, inclusion) of a random pair that may be combined, each material drawn as by `draw`."""
        for _ in range(_DRAWS):
            matrix, inclusion = self.draw(2, generator=generator).tolist()
            if not self.forbidden[matrix, inclusion]:
                return matrix, inclusion
        likely = self.weights[:, None] * self.weights * torch.from_numpy(~self.forbidden)
        drawn = int(torch.multinomial(likely.flatten(), 1, generator=generator))
        return drawn // len(self), drawn % len(self)

    def nearest(self, channels: Channels, values: Tensor, count: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """The ``count`` materials nearest to channel values, nearest first.

        values: (n, 3). Returns (distances, indices), both (n, min(count, len)).
        """
        points = channels.encode(self.properties, axis=-1).numpy()
        most = min(count, len(self))
        distance, index = KDTree(points).query(values.double().numpy(), k=most)
        return np.reshape(distance, (-1, most)), np.reshape(index, (-1, most))


@lru_cache
def _most_of_substances(level: Makeable, dim: int) -> tuple[dict[str, int], NDArray[np.float64]]:
    """Places of all substances, and `most_at` of every ordered pair of them; the last place is of unknown ones."""
    names = [*substances(), ""]
    most = np.array([[most_at(one, other, level, dim) for other in names] for one in names])
    return {name: place for place, name in enumerate(names)}, most


@lru_cache(maxsize=1)
def _load_default() -> Catalogue:
    return Catalogue.from_csv(DEFAULT_CATALOGUE)


def occupied_cells(materials: Iterable[Material]) -> int:
    """Number of cells of the property grid that these materials occupy."""
    return len(np.unique(Catalogue(tuple(materials)).property_cell))
