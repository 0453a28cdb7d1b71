"""A material by its id or name: what is written in another way is understood, what is ambiguous is refused."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from relaxdesign.materials.material import Material

MOST_LISTED = 10

# Other spellings of words, and of their parts, in the one that is compared.
_SPELLINGS = (
    ("aluminum", "aluminium"), ("gray", "grey"), ("fiber", "fibre"), ("sulph", "sulf"), ("molybdaen", "molybden"),
    ("cesium", "caesium"), ("mold", "mould"), ("ized", "ised"), ("foamglass", "foamglas"),
)  # fmt: skip
_WORD = re.compile(r"[^\W_]+(?:[.,]\d[^\W_]*)*")


def find_material(materials: Sequence[Material], text: str) -> Material:
    """The material with this id, else with this name, else the only one that has all its words in the name.

    Case, hyphens, accents and usual other spellings (aluminum, gray) make no difference; parts of words do not count.
    Raises ValueError if there is none, with the nearest names, or several, with a list.
    """
    wanted, parts = text.strip(), words(text)
    matches: tuple[Callable[[Material], bool], ...] = (
        lambda m: m.id == wanted,
        lambda m: m.name == wanted,
        lambda m: wanted.casefold() in (m.id.casefold(), m.name.casefold()),
        lambda m: bool(parts) and words(m.name) == parts,
        lambda m: _has(words(m.name), parts),
    )
    for match in matches:
        same = list(filter(match, materials))
        if len(same) == 1:
            return same[0]
        if same:
            raise ValueError(_several(wanted, same))
    near = _nearest(materials, wanted)
    meant = f"; the nearest are:\n{_listed(near)}" if near else ""
    raise ValueError(f"unknown material {wanted!r}: it is no id, and no name has it as words{meant}")


@lru_cache(maxsize=10_000)
def words(text: str) -> tuple[str, ...]:
    """Words and numbers of a name in one spelling, small letters and without accents."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    for other, ours in _SPELLINGS:
        plain = plain.replace(other, ours)
    return tuple(word.replace(",", ".") for word in _WORD.findall(plain))


def _has(name: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """Whether all wanted words are in a name, or neighbours in it are the same written together (E-glass, eglass)."""
    if not wanted:
        return False
    if set(wanted) <= set(name):
        return True
    joined = "".join(wanted)
    return any("".join(name[i:j]) == joined for i in range(len(name)) for j in range(i + 1, len(name) + 1))


def _several(wanted: str, found: Sequence[Material]) -> str:
    first = words(wanted)[:1]
    ordered = sorted(found, key=lambda m: (words(m.name)[:1] != first, m.name.casefold()))
    return f"{len(found)} materials have {wanted!r} in their names; give the id of one:\n{_listed(ordered)}"


def _listed(materials: Sequence[Material]) -> str:
    lines = [f"  {m.id}  ({m.name})" for m in materials[:MOST_LISTED]]
    more = len(materials) - len(lines)
    return "\n".join([*lines, f"  … and {more} more: relaxdesign materials"] if more else lines)


def _nearest(materials: Iterable[Material], wanted: str, count: int = 5) -> list[Material]:
    """Materials whose id, name or one of its words is spelt nearly so, nearest first."""
    text = " ".join(words(wanted))
    matcher = difflib.SequenceMatcher(b=text)

    def likeness(candidate: str) -> float:
        matcher.set_seq1(candidate)
        return matcher.ratio() if matcher.real_quick_ratio() > 0.7 and matcher.quick_ratio() > 0.7 else 0.0

    scores = [
        (max(map(likeness, (" ".join(words(m.id)), " ".join(words(m.name)), *words(m.name))), default=0.0), m)
        for m in materials
    ]
    scores = [(score, m) for score, m in scores if score > 0.7]
    return [m for _, m in sorted(scores, key=lambda pair: (-pair[0], pair[1].name.casefold()))[:count]]
