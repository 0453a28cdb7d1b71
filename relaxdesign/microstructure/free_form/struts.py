"""Periodic nets of struts: regular, re-entrant and random ones, and the distance of voxels from them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

THINNEST, THICKEST = 0.02, 0.13  # half a strut's thickness, in cell edges

_LONGEST = 0.3  # of a part of a strut, so that the image that is nearest to its middle is the nearest


@dataclass(frozen=True, eq=False)
class Struts:
    """Straight struts in cell edges: start, end (n, dim), which may lie outside the cell; radius (n,)."""

    start: Tensor
    end: Tensor
    radius: Tensor


def random_struts(dim: int, generator: torch.Generator) -> Struts:
    """A net of random kind, proportions and thickness, somewhere in the cell."""

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    kind = float(torch.rand((), generator=generator))
    if kind < 0.25:
        groups = [star(dim, uniform(0.08, 0.47), uniform(0.12, 0.43))]
    elif kind < 0.45:
        groups = [honeycomb(dim, uniform(0.06, 0.42), uniform(0.06, 0.42))]
    elif kind < 0.75:
        named = list(_regular(dim).values())
        chosen = torch.randperm(len(named), generator=generator)[: 1 + int(uniform(0, 1) < 0.4)]
        groups = [named[i] for i in chosen.tolist()]
    else:
        groups = [random_net(dim, generator)]
    thickness = uniform(THINNEST, THICKEST)
    radii = [
        torch.full((len(group),), max(THINNEST, thickness * uniform(0.6, 1.4))) if uniform(0, 1) < 0.5 else
        (thickness * (0.6 + 0.8 * torch.rand(len(group), generator=generator))).clamp_min(THINNEST)
        for group in groups
    ]  # fmt: skip
    ends = torch.cat(groups) + torch.rand(dim, generator=generator)
    order = torch.randperm(dim, generator=generator)
    return Struts(ends[:, 0, order], ends[:, 1, order], torch.cat(radii))


def strut_distance(struts: Struts, grid: int, dim: int) -> Tensor:
    """Distance (*grid) of voxels' centres from the nearest strut's surface in cell edges, negative inside."""
    start, end, radius = _parts(struts)
    axis = (torch.arange(grid) + 0.5) / grid
    points = torch.stack(torch.meshgrid(*[axis] * dim, indexing="ij"), -1).reshape(-1, dim)
    nearest = torch.full((len(points),), torch.inf)
    for a, b, r in zip(start, end, radius, strict=True):
        offset = points - (a + b) / 2
        offset = offset - offset.round()
        half = (b - a) / 2
        along = ((offset @ half) / half.square().sum().clamp_min(1e-12)).clamp(-1, 1)
        torch.minimum(nearest, (offset - along[:, None] * half).norm(dim=1) - r, out=nearest)
    return nearest.view((grid,) * dim)


def _parts(struts: Struts) -> tuple[Tensor, Tensor, Tensor]:
    """The struts cut into parts no longer than ``_LONGEST``."""
    starts, ends, radii = [], [], []
    for a, b, r in zip(struts.start, struts.end, struts.radius, strict=True):
        count = max(1, int(torch.ceil((b - a).norm() / _LONGEST)))
        marks = torch.linspace(0, 1, count + 1)[:, None] * (b - a) + a
        starts.append(marks[:-1])
        ends.append(marks[1:])
        radii.append(r.expand(count))
    return torch.cat(starts), torch.cat(ends), torch.cat(radii)


def star(dim: int, reach: float, corner: float) -> Tensor:
    """A star in every cell, joined to the next by stems along the axes: (n, 2, dim).

    Its tips lie at ``reach`` from the centre on the axes, its other corners at ``±corner`` along every axis. With the
    tips nearer to the centre than the corners it is re-entrant and widens when it is pulled.
    """
    struts = []
    for axis in range(dim):
        for side in (-1.0, 1.0):
            tip = torch.zeros(dim)
            tip[axis] = side * reach
            stem = torch.zeros(dim)
            stem[axis] = side * 0.5
            struts.append(torch.stack((tip, stem)))
            for signs in product((-1.0, 1.0), repeat=dim - 1):
                other = list(signs)
                other.insert(axis, side)
                struts.append(torch.stack((tip, corner * torch.tensor(other))))
    return torch.stack(struts)


def honeycomb(dim: int, first: float, second: float) -> Tensor:
    """A honeycomb in the plane of the first and the last axis, its upright struts of half lengths first and second.

    Re-entrant where they add up to more than 1/2. In 3D a second one, turned by 90° about the last axis, crosses it.
    """
    flat = []
    for side in (-1.0, 1.0):
        flat += [[(0.0, 0.0), (0.0, side * first)], [(0.5, side * 0.5), (0.5, side * (0.5 - second))]]
        flat += [[(0.0, side * first), (turn * 0.5, side * (0.5 - second))] for turn in (-1.0, 1.0)]
    plane = torch.tensor(flat)
    if dim == 2:
        return plane
    nothing = torch.zeros(plane.shape[:2])
    along_x = torch.stack((plane[..., 0], nothing, plane[..., 1]), -1)
    along_y = torch.stack((nothing, plane[..., 0], plane[..., 1]), -1)
    middle = torch.tensor([0.5, 0.0, 0.0])
    return torch.cat((along_x, along_y, along_y + middle))


def random_net(dim: int, generator: torch.Generator) -> Tensor:
    """Random nodes, half the time mirrored across all axes, each joined to its nearest ones."""
    nodes = torch.rand(int(torch.randint(2, 5 if dim == 3 else 6, (), generator=generator)), dim, generator=generator)
    if torch.rand((), generator=generator) < 0.5:
        nodes = nodes[: 2 if dim == 2 else 1]
        for axis in range(dim):
            mirrored = nodes.clone()
            mirrored[:, axis] = -mirrored[:, axis]
            nodes = torch.cat((nodes, mirrored))
    nodes = nodes % 1.0
    images = torch.tensor(list(product((-1.0, 0.0, 1.0), repeat=dim)))
    neighbours = (nodes[None] + images[:, None]).reshape(-1, dim)
    each = int(torch.randint(3, 5 if dim == 2 else 6, (), generator=generator))
    struts = []
    for node in nodes:
        nearest = (neighbours - node).norm(dim=1).topk(each + 1, largest=False).indices[1:]
        struts += [torch.stack((node, neighbours[i])) for i in nearest.tolist()]
    return torch.stack(struts)


def _regular(dim: int) -> dict[str, Tensor]:
    """Nets of struts by name, as (n, 2, dim)."""
    middle = torch.full((dim,), 0.5)
    corners = torch.tensor(list(product((0.0, 1.0), repeat=dim)))
    edges = torch.stack([torch.stack((torch.zeros(dim), unit)) for unit in torch.eye(dim)])
    diagonals = torch.stack([torch.stack((middle, corner)) for corner in corners])
    if dim == 2:
        x, y = edges
        halves = torch.tensor([[(0.5, 0.0), (0.0, 0.5)], [(0.5, 0.0), (1.0, 0.5)],
                               [(0.5, 1.0), (0.0, 0.5)], [(0.5, 1.0), (1.0, 0.5)]])  # fmt: skip
        triangles = torch.cat((diagonals, x[None], (x + torch.tensor([0.0, 0.5]))[None]))
        return {
            "square": edges,
            "diagonal": diagonals,
            "diamonds": halves,
            "triangles": triangles,
            "kagome": torch.cat((halves, x[None] + torch.tensor([0.0, 0.5]))),
            "upright": torch.cat((diagonals, y[None])),
        }
    faces = [torch.tensor([0.5 if i != axis else 0.0 for i in range(3)]) for axis in range(3)]
    across = [
        torch.stack((face, torch.tensor([corner[i] if i != axis else 0.0 for i in range(3)])))
        for axis, face in enumerate(faces)
        for corner in corners
        if corner[axis] == 0
    ]
    centres = [face + side * torch.eye(3)[axis] for axis, face in enumerate(faces) for side in (0.0, 1.0)]
    inner = [
        torch.stack((a, b))
        for i, a in enumerate(centres)
        for j, b in enumerate(centres[:i])
        if i // 2 != j // 2
    ]  # fmt: skip
    tetrahedra = torch.tensor([(0.25, 0.25, 0.25), (0.75, 0.75, 0.25), (0.75, 0.25, 0.75), (0.25, 0.75, 0.75)])
    arms = torch.tensor([(-1, -1, -1), (1, 1, -1), (1, -1, 1), (-1, 1, 1)]) * 0.25
    diamond = torch.stack([torch.stack((node, node + arm)) for node in tetrahedra for arm in arms])
    return {
        "cubic": edges,
        "body-centred": diagonals,
        "face-centred": torch.stack(across),
        "octahedral": torch.stack(inner),
        "diamond": diamond,
        "kelvin": _kelvin(),
    }


def _kelvin() -> Tensor:
    """Edges of the truncated octahedra that fill space, 24 per cell."""
    nodes = {(0.0, 0.25, 0.5), (0.0, 0.5, 0.25), (0.0, 0.75, 0.5), (0.0, 0.5, 0.75)}
    nodes = torch.tensor(sorted({tuple(n[(i + turn) % 3] for i in range(3)) for n in nodes for turn in range(3)}))
    struts = []
    for i, a in enumerate(nodes):
        for b in nodes[:i]:
            step = b - a
            step = step - step.round()
            if abs(float(step.norm()) - 0.125**0.5) < 1e-3:
                struts.append(torch.stack((a, a + step)))
    return torch.stack(struts)
