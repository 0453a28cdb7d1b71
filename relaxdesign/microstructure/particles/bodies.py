"""Particles as exact bodies: circles and spheres as polyhedra of a stated fineness, for meshes.

The corners of a polyhedron would lie on the surface and its facets inside; it is made larger by as much as it takes to
enclose the particle's own volume, so that meshes have the volume fraction that is stated. Corners then lie outside, and
the middles of facets inside, by no more than the chord error.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from manifold3d import Manifold, OpType

from relaxdesign.microstructure.particles.packing import Packing, particle_volume

_FEWEST_SEGMENTS = 12
_OF_CHORD = 0.6  # the facets of a sphere sag more than its arcs, and all are moved outwards


def particle_body(geometry: Mapping[str, Any], tile: int, height: float, chord: float) -> Manifold:
    """All particles that reach into a block of so many cells along each axis, lengths in cell edges.

    Args:
        geometry: ``centres`` [[x, y(, z)], …] and ``diameter``, or ``diameters`` of unlike ones, of discs or spheres.
        height: of the block of 2D cells.
        chord: largest distance between an arc and its chord, of the diameter.
    """
    packing = Packing.from_dict(geometry)
    centres, diameters, dim = packing.centres.numpy(), packing.diameters.numpy(), packing.dim
    one, wider = _unit_body(dim, height, circle_segments(chord))
    images = [np.array(image) for image in itertools.product(range(-1, tile + 1), repeat=dim)]
    placed = []
    for image in images:
        for centre, diameter in zip(centres, diameters.tolist(), strict=True):
            place, reach = centre + image, 0.6 * diameter
            if ((place > -reach) & (place < tile + reach)).all():
                x, y, z = (*place.tolist(), 0.0)[:3]
                sized = one.scale((diameter, diameter, diameter if dim == 3 else 1.0))
                placed.append(sized.translate((x, y, z)))
    return Manifold.batch_boolean(placed, OpType.Add) if _touch(packing, wider) else Manifold.compose(placed)


def _unit_body(dim: int, height: float, segments: int) -> tuple[Manifold, float]:
    """A particle of diameter 1 as a polyhedron of its own volume, and by how much its corners lie outside, a factor."""
    if dim == 2:
        one = Manifold.cylinder(3.0 * height, 0.5, circular_segments=segments).translate((0, 0, -height))
        wider = math.sqrt(particle_volume(1.0, 2) / (one.volume() / (3.0 * height)))
        return one.scale((wider, wider, 1.0)), wider
    one = Manifold.sphere(0.5, circular_segments=segments)
    wider = (particle_volume(1.0, 3) / one.volume()) ** (1.0 / 3.0)
    return one.scale((wider, wider, wider)), wider


def _touch(packing: Packing, wider: float) -> bool:
    """Whether any two of the polyhedra do."""
    return packing.with_size(wider * packing.size).gap <= 0.0


def circle_segments(chord: float) -> int:
    """Segments of a circle, a multiple of 4, whose chords stay so near to their arcs. chord: of the diameter."""
    angle = math.acos(1.0 - 2.0 * _OF_CHORD * chord)  # half of a segment's
    return max(_FEWEST_SEGMENTS, 4 * math.ceil(math.pi / angle / 4.0))
