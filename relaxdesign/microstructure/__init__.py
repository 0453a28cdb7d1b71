"""Kinds of microstructure: each family in its room, and the one list of them.

A new family is a room with an object that has what `base.Inclusions` or `base.Shape` asks for, and a line in
`FAMILIES`: request, guidance, refinement, library, export, command line and app find it there.
"""

from relaxdesign.microstructure.base import VOLUME_FRACTION, Family, Inclusions, Parameter
from relaxdesign.microstructure.free_form import FREE_FORM
from relaxdesign.microstructure.particles import COATED, HYBRID, LOG_NORMAL, PARTICLES, TWO_SIZES

FAMILIES: dict[str, Family] = {
    family.name: family for family in (PARTICLES, TWO_SIZES, LOG_NORMAL, COATED, HYBRID, FREE_FORM)
}
"""All families by name; the first is the default."""


def drawable() -> dict[str, Inclusions]:
    """The families that can draw a cell by its parameters."""
    return {name: family for name, family in FAMILIES.items() if isinstance(family, Inclusions)}


def known_parameters() -> dict[str, Parameter]:
    """What cells of all families are described by, by name: the volume fraction first, and their parameters.

    One that several families have is called as the first of them calls it.
    """
    known: dict[str, Parameter] = {}
    for parameter in (parameter for family in FAMILIES.values() for parameter in family.parameters):
        known.setdefault(parameter.name, parameter)
    return {VOLUME_FRACTION.name: VOLUME_FRACTION} | known


__all__ = ["FAMILIES", "FREE_FORM", "LOG_NORMAL", "PARTICLES", "TWO_SIZES", "Family", "drawable", "known_parameters"]
