"""Of a shape the interface is shifted onto direction-dependent targets."""

import pytest
import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import AsinhChannels
from relaxdesign.microstructure import FREE_FORM
from relaxdesign.microstructure.cell import Cell
from relaxdesign.microstructure.particles.packing import place_particles
from relaxdesign.physics.fem import effective_stiffness
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.refinement import Task
from relaxdesign.study.refinement.shape import refine_shape
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.simulation import Simulation

CHANNELS = AsinhChannels()
CATALOGUE = Catalogue.default().select(categories=("metal", "ceramic"))


def relaxed_field(grid: int = 32) -> torch.Tensor:
    """Particles of the first ceramic in the first metal, with a little noise on every voxel."""
    values = CHANNELS.encode(CATALOGUE.properties, axis=-1).float()
    names = [m.category for m in CATALOGUE.materials]
    metal, ceramic = values[names.index("metal")], values[names.index("ceramic")]
    generator = torch.Generator().manual_seed(1)
    phase = place_particles(0.3, 0.35, 2, grid=grid, generator=generator)[0].voxelise(grid)
    field = torch.where(phase, ceramic.view(3, 1, 1), metal.view(3, 1, 1))
    return field + 0.005 * torch.randn(field.shape, generator=generator)


def test_a_sample_is_read_as_its_two_phases():
    fit = FREE_FORM.fit(relaxed_field())
    assert 0.25 < fit.labels.mean() < 0.35
    assert float(fit.phases[1][0]) > float(fit.phases[0][0])


def test_direction_dependent_targets_are_met_with_real_materials():
    objectives = (parse_objective("K = 110"), parse_objective("Ex/Ey = 1.15"))
    simulation = Simulation.of(objectives, "periodic", 2, 32)
    request = DesignRequest(objectives=objectives, family="free-form")
    work = Task(request, CATALOGUE, CHANNELS, simulation, (), torch.Generator())
    fit = FREE_FORM.fit(relaxed_field())
    realised = refine_shape(fit, FREE_FORM, work)
    assert realised.values["K"] == pytest.approx(110, rel=0.01)
    assert realised.values["Ex/Ey"] == pytest.approx(1.15, rel=0.01)
    # The shape is the sample's: most voxels kept their phase.
    assert (realised.labels.numpy() == fit.labels).mean() > 0.7
    # An evaluation of its voxels from scratch is near, and what the design says of them.
    cell = Cell(realised.labels[..., None].numpy(), work.materials_of(realised.pair))
    K, G = (torch.from_numpy(cell.field(name))[None] for name in ("bulk", "shear"))
    x, y, _ = effective_stiffness(K, G).directional_young[0]
    assert float(x / y) == pytest.approx(realised.values["Ex/Ey"], rel=0.02)
    assert float(x / y) == pytest.approx(simulation.voxels(cell.materials, realised.labels)["Ex/Ey"], rel=1e-6)
