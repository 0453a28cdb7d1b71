"""Matrix-free operator of a voxel cell, elastic or conducting, batched over cells.

With fluctuation u (batch, components, *nodes) and macroscopic load E (for elasticity the Voigt strain), the
internal force is the gradient of the stored energy,

    f(u, E) = Σ_e Aₑᵀ Sᵀ diag(p_e) S [Aₑ u; E],

where Aₑ picks the nodes of voxel e, S are its modes and p_e the moduli that belong to them
(`relaxdesign.physics.fem.elements`). Gather and scatter are strided copies, everything between is two small dense
products over all voxels of a slab, so the same few lines run fast on CPU and GPU and need no index tables. Where
most of the time goes, on a CPU, `relaxdesign.physics.fem.kernels` does the same in one fused pass.

Node (i, j, k) is the lower corner of voxel (i, j, k). A periodic cell has as many nodes as voxels along each
axis, an open one has one more. Axes of one voxel are periodic through the thickness in both: they vanish from
``grid`` (2D costs what 2D should) while the physics stays three-dimensional.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Self

import torch
from torch import Tensor

from relaxdesign.physics.fem import elements
from relaxdesign.physics.fem.elements import CONDUCTION, ELASTICITY, Modes, VoxelProblem

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


class VoxelOperator:
    """Stiffness (or conductance) of a batch of cells with one isotropic material per voxel.

    Fields may hold several load cases per cell, those of one cell next to each other: where (fields, …) is
    written below, fields = batch · load cases. They share the moduli and so the work of reading them.

    Args:
        moduli: one field per modulus of ``problem`` (Lamé constants λ, μ in GPa, or conductivity k), each
            (batch, nx, ny, nz), same floating dtype and device.
        components: nodal components that may be non-zero (default all).
        problem: what is solved.
        periodic: whether opposite faces are one; if not, nodes on the faces are free.
        active: axes along which the fluctuation varies (default: those of more than one voxel).
    """

    def __init__(
        self,
        moduli: Sequence[Tensor],
        components: tuple[int, ...] | None = None,
        *,
        problem: VoxelProblem = ELASTICITY,
        periodic: bool = True,
        active: tuple[int, ...] | None = None,
    ):
        first = moduli[0]
        self.problem, self.periodic = problem, periodic
        self.components = tuple(range(problem.components)) if components is None else components
        self.shape = tuple(first.shape[1:])
        self.active = active_axes(self.shape) if active is None else active
        self.grid = tuple(self.shape[axis] for axis in self.active)
        self.nodes = self.grid if periodic else tuple(n + 1 for n in self.grid)
        self.batch, self.dtype, self.device = len(first), first.dtype, first.device
        self.moduli = tuple(modulus.reshape(self.batch, *self.grid).contiguous() for modulus in moduli)
        self.voxels = self.moduli[0][0].numel()
        self._gradients: tuple[Tensor, ...] | None = None
        self._corners = len(self.components) * 2 ** len(self.active)
        self._modes = elements.fluctuation_modes(self.active, self.components, problem)
        self._all_modes = elements.total_modes(self.active, self.components, problem)
        self._signs = self._tensor(list(itertools.product((-1.0, 1.0), repeat=len(self.grid))))
        self._rows, self._total_rows = self._tensor(self._modes.rows), self._tensor(self._all_modes.rows)

    def _tensor(self, array) -> Tensor:
        return torch.as_tensor(array, dtype=self.dtype, device=self.device)

    def _with(self, moduli: Sequence[Tensor]) -> Self:
        shaped = [modulus.reshape(-1, *self.shape) for modulus in moduli]
        options = {"problem": self.problem, "periodic": self.periodic, "active": self.active}
        return type(self)(shaped, self.components, **options)

    def select(self, keep: Tensor) -> Self:
        """The same operator for the samples listed in ``keep``."""
        return self._with([modulus[keep] for modulus in self.moduli])

    def to(self, dtype: torch.dtype) -> Self:
        """The same operator in another precision."""
        return self if dtype == self.dtype else self._with([modulus.to(dtype) for modulus in self.moduli])

    def zeros(self, load_cases: int = 1) -> Tensor:
        """A zero fluctuation, (batch · load_cases, components, *nodes)."""
        return self.moduli[0].new_zeros(self.batch * load_cases, len(self.components), *self.nodes)

    @property
    def field_shape(self) -> tuple[int, ...]:
        """Shape of a full field: (batch, all components, mx, my, mz), m nodes along each axis."""
        size = dict(zip(self.active, self.nodes, strict=True))
        return (self.batch, self.problem.components, *(size.get(axis, 1) for axis in range(3)))

    def restrict(self, displacement: Tensor) -> Tensor:
        """Components and active axes of a full field (`field_shape`)."""
        kept = displacement[:, list(self.components)].to(self.dtype)
        return kept.reshape(len(kept), len(self.components), *self.nodes).contiguous()

    def expand(self, fluctuation: Tensor) -> Tensor:
        """Inverse of `restrict`: full field (`field_shape`), zero in the other components."""
        full = fluctuation.new_zeros(len(fluctuation), *self.field_shape[1:])
        full[:, list(self.components)] = fluctuation.reshape(full[:, list(self.components)].shape)
        return full

    def apply(self, fluctuation: Tensor) -> Tensor:
        """Stiffness times fluctuation: K u, (fields, components, *nodes)."""
        if self.fused:
            return self._add_forces(fluctuation, torch.zeros_like(fluctuation), 1.0)
        padded = self._wrap(fluctuation)
        forces = torch.zeros_like(padded)
        for slab in self._slabs(len(padded)):
            corners = self._gather(padded, slab)
            modes = _product(self._rows, corners)
            self._scale(modes, slab, self._modes)
            self._scatter(_product(self._rows.T, modes, out=corners), forces, slab)
        return self._fold(forces)

    def residual(self, load: Tensor, fluctuation: Tensor, *, out: Tensor | None = None) -> Tensor:
        """What is left of a load: b - K u, (fields, components, *nodes). out: memory to use for it."""
        if not self.fused:
            return load - self.apply(fluctuation)
        out = torch.empty_like(load, memory_format=torch.contiguous_format) if out is None else out
        return self._add_forces(fluctuation, out.copy_(load), -1.0)

    @property
    def fused(self) -> bool:
        """Whether `relaxdesign.physics.fem.kernels` has a compiled kernel for this operator."""
        elastic = self.problem is ELASTICITY and self.components == self.active and len(self.grid) > 1
        conducting = self.problem is CONDUCTION and len(self.grid) == 3
        return self.device.type == "cpu" and (elastic or conducting)

    def _add_forces(self, fluctuation: Tensor, out: Tensor, sign: float) -> Tensor:
        from relaxdesign.physics.fem.kernels import add_forces  # compiles: only where it is used

        add_forces(fluctuation.contiguous(), self.moduli, out, sign)
        return out

    def forces(self, fluctuation: Tensor, strain: Tensor) -> tuple[Tensor, Tensor]:
        """Derivatives of the energy by fluctuation and by macroscopic load.

        Args:
            fluctuation: u, (fields, components, *nodes).
            strain: macroscopic load E, (fields, loads) or (loads,).

        Returns:
            Nodal forces f(u, E) (fields, components, *nodes) and the stress (or flux) summed over the voxels
            (fields, loads) float64, so that ``(u' · f + E' · stress sum)`` is the mutual energy with (u', E').
        """
        padded = self._wrap(fluctuation)
        nodal = torch.zeros_like(padded)
        stress = torch.zeros(len(padded), self.problem.loads, dtype=torch.float64, device=self.device)
        rows, macro = self._total_rows[:, : self._corners], self._total_rows[:, self._corners :]
        for slab in self._slabs(len(padded)):
            modes = self._strained(padded, strain, slab)
            self._scale(modes, slab, self._all_modes)
            self._scatter(_product(rows.T, modes), nodal, slab)
            stress += modes.sum(2, dtype=torch.float64) @ macro.double()
        return self._fold(nodal), stress

    def load(self, strain: Tensor) -> Tensor:
        """Right-hand side of K u = b: minus the force of the macroscopic loads (load cases, loads) alone.

        Their stress is constant in a voxel, so the forces are those of its divergence: combinations of the nodal
        gradients of the moduli, which are the same for all load cases.
        """
        strain = self._strain(strain, self.batch)
        modes = self._total_rows[:, self._corners :] @ strain.unsqueeze(-1)  # the same in every voxel
        force = self.zeros(len(strain) // self.batch).unflatten(0, (self.batch, -1)).flatten(3)
        for gradient, block in zip(self._modulus_gradients(), self._all_modes.blocks, strict=True):
            corners = self._total_rows[block, : self._corners].T @ modes[:, block]
            by_axis = corners.reshape(self.batch, -1, 2 ** len(self.grid)) @ self._signs / 2.0
            force.flatten(1, 2).baddbmm_(by_axis, gradient.flatten(2), alpha=-1.0)
        return force.reshape(len(strain), len(self.components), *self.nodes)

    def _modulus_gradients(self) -> tuple[Tensor, ...]:
        """Per modulus (batch, axes, *nodes): the voxels before a node less those after it, along each axis.

        Along the other axes the mean over the voxels around the node. Outside of an open cell the modulus is zero.
        """
        if self._gradients is None:
            axes = range(1, 1 + len(self.grid))
            self._gradients = tuple(
                torch.stack([functools.reduce(self._around, ((along, axis) for axis in axes), m) for along in axes], 1)
                for m in self.moduli
            )
        return self._gradients

    def _around(self, values: Tensor, direction: tuple[int, int]) -> Tensor:
        """From voxels to nodes along one axis: difference if it is ``along``, else mean. direction: (along, axis)."""
        along, axis = direction
        if self.periodic:
            before, after = values.roll(1, axis), values
        else:
            edge = torch.zeros_like(values.narrow(axis, 0, 1))
            before, after = torch.cat((edge, values), axis), torch.cat((values, edge), axis)
        return before - after if axis == along else 0.5 * (before + after)

    def voigt_average(self) -> Tensor:
        """Volume average of the moduli's tensor (batch, loads, loads) float64: the energy without fluctuation."""
        macro = self._total_rows[:, self._corners :].double()
        average = torch.zeros(self.batch, self.problem.loads, self.problem.loads, dtype=torch.float64)
        average = average.to(self.device)
        for modulus, block in zip(self.moduli, self._all_modes.blocks, strict=True):
            average += modulus.flatten(1).mean(1, dtype=torch.float64)[:, None, None] * (macro[block].T @ macro[block])
        return average

    def relaxation(self, loads: Tensor, displacement: Tensor) -> Tensor:
        """What the fluctuations take from the Voigt average, (batch, load cases, load cases) float64.

        With b_a the nodal loads, u_a the solutions and r_a = b_a - K u_a what is left of them, the mutual energy of
        two load cases is that of the macroscopic loads less b_a·u_b + r_b·u_a. The second term makes the error
        quadratic in r. In double precision throughout: the difference is small where the phases differ much.

        Args:
            loads: macroscopic loads, (load cases, loads).
            displacement: solutions, (batch, load cases, *one full field) as from `expand`.
        """
        operator = self.to(torch.float64)
        fields = [operator.restrict(displacement[:, case]) for case in range(len(loads))]
        work = displacement.new_empty(self.batch, len(loads), len(loads), dtype=torch.float64)
        for a, macroscopic in enumerate(loads):
            force = 2.0 * operator.load(macroscopic) - operator.apply(fields[a])
            for b, field in enumerate(fields):
                work[:, a, b] = (force * field).flatten(1).sum(1)
        return 0.5 * (work + work.mT) / self.voxels

    def load_scale(self, strain: Tensor) -> Tensor:
        """Norm (fields,) over the voxels of the macroscopic load's own stress.

        The load is its divergence, which cancels where neighbours are alike: what round-off is measured by.
        """
        strain = self._strain(strain, self.batch)
        macro = self._total_rows[:, self._corners :] @ strain.unsqueeze(-1)
        total = macro.new_zeros(len(strain))
        for modulus, block in zip(self.moduli, self._all_modes.blocks, strict=True):
            size = modulus.flatten(1).square().sum(1).repeat_interleave(len(strain) // self.batch)
            total += size * macro[:, block].square().sum((1, 2))
        return total.sqrt()

    def mutual_energies(
        self, first: Tensor, first_strain: Tensor, second: Tensor, second_strain: Tensor
    ) -> tuple[Tensor, ...]:
        """Voxel integrals of ∂w/∂p for each modulus p, w = ε:C:ε', each (fields, nx, ny, nz).

        ε and ε' are the total strains of two load cases. Summed over the cell, ``Σ_p p · integral_p`` is the
        mutual energy, so these fields are both the value and the gradient of the effective moduli.
        """
        same = first is second and first_strain is second_strain
        padded = self._wrap(first)
        other = padded if same else self._wrap(second)
        integrals = tuple(modulus.new_empty(len(padded), *self.grid) for modulus in self.moduli)
        for slab in self._slabs(len(padded)):
            modes = self._strained(padded, first_strain, slab)
            product = modes * (modes if same else self._strained(other, second_strain, slab))
            for integral, block in zip(integrals, self._all_modes.blocks, strict=True):
                target = integral[:, slab[0] : slab[1]]
                target.copy_(product[:, block].sum(1).reshape(target.shape))
        return tuple(integral.reshape(-1, *self.shape) for integral in integrals)

    def energies(self, fluctuations: Tensor, loads: Tensor) -> Tensor:
        """Mutual energies of all pairs of load cases, (batch, load cases, load cases) float64.

        The moduli need not be those that the fluctuations (fields, …) belong to, nor positive: with changes of the
        moduli in their place these are, per volume, the changes of the effective tensor. loads: (load cases, loads).
        """
        padded, strain = self._wrap(fluctuations), loads.repeat(self.batch, 1)
        total = torch.zeros(self.batch, len(loads), len(loads), dtype=torch.float64, device=self.device)
        for slab in self._slabs(len(padded)):
            modes = self._strained(padded, strain, slab)
            weighted = modes.clone()
            self._scale(weighted, slab, self._all_modes)
            pair = (part.unflatten(0, (self.batch, -1)).flatten(2).double() for part in (modes, weighted))
            left, right = pair
            total += left @ right.mT
        return total

    # One slab: voxels start..stop along the first active axis.

    def _slabs(self, fields: int) -> Iterator[tuple[int, int]]:
        limit = CPU_SLAB_VOXELS if self.device.type == "cpu" else GPU_SLAB_VOXELS
        layer = fields * self.voxels // self.grid[0]
        step = max(1, limit // max(layer, 1))
        for start in range(0, self.grid[0], step):
            yield start, min(start + step, self.grid[0])

    def _gather(self, padded: Tensor, slab: tuple[int, int]) -> Tensor:
        """Corner values of each voxel of the slab, (fields, components * corners, voxels)."""
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
        return copy.reshape(padded.shape[0], self._corners, -1)

    def _scatter(self, nodal: Tensor, padded: Tensor, slab: tuple[int, int]) -> None:
        """Add corner forces (fields, components * corners, voxels) of the slab to ``padded``."""
        start, stop = slab
        size = (stop - start, *self.grid[1:])
        corners = 2 ** len(size)
        nodal = nodal.reshape(padded.shape[0], padded.shape[1], corners, *size)
        for number, corner in enumerate(itertools.product((0, 1), repeat=len(size))):
            window = [slice(None), slice(None), slice(start + corner[0], stop + corner[0])]
            window += [slice(c, c + n) for c, n in zip(corner[1:], size[1:], strict=True)]
            padded[tuple(window)].add_(nodal[:, :, number])

    def _scale(self, modes: Tensor, slab: tuple[int, int], kind: Modes) -> None:
        per_cell = modes.unflatten(0, (self.batch, -1))
        for modulus, block in zip(self.moduli, kind.blocks, strict=True):
            per_cell[:, :, block] *= modulus[:, slab[0] : slab[1]].reshape(self.batch, 1, 1, -1)

    def _strained(self, padded: Tensor, strain: Tensor, slab: tuple[int, int]) -> Tensor:
        """Modes of fluctuation plus macroscopic load, (fields, modes, voxels)."""
        modes = _product(self._total_rows[:, : self._corners], self._gather(padded, slab))
        return modes.add_(self._total_rows[:, self._corners :] @ self._strain(strain, len(padded)).unsqueeze(-1))

    def _strain(self, strain: Tensor, fields: int) -> Tensor:
        """Loads (…, loads) as (fields, loads) at least, in the operator's precision."""
        strain = strain.to(dtype=self.dtype, device=self.device)
        return strain if strain.ndim == 2 else strain.expand(fields, self.problem.loads)

    def _wrap(self, field: Tensor) -> Tensor:
        """All nodes of all voxels: in a periodic cell the first layer again behind the last one of each axis."""
        if not self.periodic:
            return field.contiguous()
        padded = field.new_empty(*field.shape[:2], *(n + 1 for n in self.grid))
        padded[(..., *(slice(0, -1),) * len(self.grid))] = field
        for axis in range(2, 2 + len(self.grid)):
            padded.select(axis, -1).copy_(padded.select(axis, 0))
        return padded

    def _fold(self, padded: Tensor) -> Tensor:
        """Transpose of `_wrap`: add the appended layers to the first ones and drop them."""
        if not self.periodic:
            return padded
        for axis in range(2, 2 + len(self.grid)):
            padded.select(axis, 0).add_(padded.select(axis, -1))
        return padded[(..., *(slice(0, -1),) * len(self.grid))].contiguous()


def _product(matrix: Tensor, vectors: Tensor, out: Tensor | None = None) -> Tensor:
    """``matrix`` (m, n) times each sample of ``vectors`` (batch, n, voxels)."""
    return torch.bmm(matrix.expand(len(vectors), *matrix.shape), vectors, out=out)
