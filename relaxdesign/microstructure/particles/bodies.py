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
from scipy.spatial import KDTree

from relaxdesign.microstructure.particles.packing import particle_volume

_FEWEST_SEGMENTS = 12
_OF_CHORD = 0.6  # the facets of a sphere sag more than its arcs, and all are moved outwards


def particle_body(geometry: Mapping[str, Any], tile: int, height: float, chord: float) -> Manifold:
    """All particles that reach into a block of so many cells along each axis, lengths in cell edges.

    Args:
        geometry: ``centres`` [[x, y(, z)], …] and ``diameter``, of discs or spheres.
        height: of the block of 2D cells.
        chord: largest distance between an arc and its chord, of the diameter.
    """
    centres, diameter = np.asarray(geometry["centres"], dtype=np.float64), float(geometry["diameter"])
    dim, segments = centres.shape[1], circle_segments(chord)
    if dim == 2:
        one = Manifold.cylinder(3.0 * height, diameter / 2.0, circular_segments=segments).translate((0, 0, -height))
        wider = math.sqrt(particle_volume(diameter, 2) / (one.volume() / (3.0 * height)))
        one = one.scale((wider, wider, 1.0))
    else:
        one = Manifold.sphere(diameter / 2.0, circular_segments=segments)
        wider = (particle_volume(diameter, 3) / one.volume()) ** (1.0 / 3.0)
        one = one.scale((wider, wider, wider))
    reach = 0.6 * diameter
    images = itertools.product(range(-1, tile + 1), repeat=dim)
    at = (centre + np.array(image) for image in images for centre in centres)
    near = [place for place in at if ((place > -reach) & (place < tile + reach)).all()]
    placed = []
    for place in near:
        x, y, z = (*place.tolist(), 0.0)[:3]
        placed.append(one.translate((x, y, z)))
    touching = KDTree(centres % 1.0, boxsize=1.0).query_pairs(wider * diameter)
    return Manifold.batch_boolean(placed, OpType.Add) if touching else Manifold.compose(placed)


def circle_segments(chord: float) -> int:
    """Segments of a circle, a multiple of 4, whose chords stay so near to their arcs. chord: of the diameter."""
    angle = math.acos(1.0 - 2.0 * _OF_CHORD * chord)  # half of a segment's
    return max(_FEWEST_SEGMENTS, 4 * math.ceil(math.pi / angle / 4.0))
