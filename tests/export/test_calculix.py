"""CalculiX solves exported meshes: C is that of the evaluator on the same voxels, or of the exact shapes."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import torch

from relaxdesign.export import Mesh, cell_mesh, deck, design_mesh
from relaxdesign.export.mesh.results import SolvedMesh, read_results
from relaxdesign.materials.material import VOID
from relaxdesign.microstructure.cell import Cell
from relaxdesign.microstructure.particles.packing import Packing
from relaxdesign.physics.effective_properties import evaluate
from relaxdesign.physics.evaluator import Evaluator
from relaxdesign.study.simulation import Simulation
from relaxdesign.study.trust import resolve
from tests.conftest import CARBIDE, EPOXY, make_material

SOFT = replace(make_material("soft", 3.0, 0.35, 1.2), expansion=60.0)
STIFF = replace(make_material("stiff", 30.0, 0.25, 3.0), expansion=5.0)
METAL = replace(make_material("metal", 70.0, 0.33, 2.7), expansion=23.0)

needs_calculix = pytest.mark.skipif(shutil.which("ccx") is None, reason="CalculiX is not installed")


def solved(mesh: Mesh, folder) -> SolvedMesh:
    (folder / "cell.inp").write_bytes(deck(mesh, "a test"))
    subprocess.run(["ccx", "cell"], cwd=folder, check=True, capture_output=True, timeout=120)
    return read_results((folder / "cell.dat").read_text())


def lattice(dim: int, n: int) -> Cell:
    """Bars along the axes beside a void, off the middle."""
    labels = np.zeros((n,) * dim, np.uint8)
    part = slice(n // 4, n // 4 + n // 2)
    for axis in range(dim):
        labels[tuple(slice(None) if other == axis else part for other in range(dim))] = 1
    return Cell(np.roll(labels, 2, 0).reshape(n, n, -1), (VOID, METAL))


@needs_calculix
@pytest.mark.parametrize("name", ["three phases", "plane", "lattice", "lattice in a plane"])
def test_hexahedra_are_the_voxels_that_the_evaluator_solves(tmp_path, name):
    """C3D8 of CalculiX 2.20 is the element of full integration: C agrees to what it prints."""
    random = np.random.default_rng(0)
    cell = {
        "three phases": Cell(random.integers(0, 3, (5, 6, 4)), (SOFT, STIFF, METAL)),
        "plane": Cell(random.integers(0, 2, (9, 9, 1)), (SOFT, STIFF)),
        "lattice": lattice(3, 8),
        "lattice in a plane": lattice(2, 12),
    }[name]
    found = solved(cell_mesh(cell, "voxels", 3.0), tmp_path)
    ours = evaluate(cell.fields, element="full", tol=1e-9)
    assert np.abs(found.C - ours.C).max() < 1e-5 * np.abs(ours.C).max()
    assert found.expansion is not None
    if cell.void is None:
        assert ours.expansion is not None
        assert found.expansion == pytest.approx(ours.expansion.tensor, abs=1e-4 * 60.0)
    else:
        assert found.expansion == pytest.approx([23.0] * 3 + [0.0] * 3, abs=1e-3)


@needs_calculix
@pytest.mark.parametrize(("dim", "grid", "kind", "within"), [(2, 20, "linear", 0.01), (3, 6, "quadratic", 0.02)])
def test_smoothed_particles_have_the_verified_stiffness(make_design, tmp_path, dim, grid, kind, within):
    """Against the limit of fine grids that designs tell."""
    packing = Packing(torch.tensor([[0.1, 0.45, 0.6][:dim]], dtype=torch.float64), 0.6)
    labels = packing.voxelise(grid).numpy().reshape(grid, grid, -1).astype(np.uint8)
    materials, shares = (SOFT, STIFF), (1.0 - packing.share, packing.share)
    design = replace(make_design(2, 16), labels=labels, materials=materials, shares=shares, geometry=packing.to_dict())
    C = solved(design_mesh(design, kind, 2.0), tmp_path).C
    trust = resolve(Simulation(Evaluator(("K", "G")), [], dim, 32), materials, packing).trust()
    assert C[:3, :3].mean() == pytest.approx(trust["K"].value, rel=within)
    shear = (3.0 * np.trace(C[:3, :3]) - C[:3, :3].sum()) / 30.0 + np.trace(C[3:, 3:]) / 5.0
    assert shear == pytest.approx(trust["G"].value, rel=within)


@needs_calculix
def test_a_smoothed_shape_is_as_stiff_as_on_fine_voxels(tmp_path):
    """A free form beside a void: the smoothed mesh drawn again on a grid ten times as fine as its voxels."""
    import pyvista

    cell = lattice(2, 16)
    mesh = cell_mesh(cell, "quadratic", 1.0)
    linear = mesh.linear()
    wedges = np.insert(linear.elements, 0, 6, axis=1)
    body = pyvista.UnstructuredGrid(wedges, np.full(len(wedges), pyvista.CellType.WEDGE), linear.points)
    along = (np.arange(160) + 0.5) / 160
    points = np.stack(np.meshgrid(along, along, [mesh.size[2] / 2], indexing="ij"), axis=-1).reshape(-1, 3)
    inside = (body.find_containing_cell(points) >= 0).reshape(160, 160, 1)
    ours = evaluate(Cell(inside.astype(np.uint8), cell.materials).fields, tol=1e-6).C
    C = solved(mesh, tmp_path).C
    assert np.abs(C - ours).max() < 0.02 * np.abs(ours).max()


def test_other_text_is_no_result():
    with pytest.raises(ValueError, match=r"strains of 0 steps; expected .* 6 or one more"):
        read_results("forces (fx,fy,fz) for set ALL and time 1.\n")


def test_odd_names_become_sets_and_no_commands():
    """Names of sets are made of what programs take, and are told apart where that is the same."""
    cell = Cell(np.array([[[0, 1]]]), (EPOXY, replace(CARBIDE, name="*NODE\n1,0,0,0")))
    same = deck(cell_mesh(cell, names=("a b", "a-b")), "x").decode()
    assert "ELSET=A-B-0" in same and "ELSET=A-B-1" in same
    lines = deck(cell_mesh(cell, names=("matrix", "third phase\n*STEP")), "x\n*END").decode().splitlines()
    assert [line for line in lines if line.startswith("*ELEMENT")] == [
        "*ELEMENT,TYPE=C3D8,ELSET=MATRIX", "*ELEMENT,TYPE=C3D8,ELSET=THIRD-PHASE-STEP",
    ]  # fmt: skip
    assert sum(line.startswith("*STEP") for line in lines) == 6 and "*END" not in lines
