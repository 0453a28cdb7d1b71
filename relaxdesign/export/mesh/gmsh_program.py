"""Fills given surfaces with tetrahedra, or given lines with triangles, by Gmsh: a program of its own.

    python gmsh_program.py IN.npz OUT.npz

It imports nothing of the package, for Gmsh (GPL) is an optional extra and runs in a process of its own: it keeps its
state in the process, and a mesh that it cannot make may end it. IN has ``points`` (n, dim), ``simplices`` (k, dim) by
points, ``wall`` (k,) the surface that each belongs to, and of tetrahedra ``bodies`` (m, 2), pairs of a body and a
surface that bounds it, all numbered from 1. OUT has ``points``, whose first n are those given, ``elements`` and
``body``, the body of each element (0 of triangles).
"""

from __future__ import annotations

import sys
from typing import Any

import gmsh
import numpy as np

_TRIANGLE, _TETRAHEDRON, _DELAUNAY = 2, 4, 1


def fill_surfaces(points: np.ndarray, triangles: np.ndarray, wall: np.ndarray, bodies: np.ndarray) -> None:
    """Tetrahedra in bodies whose surfaces are triangles, which stay as they are."""
    first = True
    for surface in np.unique(wall).tolist():
        gmsh.model.addDiscreteEntity(2, surface)
        if first:  # all nodes at once: surfaces share those where they meet
            gmsh.model.mesh.addNodes(2, surface, np.arange(1, len(points) + 1), points.ravel())
            first = False
        of = triangles[wall == surface] + 1
        gmsh.model.mesh.addElementsByType(surface, _TRIANGLE, [], of.ravel())
    gmsh.model.mesh.reclassifyNodes()
    for body in np.unique(bodies[:, 0]).tolist():
        loop = gmsh.model.geo.addSurfaceLoop(bodies[bodies[:, 0] == body, 1].tolist())
        gmsh.model.geo.addVolume([loop], body)
    gmsh.model.geo.synchronize()
    gmsh.model.mesh.generate(3)


def fill_lines(points: np.ndarray, segments: np.ndarray, wall: np.ndarray) -> None:
    """Triangles between segments, which stay as they are. wall: 1 of those on the boundary, 2 of those inside."""
    for number, (x, y) in enumerate(points.tolist(), start=1):
        gmsh.model.geo.addPoint(x, y, 0.0, 0.0, number)
    for number, (a, b) in enumerate((segments + 1).tolist(), start=1):
        gmsh.model.geo.addLine(a, b, number)
        gmsh.model.geo.mesh.setTransfiniteCurve(number, 2)
    edge, inner = (np.flatnonzero(wall == kind) + 1 for kind in (1, 2))
    loops = gmsh.model.geo.addCurveLoops(edge.tolist())
    surface = gmsh.model.geo.addPlaneSurface(loops)
    gmsh.model.geo.synchronize()
    gmsh.model.mesh.embed(1, inner.tolist(), 2, surface)
    gmsh.model.mesh.generate(2)


def filled(kind: int, given: int) -> dict[str, np.ndarray]:
    """The elements of a kind, with their nodes renumbered from 0, those given first."""
    tags, places, _ = gmsh.model.mesh.getNodes(includeBoundary=False)
    order = np.argsort(tags)
    tags, places = tags[order], places.reshape(-1, 3)[order]
    assert (tags[:given] == np.arange(1, given + 1)).all()
    found: dict[str, list[Any]] = {"elements": [], "body": []}
    dim = 3 if kind == _TETRAHEDRON else 2
    for _, entity in gmsh.model.getEntities(dim):
        _, nodes = gmsh.model.mesh.getElementsByType(kind, entity)
        corners = np.searchsorted(tags, nodes).reshape(-1, dim + 1)
        found["elements"].append(corners)
        found["body"].append(np.full(len(corners), entity if dim == 3 else 0))
    return {name: np.concatenate(parts) for name, parts in found.items()} | {"points": places}


def main(source: str, target: str) -> None:
    given = dict(np.load(source))
    points = given["points"]
    gmsh.initialize(interruptible=False)
    gmsh.option.setNumber("General.Terminal", 0)
    gmsh.option.setNumber("Mesh.Algorithm3D", _DELAUNAY)
    gmsh.option.setNumber("Mesh.MeshSizeMax", float(given["largest"]))
    if "bodies" in given:
        fill_surfaces(points, given["simplices"], given["wall"], given["bodies"])
        kind = _TETRAHEDRON
    else:
        fill_lines(points, given["simplices"], given["wall"])
        kind = _TRIANGLE
    np.savez(target, **filled(kind, len(points)))
    gmsh.finalize()


if __name__ == "__main__":
    main(*sys.argv[1:])
