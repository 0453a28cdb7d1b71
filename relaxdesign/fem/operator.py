"""Matrix-free elasticity operator of a periodic voxel cell, batched over cells.

With fluctuation u (batch, components, *grid) on the nodes and macroscopic strain E (Voigt), the internal
force is the gradient of the stored energy,

    f(u, E) = Σ_e Aₑᵀ Sᵀ diag(λ_e, μ_e) S [Aₑ u; E],

where Aₑ picks the nodes of voxel e and S are its strain modes (`relaxdesign.fem.elements`). Gather and
scatter are strided copies, everything between is two small dense products over all voxels of a slab, so the
same few lines run fast on CPU and GPU and need no index tables.

Axes of one voxel are periodic through the thickness: they vanish from ``grid`` (2D costs what 2D should)
while the physics stays three-dimensional. Node (i, j, k) is the lower corner of voxel (i, j, k).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from relaxdesign.fem import elements

CPU_SLAB_VOXELS = 32768
"""Voxels times batch handled at once on a CPU: keeps the element vectors in the cache."""

GPU_SLAB_VOXELS = 2**22


def active_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Axes of more than one voxel; axis 0 stands in for a cell of a single voxel."""
    return tuple(axis for axis, size in enumerate(shape) if size > 1) or (0,)


def coupled_components(shape: tuple[int, ...], strain: int) -> tuple[int, ...]:
    """Displacement components that a unit Voigt strain excites in a cell of this shape.

    Through an axis of one voxel nothing varies, so in an isotropic cell the displacement along that axis
    couples only to the shears that contain it (antiplane problem) and the others do not see it.
    """
    active = active_axes(shape)
    i, j = elements.VOIGT[strain]
    if i != j and (i in active) != (j in active):
        return (i,) if j in active else (j,)
    return active


class PeriodicOperator:
    """Stiffness of a batch of periodic cells with one isotropic material per voxel.

    Args:
        lam, mu: Lamé constants in GPa, (batch, nx, ny, nz), same floating dtype and device.
        components: displacement components that may be non-zero (default all three).
    """

    def __init__(self, lam: Tensor, mu: Tensor, components: tuple[int, ...] = (0, 1, 2)):
        self.shape = tuple(lam.shape[1:])
        self.active = active_axes(self.shape)
        self.grid = tuple(self.shape[axis] for axis in self.active)
        self.components = components
        self.lam = lam.reshape(len(lam), *self.grid)
        self.mu = mu.reshape(len(mu), *self.grid)
        self.batch, self.dtype, self.device = len(lam), lam.dtype, lam.device
        self.voxels = self.lam[0].numel()
        self._nodes = len(components) * 2 ** len(self.active)
        fluctuation = elements.fluctuation_modes(self.active, components)
        total = elements.total_modes(self.active, components)
        self._rows, self._volumetric = self._tensor(fluctuation.rows), fluctuation.volumetric
        self._total_rows, self._total_volumetric = self._tensor(total.rows), total.volumetric

    def _tensor(self, array) -> Tensor:
        return torch.as_tensor(array, dtype=self.dtype, device=self.device)

    def select(self, keep: Tensor) -> PeriodicOperator:
        """The same operator for the samples listed in ``keep``."""
        return PeriodicOperator(
            self.lam[keep].reshape(-1, *self.shape),
            self.mu[keep].reshape(-1, *self.shape),
            self.components,
        )

    def to(self, dtype: torch.dtype) -> PeriodicOperator:
        """The same operator in another precision."""
        if dtype == self.dtype:
            return self
        return PeriodicOperator(
            self.lam.to(dtype).reshape(-1, *self.shape),
            self.mu.to(dtype).reshape(-1, *self.shape),
            self.components,
        )

    def zeros(self) -> Tensor:
        """A zero fluctuation, (batch, components, *grid)."""
        return self.lam.new_zeros(self.batch, len(self.components), *self.grid)

    def restrict(self, displacement: Tensor) -> Tensor:
        """Components and active axes of a full field (batch, 3, nx, ny, nz)."""
        kept = displacement[:, list(self.components)].to(self.dtype)
        return kept.reshape(self.batch, len(self.components), *self.grid).contiguous()

    def expand(self, fluctuation: Tensor) -> Tensor:
        """Inverse of `restrict`: full field (batch, 3, nx, ny, nz), zero in the other components."""
        full = fluctuation.new_zeros(len(fluctuation), 3, *self.shape)
        full[:, list(self.components)] = fluctuation.reshape(len(fluctuation), len(self.components), *self.shape)
        return full

    def apply(self, fluctuation: Tensor) -> Tensor:
        """Stiffness times fluctuation: K u, (batch, components, *grid)."""
        padded = _wrap(fluctuation, len(self.grid))
        forces = torch.zeros_like(padded)
        for slab in self._slabs():
            corners = self._gather(padded, slab)
            modes = _product(self._rows, corners)
            self._scale(modes, slab, self._volumetric)
            self._scatter(_product(self._rows.T, modes, out=corners), forces, slab)
        return _fold(forces, len(self.grid))

    def forces(self, fluctuation: Tensor, strain: Tensor) -> tuple[Tensor, Tensor]:
        """Derivatives of the energy by fluctuation and by macroscopic strain.

        Args:
            fluctuation: u, (batch, components, *grid).
            strain: macroscopic strain E, (batch, 6) or (6,).

        Returns:
            Nodal forces f(u, E) (batch, components, *grid) and the stress summed over the voxels
            (batch, 6) float64, so that ``(u' · f + E' · stress sum)`` is the mutual energy with (u', E').
        """
        padded = _wrap(fluctuation, len(self.grid))
        nodal = torch.zeros_like(padded)
        stress = torch.zeros(self.batch, 6, dtype=torch.float64, device=self.device)
        rows, macro = self._total_rows[:, : self._nodes], self._total_rows[:, self._nodes :]
        for slab in self._slabs():
            modes = self._total_modes(padded, strain, slab)
            self._scale(modes, slab, self._total_volumetric)
            self._scatter(_product(rows.T, modes), nodal, slab)
            stress += modes.sum(2, dtype=torch.float64) @ macro.double()
        return _fold(nodal, len(self.grid)), stress

    def load(self, strain: Tensor) -> Tensor:
        """Right-hand side of K u = b: minus the force of the macroscopic strain alone."""
        return -self.forces(self.zeros(), strain)[0]

    def load_scale(self, strain: Tensor) -> Tensor:
        """Norm (batch,) over the voxels of the macroscopic strain's own stress.

        The load is its divergence, which cancels where neighbours are alike: what round-off is measured by.
        """
        macro = self._total_rows[:, self._nodes :] @ self._strain(strain).unsqueeze(-1)
        per_lambda = macro[:, : self._total_volumetric].square().sum((1, 2))
        per_mu = macro[:, self._total_volumetric :].square().sum((1, 2))
        lam2, mu2 = self.lam.flatten(1).square().sum(1), self.mu.flatten(1).square().sum(1)
        return (lam2 * per_lambda + mu2 * per_mu).sqrt()

    def mutual_energies(
        self, first: Tensor, first_strain: Tensor, second: Tensor, second_strain: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Voxel integrals of ∂(ε:C:ε')/∂λ and ∂(ε:C:ε')/∂μ, each (batch, nx, ny, nz).

        ε and ε' are the total strains of two load cases. ``λ · first + μ · second`` summed over the cell
        is the mutual energy, so these fields are both the value and the gradient of the effective moduli.
        """
        same = first is second and first_strain is second_strain
        padded = _wrap(first, len(self.grid))
        other = padded if same else _wrap(second, len(self.grid))
        volumetric, deviatoric = torch.empty_like(self.lam), torch.empty_like(self.lam)
        split = self._total_volumetric
        for slab in self._slabs():
            modes = self._total_modes(padded, first_strain, slab)
            product = modes * (modes if same else self._total_modes(other, second_strain, slab))
            start, stop = slab
            target = volumetric[:, start:stop]
            target.copy_(product[:, :split].sum(1).reshape(target.shape))
            target = deviatoric[:, start:stop]
            target.copy_(product[:, split:].sum(1).reshape(target.shape))
        return volumetric.reshape(-1, *self.shape), deviatoric.reshape(-1, *self.shape)

    # One slab: voxels start..stop along the first active axis.

    def _slabs(self) -> Iterator[tuple[int, int]]:
        limit = CPU_SLAB_VOXELS if self.device.type == "cpu" else GPU_SLAB_VOXELS
        layer = self.batch * self.voxels // self.grid[0]
        step = max(1, limit // max(layer, 1))
        for start in range(0, self.grid[0], step):
            yield start, min(start + step, self.grid[0])

    def _gather(self, padded: Tensor, slab: tuple[int, int]) -> Tensor:
        """Corner values of each voxel of the slab, (batch, components * corners, voxels)."""
        start, stop = slab
        batch_stride, component_stride, *strides = padded.stride()
        size = (stop - start, *self.grid[1:])
        corners = padded.as_strided(
            (padded.shape[0], padded.shape[1], *(2,) * len(size), *size),
            (batch_stride, component_stride, *strides, *strides),
            padded.storage_offset() + start * strides[0],
        )
        # the windows overlap in memory: a copy, also where reshape would return a view
        copy = corners.clone(memory_format=torch.contiguous_format)
        return copy.reshape(padded.shape[0], self._nodes, -1)

    def _scatter(self, nodal: Tensor, padded: Tensor, slab: tuple[int, int]) -> None:
        """Add corner forces (batch, components * corners, voxels) of the slab to ``padded``."""
        start, stop = slab
        size = (stop - start, *self.grid[1:])
        corners = 2 ** len(size)
        nodal = nodal.reshape(padded.shape[0], padded.shape[1], corners, *size)
        for number, corner in enumerate(itertools.product((0, 1), repeat=len(size))):
            window = [slice(None), slice(None), slice(start + corner[0], stop + corner[0])]
            window += [slice(c, c + n) for c, n in zip(corner[1:], size[1:], strict=True)]
            padded[tuple(window)].add_(nodal[:, :, number])

    def _scale(self, modes: Tensor, slab: tuple[int, int], volumetric: int) -> None:
        start, stop = slab
        modes[:, :volumetric] *= self.lam[:, start:stop].reshape(len(modes), 1, -1)
        modes[:, volumetric:] *= self.mu[:, start:stop].reshape(len(modes), 1, -1)

    def _total_modes(self, padded: Tensor, strain: Tensor, slab: tuple[int, int]) -> Tensor:
        modes = _product(self._total_rows[:, : self._nodes], self._gather(padded, slab))
        return modes.add_(self._total_rows[:, self._nodes :] @ self._strain(strain).unsqueeze(-1))

    def _strain(self, strain: Tensor) -> Tensor:
        return strain.to(dtype=self.dtype, device=self.device).expand(self.batch, 6)


def _product(matrix: Tensor, vectors: Tensor, out: Tensor | None = None) -> Tensor:
    """``matrix`` (m, n) times each sample of ``vectors`` (batch, n, voxels)."""
    return torch.bmm(matrix.expand(len(vectors), *matrix.shape), vectors, out=out)


def _wrap(field: Tensor, dims: int) -> Tensor:
    """Append the first layer of nodes behind the last one along each of the trailing ``dims`` axes."""
    padded = field.new_empty(*field.shape[:2], *(n + 1 for n in field.shape[2:]))
    padded[(..., *(slice(0, -1),) * dims)] = field
    for axis in range(2, 2 + dims):
        padded.select(axis, -1).copy_(padded.select(axis, 0))
    return padded


def _fold(padded: Tensor, dims: int) -> Tensor:
    """Transpose of `_wrap`: add the appended layers to the first ones and drop them."""
    for axis in range(2, 2 + dims):
        padded.select(axis, 0).add_(padded.select(axis, -1))
    return padded[(..., *(slice(0, -1),) * dims)].contiguous()
