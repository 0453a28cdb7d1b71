"""Fills surfaces with tetrahedra, or lines with triangles, and writes spheres as STEP, by Gmsh: a program of its own.

    python gmsh_program.py surfaces|lines|step IN.npz OUT.npz

It imports nothing of the package, for Gmsh (GPL) is an optional extra and runs in a process of its own: it keeps its
state in the process, and a mesh that it cannot make may end it. IN has ``points`` (n, dim), ``simplices`` (k, dim) by
points, ``wall`` (k,) the surface that each belongs to (of lines: 1 on the boundary, 2 inside), ``largest``, the length
of edges that is allowed, and of surfaces ``bodies`` (m, 2), pairs of a body and a surface that bounds it, all numbered
from 1. OUT has ``points``, whose first n are those given, ``elements`` and ``body``, the body of each (1 of triangles).

Of ``step``, IN has the edges ``size`` (3,) of a block from the origin, and ``centres`` (n, 3) and ``radii`` (n,) of
spheres, or of cylinders along z if ``flat``; OUT has ``step``, the bytes of the file.
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


def filled(kind: int, dim: int, given: int) -> dict[str, np.ndarray]:
    """The elements of a kind, with their nodes renumbered from 0, those given first."""
    found = gmsh.model.mesh.getNodes()
    tags, places = np.asarray(found[0]), np.asarray(found[1]).reshape(-1, 3)
    order = np.argsort(tags)
    tags, places = tags[order], places[order, :dim]
    if not np.array_equal(tags[:given], np.arange(1, given + 1)):
        raise ValueError("given points are not part of the mesh")
    elements: list[Any] = []
    body: list[Any] = []
    for _, entity in gmsh.model.getEntities(dim):
        nodes = gmsh.model.mesh.getElementsByType(kind, entity)[1]
        corners: Any = np.searchsorted(tags, nodes)
        elements.append(corners.reshape(-1, dim + 1))
        body.append(np.full(len(elements[-1]), entity))
    return {"points": places, "elements": np.concatenate(elements), "body": np.concatenate(body)}


def step(size: np.ndarray, centres: np.ndarray, radii: np.ndarray, flat: bool) -> np.ndarray:
    """A file of solids: cylinders, cut at the faces of the block and out of it; or whole spheres, beside the block.

    Open CASCADE 7.8 reads spheres that several planes cut back with other volumes than it wrote.
    """
    occ = gmsh.model.occ
    block = occ.addBox(0, 0, 0, *size.tolist())
    solids = [
        (3, occ.addCylinder(x, y, 0, 0, 0, size[2], radius) if flat else occ.addSphere(x, y, z, radius))
        for (x, y, z), radius in zip(centres.tolist(), radii.tolist(), strict=True)
    ]
    if flat:
        pieces, came_from = occ.fragment([(3, block)], solids)
        occ.remove(sorted(set(pieces) - set(came_from[0])), recursive=True)
    before = _volumes()
    gmsh.write("cell.step")
    gmsh.clear()
    gmsh.open("cell.step")
    if not np.allclose(_volumes(), before, rtol=1e-4):
        raise ValueError("Open CASCADE reads other volumes than it wrote")
    return np.fromfile("cell.step", dtype=np.uint8)


def _volumes() -> np.ndarray:
    """Of all solids, the smallest first."""
    gmsh.model.occ.synchronize()
    return np.sort([gmsh.model.occ.getMass(3, tag) for _, tag in gmsh.model.getEntities(3)])


def main(job: str, source: str, target: str) -> None:
    """Does one job."""
    given: dict[str, Any] = dict(np.load(source))
    gmsh.initialize(interruptible=False)
    gmsh.option.setNumber("General.Terminal", 0)
    if job == "step":
        np.savez(target, step=step(given["size"], given["centres"], given["radii"], bool(given["flat"])))
        return
    points, simplices, wall = given["points"], given["simplices"], given["wall"]
    gmsh.option.setNumber("Mesh.Algorithm3D", _DELAUNAY)
    gmsh.option.setNumber("Mesh.MeshSizeMax", float(given["largest"]))
    if job == "surfaces":
        fill_surfaces(points, simplices, wall, given["bodies"])
        found = filled(_TETRAHEDRON, 3, len(points))
    else:
        fill_lines(points, simplices, wall)
        found = filled(_TRIANGLE, 2, len(points))
    np.savez(target, allow_pickle=False, **found)
    gmsh.finalize()


if __name__ == "__main__":
    main(*sys.argv[1:])
