"""Random cells of two phases, periodic, in many shapes: what a prior of free form learns from.

A generator draws ``count`` cells at once. Phase 1, true in the labels, is the solid of lattices and foams. Generators
of networks give only cells whose phase 1 is one piece that goes on for ever along all axes; those of inclusions
(`fibrous`, `particles`) do not ask for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from relaxdesign.microstructure.connectivity import pieces
from relaxdesign.microstructure.free_form.struts import random_struts, strut_distance

SOLID_RANGE = (0.08, 0.92)
"""Shares of phase 1 that are drawn."""

FINEST = {2: 5.0, 3: 3.5}
"""Most waves per edge of random fields, by dimension."""

_LARGEST_PIECE = 0.9  # of phase 1: what is loose besides is taken away
_MOST_DRAWS = 60

Draw = Callable[[int, int, int, torch.Generator], Tensor]
"""(count, grid, dim, generator) -> labels, bool (count, *grid)."""


@dataclass(frozen=True)
class Generator:
    """A kind of shapes. title: for people. network: whether phase 1 has to be one piece. dims: in which it differs."""

    name: str
    title: str
    draw: Draw
    network: bool = True
    dims: tuple[int, ...] = (2, 3)


def draw_shapes(name: str, count: int, grid: int, dim: int, generator: torch.Generator) -> Tensor:
    """``count`` random cells of a kind, bool (count, *grid); a network is one piece.

    Raises KeyError for an unknown name and RuntimeError if hardly any cell drawn is one piece.
    """
    kind = GENERATORS[name]
    if not kind.network:
        return kind.draw(count, grid, dim, generator)
    found: list[Tensor] = []
    for _ in range(_MOST_DRAWS):
        for cell in kind.draw(count, grid, dim, generator):
            if (whole := one_piece(cell)) is not None:
                found.append(whole)
                if len(found) == count:
                    return torch.stack(found)
    raise RuntimeError(f"hardly any cell of the kind {name} is one piece at {grid} voxels per edge")


def one_piece(cell: Tensor) -> Tensor | None:
    """The cell without loose pieces of phase 1; None if too much of it is loose, or it ends somewhere."""
    found = pieces(cell.numpy())
    low, high = SOLID_RANGE
    if not len(found.voxels) or found.spans[0] < cell.ndim:
        return None
    if found.voxels[0] < _LARGEST_PIECE * found.voxels.sum() or not low <= found.voxels[0] / cell.numel() <= high:
        return None
    return torch.from_numpy(found.largest)


def _uniform(low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)


def _filled(field: Tensor, share: Tensor) -> Tensor:
    """True where a field (count, *grid) is largest, in such a share (count,) of each cell."""
    flat = field.flatten(1)
    above = (share * flat.shape[1]).long().clamp(1, flat.shape[1] - 1)
    threshold = flat.sort(1, descending=True).values.gather(1, above[:, None])
    return (flat > threshold).view(field.shape)


def _shares(count: int, generator: torch.Generator, low: float = 0.1, high: float = 0.9) -> Tensor:
    """Random shares, small ones more often: many of them are refused, as they are not one piece."""
    return low + (high - low) * torch.rand(count, generator=generator) ** 1.5


def _across(values: Tensor, dim: int) -> Tensor:
    """(count,) values, to broadcast over cells (count, *grid)."""
    return values.view((-1,) + (1,) * dim)


def _axis(count: int, dim: int, generator: torch.Generator) -> Tensor:
    """Unit vectors (count, dim): half of them along an axis of the cell, half in any direction."""
    free = torch.nn.functional.normalize(torch.randn(count, dim, generator=generator), dim=1)
    along = torch.eye(dim)[torch.randint(dim, (count,), generator=generator)]
    return torch.where(torch.rand(count, 1, generator=generator) < 0.5, along, free)


def random_field(
    count: int,
    grid: int,
    dim: int,
    generator: torch.Generator,
    favoured: Callable[[Tensor], Tensor] | None = None,
    finest: float | None = None,
) -> Tensor:
    """Gaussian random fields (count, *grid) whose spectrum is a ring of random radius and width.

    finest: most waves per edge. favoured: logarithm of the amplitude of directions, unit vectors (dim, *grid) ->
    (count, *grid).
    """
    frequency = torch.fft.fftfreq(grid, 1 / grid)
    wave = torch.stack(torch.meshgrid(*[frequency] * dim, indexing="ij"))
    stretch = torch.exp(0.35 * torch.randn(count, dim, generator=generator))
    stretch = torch.where(torch.rand(count, 1, generator=generator) < 0.5, torch.ones(1), stretch)
    size = torch.einsum("na,a...->n...", stretch.square(), wave.square()).sqrt()
    finest = finest or FINEST[dim]
    radius = torch.exp(_uniform(math.log(1.2), math.log(finest), count, generator))
    width = torch.exp(_uniform(math.log(0.25), math.log(1.5), count, generator))
    log_amplitude = -((size - _across(radius, dim)) / _across(width, dim)).square() / 2
    if favoured is not None:
        log_amplitude = log_amplitude + favoured(wave / wave.norm(dim=0).clamp_min(1.0))
    noise = torch.randn((count,) + (grid,) * dim, generator=generator)
    axes = tuple(range(1, dim + 1))
    amplitude = torch.exp(log_amplitude)
    amplitude.flatten(1)[:, 0] = 0.0  # no mean
    return torch.fft.ifftn(torch.fft.fftn(noise, dim=axes) * amplitude, dim=axes).real


def _interpenetrating(count: int, grid: int, dim: int, generator: torch.Generator) -> Tensor:
    return _filled(random_field(count, grid, dim, generator), _shares(count, generator))


def _turned(count: int, dim: int, generator: torch.Generator, sign: float) -> Callable[[Tensor], Tensor]:
    """Favours waves along (sign 1) or across (-1) a random axis of each cell."""
    axis, strength = _axis(count, dim, generator), _uniform(1.0, 10.0, count, generator)
    return lambda unit: sign * _across(strength, dim) * torch.einsum("na,a...->n...", axis, unit).square()


def _layered(count: int, grid: int, dim: int, generator: torch.Generator) -> Tensor:
    favoured = _turned(count, dim, generator, 1.0)
    return _filled(random_field(count, grid, dim, generator, favoured), _shares(count, generator, 0.25))


def _columnar(count: int, grid: int, dim: int, generator: torch.Generator) -> Tensor:
    favoured = _turned(count, dim, generator, -1.0)
    return _filled(random_field(count, grid, dim, generator, favoured), _shares(count, generator, 0.2))


def _shells(count: int, grid: int, dim: int, generator: torch.Generator) -> Tensor:
    field = random_field(count, grid, dim, generator, finest=0.65 * FINEST[dim])  # a wave makes two walls
    middle = 0.3 * field.flatten(1).std(1) * torch.randn(count, generator=generator)
    return _filled(-(field - _across(middle, dim)).abs(), _shares(count, generator, 0.12, 0.7))


def _symmetric(count: int, grid: int, dim: int, generator: torch.Generator) -> Tensor:
    """Fields with mirror planes across all axes; half of them the same along all axes, too."""
    field = random_field(count, grid, dim, generator)
    for axis in range(1, dim + 1):
        field = field + field.flip(axis)
    same = field
    for turn in range(1, dim):
        order = [0, *(1 + (axis + turn) % dim for axis in range(dim))]
        same = same + field.permute(order)
    if dim == 3:
        same = same + same.transpose(1, 2)
    field = torch.where(_across(torch.rand(count, generator=generator) < 0.5, dim), same, field)
    shell = _across(torch.rand(count, generator=generator) < 0.4, dim)
    spread = _across(field.flatten(1).std(1), dim)
    middle = 0.5 * spread * _across(torch.randn(count, generator=generator), dim)
    return _filled(torch.where(shell, -(field - middle).abs(), field), _shares(count, generator, 0.1, 0.85))


def _surfaces(count: int, grid: int, dim: int, generator: torch.Generator) -> Tensor:
    """Triply periodic surfaces and blends of them: their networks and sheets (2D: slices)."""
    axis = 2 * math.pi * torch.arange(grid) / grid
    points = torch.stack(torch.meshgrid(*[axis] * dim, indexing="ij"))
    cells = []
    for share in _shares(count, generator, 0.12, 0.85).tolist():
        most = torch.tensor([0.6, 0.4] if dim == 3 else [0.35, 0.65])
        periods = 1 + torch.multinomial(most, dim, replacement=True, generator=generator)
        shift = 2 * math.pi * torch.rand(3, generator=generator)
        place = [points[a] * periods[a] + shift[a] for a in range(dim)]
        x, y, z = place if dim == 3 else (*place, shift[2].expand(grid, grid))
        weights = torch.randn(6, generator=generator)
        kept = torch.randperm(6, generator=generator)[: int(torch.randint(1, 4, (), generator=generator))]
        surfaces = _level_surfaces(x, y, z)
        field = torch.stack([weights[i] * surfaces[i] for i in kept.tolist()]).sum(0)
        if torch.rand((), generator=generator) < 0.5:
            field = -(field - 0.3 * field.std() * torch.randn((), generator=generator)).abs()
        cells.append(_filled(field[None], torch.tensor([share]))[0])
    return torch.stack(cells)


def _level_surfaces(x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, ...]:
    """Level functions of Schwarz' P, the gyroid, diamond, I-WP, F-RD and Neovius' surface."""
    (sx, sy, sz), (cx, cy, cz) = ([f(v) for v in (x, y, z)] for f in (torch.sin, torch.cos))
    c2x, c2y, c2z = (torch.cos(2 * v) for v in (x, y, z))
    return (
        cx + cy + cz,
        sx * cy + sy * cz + sz * cx,
        sx * sy * sz + sx * cy * cz + cx * sy * cz + cx * cy * sz,
        cx * cy + cy * cz + cz * cx - (c2x + c2y + c2z) / 2,
        4 * cx * cy * cz - (c2x * c2y + c2y * c2z + c2z * c2x),
        (3 * (cx + cy + cz) + 4 * cx * cy * cz) / 4,
    )


def _lattices(count: int, grid: int, dim: int, generator: torch.Generator) -> Tensor:
    """Struts along the edges of regular, re-entrant and random nets, once or twice per edge of the cell."""
    cells = []
    for _ in range(count):
        repeats = 2 if torch.rand((), generator=generator) < (0.3 if dim == 2 else 0.15) else 1
        struts = random_struts(dim, generator)
        distance = strut_distance(struts, grid // repeats, dim)
        cells.append((distance < 0).repeat((repeats,) * dim))
    return torch.stack(cells)


def _foams(count: int, grid: int, dim: int, generator: torch.Generator) -> Tensor:
    """Walls between the Voronoi cells of random points; in 3D half of them the edges alone (open cells)."""
    axis = (torch.arange(grid) + 0.5) / grid
    points = torch.stack(torch.meshgrid(*[axis] * dim, indexing="ij"), -1).reshape(-1, dim)
    cells = []
    for share in _shares(count, generator, 0.1, 0.65).tolist():
        seeds = torch.rand(int(torch.randint(4, 16, (), generator=generator)), dim, generator=generator)
        stretch = torch.exp(0.25 * torch.randn(dim, generator=generator))
        offset = points[:, None] - seeds[None]
        distance = ((offset - offset.round()) * stretch).norm(dim=-1)
        nearest = distance.topk(3, largest=False).values
        rank = 2 if dim == 3 and torch.rand((), generator=generator) < 0.5 else 1
        wall = (nearest[:, 0] - nearest[:, rank]).view((grid,) * dim)
        cells.append(_filled(wall[None], torch.tensor([share]))[0])
    return torch.stack(cells)


def _fibrous(count: int, grid: int, dim: int, generator: torch.Generator) -> Tensor:
    """Long ellipsoids, all along one axis, along the axes of the cell or in any direction."""
    cells = []
    for _ in range(count):
        number = int(torch.randint(2, 14 if dim == 2 else 50, (), generator=generator))
        order = torch.rand((), generator=generator)
        axes = _axis(1, dim, generator).expand(number, -1)
        if order < 0.4:
            axes = torch.eye(dim)[torch.randint(dim, (number,), generator=generator)]
        elif order < 0.7:
            axes = torch.nn.functional.normalize(torch.randn(number, dim, generator=generator), dim=1)
        length = _uniform(0.2, 0.49, number, generator)
        radius = length / _uniform(2.0, 7.0, number, generator)
        cells.append(_union(torch.rand(number, dim, generator=generator), axes, length, radius, grid))
    return torch.stack(cells)


def _union(centres: Tensor, axes: Tensor, length: Tensor, radius: Tensor, grid: int) -> Tensor:
    """Voxels in any of the ellipsoids of revolution: centres, unit axes (n, dim), half axes (n,) below 1/2."""
    dim = centres.shape[1]
    axis = (torch.arange(grid) + 0.5) / grid
    points = torch.stack(torch.meshgrid(*[axis] * dim, indexing="ij"), -1).reshape(-1, 1, dim)
    offset = points - centres
    offset = offset - offset.round()
    along = (offset * axes).sum(-1)
    across = offset.square().sum(-1) - along.square()
    return ((along / length).square() + across / radius.square() < 1).any(1).view((grid,) * dim)


def _particles(count: int, grid: int, dim: int, generator: torch.Generator) -> Tensor:
    """Discs or spheres of several sizes, which may overlap."""
    cells = []
    for _ in range(count):
        number = int(torch.randint(1, 20 if dim == 2 else 40, (), generator=generator))
        size = float(torch.rand((), generator=generator) * 0.8 + 0.3) * (0.5 / number ** (1 / dim))
        radius = (size * torch.exp(0.25 * torch.randn(number, generator=generator))).clamp(1.5 / grid, 0.45)
        centres = torch.rand(number, dim, generator=generator)
        cells.append(_union(centres, torch.eye(dim)[[0] * number], radius, radius, grid))
    return torch.stack(cells)


def _pores(count: int, grid: int, dim: int, generator: torch.Generator) -> Tensor:
    return ~_particles(count, grid, dim, generator)


GENERATORS: dict[str, Generator] = {
    kind.name: kind
    for kind in (
        Generator("interpenetrating", "Interpenetrating", _interpenetrating),
        Generator("layered", "Layered", _layered),
        Generator("columnar", "Columnar", _columnar, dims=(3,)),
        Generator("shells", "Thin-walled", _shells),
        Generator("symmetric", "Mirror-symmetric", _symmetric),
        Generator("surfaces", "Minimal surfaces", _surfaces),
        Generator("lattice", "Lattice-like", _lattices),
        Generator("foam", "Foam-like", _foams),
        Generator("pores", "Pores in a solid", _pores),
        Generator("fibrous", "Fibrous", _fibrous, network=False),
        Generator("particles", "Particles", _particles, network=False),
    )
}
"""By the name that a prior is told, in the order of its classes: new ones go to the end."""
