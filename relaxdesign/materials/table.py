"""Tables of materials as people's programs write them: encodings, separators, decimal signs, headings with units."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from relaxdesign.materials.headings import (
    QUANTITIES,
    REQUIRED,
    Column,
    UnitError,
    is_for_people,
    nearest_heading,
    read_heading,
)
from relaxdesign.materials.material import Material, Number, material_of
from relaxdesign.materials.numbers import AmbiguousNumbers, decimal_sign, read_number

MOST_SHOWN = 10
"""Problems of a table that are told; the rest is counted."""

HIGHEST_SPECIFIC_STIFFNESS = 400.0
"""E / ρ in GPa cm³/g, above that of diamond (330)."""

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
_LONGEST_QUOTE = 40

FORMULA = "=+-@＝＋－＠"
"""What spreadsheets take for a formula if a cell begins with it."""
_GUARD = re.compile(rf"^'(?=[{re.escape(FORMULA)}])")
"""The apostrophe that keeps a cell from being one, see `relaxdesign.materials.writing`."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx and .ods, .xls


class CatalogueError(ValueError):
    """A catalogue that cannot be used; ``problems`` names each bad row with its reason."""

    def __init__(self, problems: Sequence[str]):
        self.problems = tuple(problems)
        shown = "\n".join(f"  {problem}" for problem in self.problems[:MOST_SHOWN])
        more = f"\n  … and {len(self.problems) - MOST_SHOWN} more" if len(self.problems) > MOST_SHOWN else ""
        super().__init__(f"the material catalogue has {len(self.problems)} problem(s):\n{shown}{more}")


@dataclass(frozen=True)
class Reading:
    """How a table was understood.

    delimiter, decimal_sign: characters. columns: those that are used. warnings: for whoever gave the file.
    """

    delimiter: str
    decimal_sign: str
    columns: tuple[Column, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Row:
    """line: number in the file. cells: by column of the catalogue. fault: why the row cannot be read, or ""."""

    line: int
    cells: dict[str, str]
    fault: str = ""


def decode_table(content: bytes) -> tuple[str, tuple[str, ...]]:
    """The text of a file, and warnings: UTF-8, UTF-16 and UTF-32 with byte order mark, else Windows-1252.

    Raises CatalogueError for what is no text.
    """
    if content.startswith(_WORKBOOKS):
        raise CatalogueError(["the file is a workbook of a spreadsheet program: save the sheet as CSV (UTF-8)"])
    encoding = next((name for mark, name in _BOMS if content.startswith(mark)), "utf-8")
    warnings: tuple[str, ...] = ()
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        try:
            text = content.decode("cp1252" if encoding == "utf-8" else encoding)
        except UnicodeDecodeError:
            raise CatalogueError(["the file is not UTF-8 text: save it as CSV (UTF-8)"]) from None
        warnings = (f"the file is not UTF-8 and was read as Windows-1252: check {_first_foreign(text)!r}",)
    if "\0" in text:
        raise CatalogueError(["the file is not UTF-8 text, it has NUL characters: save it as CSV (UTF-8)"])
    return text, warnings


def read_materials(text: str, warnings: Sequence[str] = ()) -> tuple[tuple[Material, ...], Reading]:
    """Reads all materials of a table and tells how it was understood. warnings: to be told with those of the table.

    Raises CatalogueError with one entry per bad column and row.
    """
    delimiter = _delimiter(text)
    records = _records(text, delimiter)
    headings = _headings(records)
    columns, unused = _columns(headings)
    rows, unnamed = _rows(records, headings, columns)
    if not rows:
        raise CatalogueError(["the file has a header but no rows"])
    numeric = [column for column in columns if column.key in QUANTITIES]
    try:
        sign = decimal_sign((row.cells[c.key] for row in rows if not row.fault for c in numeric), delimiter)
    except AmbiguousNumbers as error:
        raise CatalogueError([str(error)]) from None
    materials = _materials(rows, columns, sign)
    told = (*warnings, *unused, *unnamed, *_implausible(materials), *_mixed_prices(materials))
    return materials, Reading(delimiter, sign, tuple(columns), told)


def read_material(cells: Mapping[str, str]) -> tuple[Material, tuple[str, ...]]:
    """Reads one material of cells by column of the catalogue, as a row of a table, and warnings of it.

    Raises ValueError, with the words that a table's row is refused with.
    """
    columns = [Column(key, key, position) for position, key in enumerate(cells)]
    texts = {key: " ".join(text.split()) for key, text in cells.items()}
    sign = decimal_sign((text for key, text in texts.items() if key in QUANTITIES), ",")
    material = _material(_Row(0, texts), columns, sign)
    return material, _implausible([material])


def _materials(rows: Sequence[_Row], columns: Sequence[Column], sign: str) -> tuple[Material, ...]:
    materials: list[Material] = []
    problems: list[str] = []
    lines: dict[str, int] = {}
    for row in rows:
        try:
            material = _material(row, columns, sign)
            if material.id in lines:
                raise ValueError(f"this id appears twice, first in line {lines[material.id]}")
        except ValueError as error:
            problems.append(f"line {row.line} ({_short(row.cells['id']) or 'no id'}): {error}")
        else:
            lines[material.id] = row.line
            materials.append(material)
    if problems:
        raise CatalogueError(problems)
    return tuple(materials)


def _implausible(materials: Sequence[Material]) -> tuple[str, ...]:
    """A warning if materials are stiffer for their density than any real one."""
    found = [m for m in materials if m.young > HIGHEST_SPECIFIC_STIFFNESS * m.density]
    if not found:
        return ()
    first, more = found[0], f" and {len(found) - 1} more" if len(found) > 1 else ""
    return (
        f"{_short(first.id)}{more}: E is {first.young:.4g} GPa at {first.density:.4g} g/cm³, more for its density than "
        "of diamond: check the units in the headings",
    )


def _mixed_prices(materials: Sequence[Material]) -> tuple[str, ...]:
    """A warning if prices are in several currencies."""
    found = sorted({material.money for material in materials if material.money})
    told = f"prices are in {', '.join(found)} and are compared as numbers: give all in one currency"
    return (told,) if len(found) > 1 else ()


def _material(row: _Row, columns: Sequence[Column], sign: str) -> Material:
    """Raises ValueError for a row that makes none."""
    if row.fault:
        raise ValueError(row.fault)
    numbers, texts = {}, dict(row.cells)
    for column in columns:
        text = row.cells[column.key]
        if text and column.currency:
            texts["currency"] = texts.get("currency") or column.currency
        if column.key in QUANTITIES:
            try:
                value = read_number(text, sign, column.factor) if text else None
            except ValueError as error:
                raise ValueError(f"{column.heading} is {_short(text)!r}, {error}") from None
            numbers[column.key] = Number(value, column.heading, text)
    return material_of(texts, numbers)


def _delimiter(text: str) -> str:
    """What separates the columns: as a first line ``sep=;`` says, else what makes most known headings."""
    if said := re.match(r'\s*"?sep=([^\w\s".]|\t)', text, re.IGNORECASE):
        return said[1]

    def known(delimiter: str) -> tuple[int, int]:
        """Headings that are known, and all."""
        try:
            headings = _headings(_records(text, delimiter, strict=False))
        except CatalogueError:
            return 0, 0
        return sum(_is_known(heading) for heading in headings), len(headings)

    return max(DELIMITERS, key=known)


def _records(text: str, delimiter: str, *, strict: bool = True) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells of all records that are not blank."""
    records = csv.reader(
        io.StringIO(text, newline=None),  # any line ends
        delimiter=delimiter,
        skipinitialspace=True,
        strict=strict,
    )
    try:
        for record in records:
            cells = [_GUARD.sub("", cell.strip()) for cell in record]
            if any(cells):
                yield records.line_num, cells
    except csv.Error as error:
        raise CatalogueError(
            [
                f"line {records.line_num}: the file cannot be read as CSV: {error}. A cell in double quotes ends with "
                "the quote, and a quote within it is written twice"
            ]
        ) from None


def _headings(records: Iterator[tuple[int, list[str]]]) -> list[str]:
    """The first record that is no ``sep=``; it is taken from the records."""
    first = (cells for _, cells in records if not cells[0].lower().startswith("sep="))
    return [" ".join(cell.split()) for cell in next(first, [])]


def _is_known(heading: str) -> bool:
    try:
        return read_heading(heading, 0) is not None
    except UnitError:
        return True


def _columns(headings: Sequence[str]) -> tuple[list[Column], list[str]]:
    """The columns to use, and warnings of those that are not. Raises CatalogueError."""
    columns: dict[str, Column] = {}
    problems: list[str] = []
    warnings: list[str] = []
    unused: list[str] = []
    faulty: set[str] = set()
    for position, heading in enumerate(headings):
        try:
            column = read_heading(heading, position)
        except UnitError as error:
            if error.missing and error.key not in REQUIRED:
                warnings.append(f"{error}; it is not used")
            else:
                problems.append(str(error))
                faulty.add(error.key)
            continue
        if column is None:
            unused += [heading] * bool(heading and not is_for_people(heading))
        elif column.key in columns:
            first = columns[column.key].heading
            same = "is there twice" if first == heading else f"means the same as {first!r}"
            problems.append(f"column {heading!r} {same}: keep one of them")
        else:
            columns[column.key] = column
    missing = [key for key in REQUIRED if key not in columns and key not in faulty]
    near = {heading: key for heading in unused if (key := nearest_heading(heading)) and key not in columns}
    if missing:
        problems.append(_missing(missing, headings, near))
    if problems:
        raise CatalogueError(problems)
    warnings += [f"column {_short(h)!r} is not known and not used; did you mean {key}?" for h, key in near.items()]
    if others := [repr(_short(heading)) for heading in unused if heading not in near]:
        more = f" and {len(others) - MOST_SHOWN} more" if len(others) > MOST_SHOWN else ""
        warnings.append(f"not used: column(s) {', '.join(others[:MOST_SHOWN])}{more}")
    return list(columns.values()), warnings


def _missing(missing: Sequence[str], headings: Sequence[str], near: Mapping[str, str]) -> str:
    found = ", ".join(repr(_short(heading)) for heading in headings[:20] if heading) or "none"
    meant = "".join(f"; is {heading!r} meant as {key}?" for heading, key in near.items() if key in missing)
    return f"missing column(s) {', '.join(missing)}; required: {', '.join(REQUIRED)}; the headings are {found}{meant}"


def _rows(
    records: Iterator[tuple[int, list[str]]], headings: Sequence[str], columns: Sequence[Column]
) -> tuple[list[_Row], list[str]]:
    """All rows, and a warning where cells stand under no heading."""
    rows: list[_Row] = []
    unnamed = [position for position, heading in enumerate(headings) if not heading]
    lost: set[int] = set()
    for line, record in records:
        width = len(record)
        cells = {column.key: record[column.position] if column.position < width else "" for column in columns}
        fault = ""
        if any(record[len(headings) :]):
            fault = (
                f"{width} cells, but there are {len(headings)} headings: put a text or number that contains the "
                "separator into double quotes"
            )
        lost.update(position for position in unnamed if position < width and record[position])
        rows.append(_Row(line, cells, fault))
    return rows, [f"column {position + 1} has no heading and is not used" for position in sorted(lost)]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"


def _first_foreign(text: str) -> str:
    """The first word with a letter beyond ASCII."""
    return next((_short(word) for word in re.split(r"[\s,;|\"]+", text) if not word.isascii()), "")
