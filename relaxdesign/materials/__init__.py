"""Base materials: what one is, how tables of them are read, and how one is found by its name."""

from relaxdesign.materials.material import KINDS, Material
from relaxdesign.materials.naming import find_material
from relaxdesign.materials.numbers import SIGNS
from relaxdesign.materials.table import (
    DELIMITERS,
    MOST_SHOWN,
    CatalogueError,
    Reading,
    decode_table,
    read_material,
    read_materials,
)
from relaxdesign.materials.writing import write_materials

__all__ = [
    "DELIMITERS",
    "KINDS",
    "MOST_SHOWN",
    "SIGNS",
    "CatalogueError",
    "Material",
    "Reading",
    "decode_table",
    "find_material",
    "read_material",
    "read_materials",
    "write_materials",
]
