"""Numbers as spreadsheets write them: which sign is the decimal one is settled by the file, never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

SIGNS = {".": "point", ",": "comma"}
_OTHER = {".": ",", ",": "."}
LONGEST = 60
"""Characters of a number."""

_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d{1,3})?", re.IGNORECASE)
_THREE_DIGITS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")  # 1,234: a decimal or thousands
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:(?P<group>[.,'’\s])\d{3})(?:(?P=group)\d{3})*(?:[.,]\d+)?")
_WITH_UNIT = re.compile(r"[+-]?[\d.,]+(e[+-]?\d+)?\s*[^\W\d].*", re.IGNORECASE)


class AmbiguousNumbers(ValueError):
    """Numbers that can be read in two ways."""


def decimal_sign(texts: Iterable[str], delimiter: str) -> str:
    """Tells the decimal sign of a table, "." or ",", from all its numbers.

    A number such as 0,35 or 3,5 settles it; 1,234 does not, as its comma may group thousands. Where numbers of both
    kinds occur the point counts, so that those with a comma are refused one by one. Without any that settles it, a
    table separated by commas has decimal points. Raises AmbiguousNumbers where nothing settles it.
    """
    unsettled = ""
    comma = False
    for written in texts:
        text = written.replace("\N{MINUS SIGN}", "-")
        if not _NUMBER.fullmatch(text) or not (sign := next((s for s in SIGNS if s in text), "")):
            continue
        if _THREE_DIGITS.fullmatch(text) and not (sign == "." and delimiter == ","):
            unsettled = unsettled or text
        elif sign == ".":
            return "."
        else:
            comma = True
    if unsettled and not comma:
        digits = unsettled.replace(",", "").replace(".", "")
        raise AmbiguousNumbers(
            f"{unsettled!r} can be {digits} or {unsettled.replace(',', '.')}, and no other number of the file settles "
            f"it: write {digits} for the one, {unsettled}0 for the other"
        )
    return "," if comma else "."


def read_number(text: str, sign: str, factor: Fraction) -> float:
    """Reads a number with this decimal sign and converts it, rounded once. Raises ValueError, which tells why not."""
    text = text.replace("\N{MINUS SIGN}", "-")
    other = _OTHER[sign]
    if len(text) <= LONGEST and _NUMBER.fullmatch(text) and other not in text:
        plain = text.replace(",", ".")
        value = float(plain) if factor == 1 else float(Fraction(Decimal(plain)) * factor)
        if value != float("inf") and value != float("-inf"):
            return value
    raise ValueError(_reason(text, sign, other))


def _reason(text: str, sign: str, other: str) -> str:
    """Why a text is not read as a number, and what to write instead."""
    if re.fullmatch(r"[+-]?(nan|inf(inity)?)", text, re.IGNORECASE):
        return "which is not finite; leave it empty if unknown"
    if _NUMBER.fullmatch(text) and other in text:
        return (
            f"with a {SIGNS[other]}, but the decimal sign of this file is the {SIGNS[sign]}: use one for all numbers, "
            "and none to group thousands"
        )
    if _GROUPED.fullmatch(text):
        return "with thousands in groups: write the number without them"
    if _WITH_UNIT.fullmatch(text) and not _NUMBER.fullmatch(text):
        return "not a number alone: a unit belongs into the heading, e.g. E (MPa)"
    return f"not a number (this file's decimal sign is the {SIGNS[sign]})"
