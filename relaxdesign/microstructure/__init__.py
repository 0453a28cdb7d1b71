"""Kinds of microstructure: each family in its room, and the one list of them.

A new family is a room with an object that has what `base.Inclusions` or `base.Shape` asks for, and a line in
`FAMILIES`: request, guidance, refinement, library, export, command line and app find it there.
"""

from relaxdesign.microstructure.base import Family
from relaxdesign.microstructure.free_form import FREE_FORM
from relaxdesign.microstructure.particles import PARTICLES

FAMILIES: dict[str, Family] = {family.name: family for family in (PARTICLES, FREE_FORM)}
"""All families by name; the first is the default."""

__all__ = ["FAMILIES", "FREE_FORM", "PARTICLES", "Family"]
