"""Tables of materials as text: what `relaxdesign.materials.table` reads back, to be edited by people in between."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from relaxdesign.materials.headings import QUANTITIES, REQUIRED
from relaxdesign.materials.material import TEXTS, Material
from relaxdesign.materials.naming import words
from relaxdesign.materials.substances import price_of
from relaxdesign.materials.table import FORMULA

COLUMNS = (
    "id", "name", "category", "substance", "kind", "E_GPa", "nu", "K_GPa", "G_GPa", "rho_g_cm3", "k_W_mK", "cte_1e-6_K",
    "price_per_kg", "currency", "E_std_GPa", "k_std_W_mK", "flag", "source", "url",
)  # fmt: skip
"""In the order in which they are written."""

ROUNDING = 1e-5
"""Relative difference of K or G from what E and ν give up to which they are left out of a table."""


def cells_of(material: Material) -> dict[str, str]:
    """The cells of a material's row, by column; empty where a number is unknown or follows from others.

    K and G are left out where E and ν give them, so that another E does not contradict them; a price where it is that
    of the substance.
    """
    m = material
    bulk, shear = m.young / (3 * (1 - 2 * m.poisson)), m.young / (2 * (1 + m.poisson))
    numbers = {
        "E_GPa": m.young,
        "nu": m.poisson,
        "K_GPa": None if abs(m.bulk - bulk) <= ROUNDING * bulk else m.bulk,
        "G_GPa": None if abs(m.shear - shear) <= ROUNDING * shear else m.shear,
        "rho_g_cm3": m.density,
        "k_W_mK": m.conductivity,
        "cte_1e-6_K": m.expansion,
        "price_per_kg": None if m.price == price_of(m.substance) and not m.currency else m.price,
        "E_std_GPa": m.young_std,
        "k_std_W_mK": m.conductivity_std,
    }
    texts = {column: getattr(m, column) for column in TEXTS}
    return {column: texts[column] if column in texts else number_text(numbers[column]) for column in COLUMNS}


def write_materials(materials: Iterable[Material]) -> str:
    """The text of a CSV file of materials; columns that none of them needs are left out."""
    rows = [cells_of(material) for material in materials]
    used = [column for column in COLUMNS if column in REQUIRED or any(row[column] for row in rows)]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(used)
    writer.writerows([_safe(column, row[column]) for column in used] for row in rows)
    return buffer.getvalue()


def number_text(value: float | None) -> str:
    """The shortest text that is read as this number: 193, 0.35, 1e-06; nothing where it is unknown."""
    return "" if value is None else repr(float(value)).removesuffix(".0")


def new_id(name: str, taken: Iterable[str] | Mapping[str, object]) -> str:
    """An id for a material of this name that is not taken yet: ``steel-304``, ``steel-304-2``."""
    known = set(taken)
    plain = "-".join(word for word in words(name) if word.isascii())[:60].strip("-.,") or "material"
    number, found = 1, plain
    while found in known:
        number += 1
        found = f"{plain}-{number}"
    return found


def _safe(column: str, cell: str) -> str:
    """A text that no spreadsheet takes for a formula: it gets an apostrophe, which is not read. Numbers stay as is."""
    return f"'{cell}" if column not in QUANTITIES and cell.startswith(tuple(FORMULA)) else cell
