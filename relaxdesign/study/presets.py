"""Requests to start from: kinds of targets, and applications that engineers will recognise.

Each is a part of a request, of which what it leaves out is as by default. The app offers all, ``relaxdesign design
--preset`` takes them by name.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Preset:
    """about: what it is for, one line. fields: of a request, without those that are as by default."""

    about: str
    fields: dict[str, Any]


def _at_least(quantity: str, value: float) -> dict[str, Any]:
    return {"quantity": quantity, "low": value}


def _at_most(quantity: str, value: float) -> dict[str, Any]:
    return {"quantity": quantity, "high": value}


def _between(quantity: str, low: float, high: float) -> dict[str, Any]:
    return {"quantity": quantity, "low": low, "high": high}


def _extreme(quantity: str, sense: str, weight: float = 1.0) -> dict[str, Any]:
    return {"quantity": quantity, "sense": sense, "weight": weight}


KINDS_OF_TARGETS: dict[str, Preset] = {
    "Stiff and light": Preset(
        "a bulk modulus from 100 GPa on, as light as possible",
        {"objectives": [_at_least("K", 100.0)], "density_weight": 3.0},
    ),
    "Soft and dense": Preset(
        "a bulk modulus up to 5 GPa, as dense as possible",
        {"objectives": [_at_most("K", 5.0), _extreme("density", "maximise", 2.0)]},
    ),
    "Bone-like": Preset(
        "as stiff as cortical bone and not denser",
        {"objectives": [_between("E", 15.0, 20.0), _at_most("density", 2.2)]},
    ),
    "Stiff along x": Preset(
        "a free form half as stiff again along x as along y",
        {"objectives": [_between("K", 60.0, 60.0), _between("Ex/Ey", 1.5, 1.5)], "family": "free-form"},
    ),
    "Titanium lattice": Preset(
        "a lattice for bone implants: stiffness of bone from void and Ti-6Al-4V",
        {
            "objectives": [_between("Ex", 18.0, 18.0), _between("Ey", 18.0, 18.0), _at_most("solid", 0.55)],
            "family": "free-form",
            "phases": ("void", "titanium-alloy-ti-6al-4v-annealed"),
        },
    ),
    "Zero-expansion lattice": Preset(
        "shrinks as it is heated: a lattice of Invar that aluminium bends, from two solids that both expand",
        {
            "objectives": [_at_most("cte_x", -0.3), _at_least("Ex", 5.0), _at_most("solid", 0.7)],
            "family": "free-form",
            "phases": ("void", "invar-36", "aluminium-alloy-6061-t6"),
            "symmetry": "cubic",
            "min_feature": 0.047,
            "steps": 40,
        },
    ),
    "Conducts heat": Preset(
        "a bulk modulus of 80 GPa that conducts heat",
        {"objectives": [_between("K", 80.0, 80.0), _at_least("conductivity", 100.0)]},
    ),
}
"""One for each kind of request."""

APPLICATIONS: dict[str, Preset] = {
    "Thermal interface": Preset(
        "soft and conductive between a chip and its sink: filled silicone or epoxy",
        {
            "objectives": [_at_least("conductivity", 0.6), _at_most("E", 6.0)],
            "categories": ("polymer", "elastomer", "ceramic", "carbon", "metal"),
        },
    ),
    "Electronics base plate": Preset(
        "carries power electronics: expands little more than chips, conducts heat, stiff and light, as AlSiC does",
        {
            "objectives": [
                _between("cte", 7.0, 8.5),
                _at_least("conductivity", 180.0),
                _at_least("E", 190.0),
                _at_most("density", 3.1),
            ],
            "family": "particles-two-sizes",
            "categories": ("metal", "ceramic", "carbon", "semiconductor"),
        },
    ),
    "Invar-like": Preset(
        "keeps its size as it is heated: mounts of optics and measuring machines",
        {
            "objectives": [_at_most("cte", 3.0), _at_least("E", 100.0)],
            "categories": ("metal", "ceramic", "glass", "carbon"),
        },
    ),
    "Low-stress interface": Preset(
        "between parts that expand differently: conducts heat, yields, and expands little for a polymer",
        {
            "objectives": [_at_most("cte", 30.0), _at_least("conductivity", 1.0), _at_most("E", 5.0)],
            "family": "particles-two-sizes",
            "categories": ("polymer", "elastomer", "ceramic", "carbon", "metal"),
        },
    ),
    "Light stiff panel": Preset(
        "core or panel that floats: syntactic foam",
        {
            "objectives": [_at_least("E", 2.0), _at_most("density", 0.95)],
            "categories": ("polymer", "glass", "mineral", "foam"),
        },
    ),
    "Wear part": Preset(
        "hard and stiff: cemented carbide, cermet or ceramic composite",
        {
            "objectives": [_at_least("E", 380.0)],
            "categories": ("metal", "ceramic", "cermet", "carbon"),
        },
    ),
    "Damping mount": Preset(
        "a soft and heavy rubber; parallel fibres would be stiff along themselves",
        {
            "dim": 3,
            "objectives": [_at_most("E", 0.05), _at_least("density", 3.0)],
            "categories": ("elastomer", "metal", "mineral", "ceramic"),
        },
    ),
    "Dental resin": Preset(
        "a filled resin as stiff as dentine",
        {
            "objectives": [_between("E", 8.0, 14.0), _at_most("density", 2.6)],
            "categories": ("polymer", "glass", "ceramic", "mineral"),
        },
    ),
    "Polymer concrete": Preset(
        "rock or sand bound by a resin, as cheap as possible",
        {
            "objectives": [_at_least("E", 10.0), _extreme("price_per_litre", "minimise")],
            "categories": ("polymer", "rock", "mineral"),
        },
    ),
    "Radiation shield": Preset(
        "a dense and bendable shield without lead",
        {
            "objectives": [_at_least("density", 6.0), _at_most("E", 20.0)],
            "categories": ("polymer", "elastomer", "metal"),
        },
    ),
}
"""Of composites that are made."""

PRESETS = KINDS_OF_TARGETS | APPLICATIONS
"""All by their names."""


def fields_of(name: str) -> dict[str, Any]:
    """The fields of a request that a preset sets. name: in capitals or not. Raises ValueError for an unknown one."""
    by_name = {title.replace("-", " ").casefold(): found for title, found in PRESETS.items()}
    wanted = name.strip().replace("-", " ").casefold()
    if wanted in by_name:
        return dict(by_name[wanted].fields)
    near = difflib.get_close_matches(wanted, list(by_name), 1, 0.6)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"unknown preset {name!r}{meant} Known are {', '.join(PRESETS)}")
