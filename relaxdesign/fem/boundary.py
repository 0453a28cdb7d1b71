"""Boundary conditions of a unit cell."""

from __future__ import annotations

import enum


class Boundary(enum.StrEnum):
    """How the cell is loaded."""

    PERIODIC = "periodic"
    """Macroscopic strain plus a periodic fluctuation: the definition of effective properties used here."""
    KUBC = "kubc"
    """Linear displacement on the whole surface (kinematic uniform): an upper estimate."""
    UNIAXIAL = "uniaxial"
    """u_z = ε z on every surface node, u_x and u_y free: for comparison with published runs only."""


AVAILABLE = (Boundary.PERIODIC,)


def resolve_boundary(boundary: str | Boundary) -> Boundary:
    """The boundary condition of that name, or ValueError naming those that are available."""
    names = ", ".join(repr(str(name)) for name in AVAILABLE)
    try:
        resolved = Boundary(boundary)
    except ValueError:
        raise ValueError(f"boundary {boundary!r} is unknown; available: {names}") from None
    if resolved not in AVAILABLE:
        raise ValueError(f"boundary '{resolved}' is not implemented yet; available: {names}")
    return resolved
