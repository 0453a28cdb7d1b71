"""Names and texts of unknown origin made harmless: in paths, in spreadsheet cells, in material cards, as links."""

from __future__ import annotations

import re
import unicodedata

# A cell that begins with one of these is taken for a formula by spreadsheets (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_RESERVED = {"con", "prn", "aux", "nul", *(f"{device}{n}" for device in ("com", "lpt") for n in range(10))}


def safe_name(text: str, longest: int = 60) -> str:
    """A file or folder name for any text: ASCII letters, digits, ``-``, ``_`` and inner dots; never empty.

    Path separators, leading dots and names reserved by Windows are gone.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", plain)
    name = re.sub(r"\.{2,}", ".", name).strip("-._")[:longest].rstrip("-._")
    if not name or name.split(".")[0].lower() in _RESERVED:
        name = f"file-{name}".rstrip("-")
    return name


def safe_cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula: such texts get an apostrophe in front; numbers stay numbers."""
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return value


def web_address(text: str) -> str:
    """An address of the web as it is, anything else, such as a script, as an empty text."""
    return text if text.startswith(("https://", "http://")) and not re.search(r"[\s\"'<>]", text) else ""


def comment_text(text: str) -> str:
    """A text in one line of ASCII, for a comment that must not become a command."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "replace").decode()
    return " ".join("".join(letter if letter.isprintable() else " " for letter in plain).split())
