"""The family of a request, ready to be used: with its third phase, and what it supports in the cells' dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from relaxdesign.materials.catalogue import Catalogue, Material, Third
from relaxdesign.microstructure import FAMILIES, FREE_FORM
from relaxdesign.microstructure.base import Family, GivenThird, Inclusions, in_dimension
from relaxdesign.microstructure.free_form import free_form_of


def family_of(name: str, dim: int, materials: Catalogue) -> Family:
    """A family by name. materials: on offer, with the third one that is given, if one is; or of given phases."""
    family = FAMILIES[name]
    if family is FREE_FORM and materials.given:
        return free_form_of(len(materials))
    if isinstance(family, GivenThird) and materials.third is not None:
        family = family.with_third(materials.third.material, materials.third.amount)
    return in_dimension(family, dim) if isinstance(family, Inclusions) else family


def with_third(pair: Sequence[Material], family: Family, third: Third | None) -> tuple[Material, ...]:
    """The materials of all phases by label, of the two that were chosen and the third."""
    phases = list(pair)
    if third is not None and isinstance(family, GivenThird):
        phases.insert(family.given, third.material)
    return tuple(phases)


def third_of(name: str, material: str, amount: float, catalogue: Catalogue) -> Third | None:
    """What is given of the third phase of a family by name; None for families of two.

    material: id or name, looked up in the whole catalogue. amount: 0 for what is usual. Raises ValueError if the
    material is missing, unknown or not wanted, and for an amount out of range.
    """
    family = FAMILIES[name]
    if not isinstance(family, GivenThird):
        if material:
            others = " or ".join(other for other, each in FAMILIES.items() if isinstance(each, GivenThird))
            raise ValueError(f"{family.composites} have two phases: a third one is for cells of {others}")
        return None
    if not material:
        what = family.phases[family.given]
        raise ValueError(f"cells of the family {name} need the material of their {what}: give a third phase")
    return Third(catalogue.find(material), family.amount.check(amount or family.usual))


def beside(materials: Catalogue, third: Third | None) -> Catalogue:
    """The materials to choose from beside a third that is given: of its substance there is no other."""
    if third is None:
        return materials
    given = third.material
    others = [
        m for m in materials.materials if m.id != given.id and not (m.substance and m.substance == given.substance)
    ]
    return replace(materials, materials=tuple(others), third=third)
