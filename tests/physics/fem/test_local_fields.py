"""Local fields: Hill's lemma, laminates in closed form, compatibility and equilibrium, bad input."""

import math

import pytest
import torch

from relaxdesign.physics.fem import (
    LOADS,
    ConvergenceError,
    SolveStatus,
    bulk_modulus,
    effective_stiffness,
    local_fields,
    local_fields_under_stress,
)
from relaxdesign.physics.fem.elements import CORNERS, VOIGT, strain_displacement

from .cells import ball, isotropic_stiffness, random_moduli, two_phase

SHAPES = [(4, 5, 3), (6, 5, 1), (1, 1, 6), (1, 4, 3)]


def random_strain(batch, generator):
    return torch.randn(batch, 6, generator=generator, dtype=torch.float64)


# ---- averages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("boundary", ["periodic", "kubc"])
def test_averages_are_those_of_the_effective_stiffness(shape, boundary, generator):
    """Hill: ⟨ε⟩ = E, ⟨σ⟩ = C E, ⟨2w⟩ = E : C : E."""
    K, G = random_moduli((2, *shape), generator)
    E = random_strain(2, generator)
    C = effective_stiffness(K, G, boundary=boundary, tol=1e-12).C
    fields = local_fields(K, G, E, boundary=boundary, tol=1e-12)
    assert fields.converged.all()
    torch.testing.assert_close(fields.strain.flatten(2).mean(2), E, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(fields.macroscopic_stress, (C @ E[..., None])[..., 0], rtol=1e-9, atol=1e-9)
    energy = 0.5 * torch.einsum("na,nab,nb->n", E, C, E)
    torch.testing.assert_close(fields.energy.flatten(1).mean(1), energy, rtol=1e-12, atol=0)
    if boundary == "kubc" and min(shape) > 1:  # u_x = E x on the face x = 0
        surface = fields.displacement[:, :, 0]
        y, z = (torch.arange(n + 1, dtype=torch.float64) for n in shape[1:])
        expected = 0.5 * (E[:, 5, None, None] * y[:, None] + E[:, 4, None, None] * z)
        torch.testing.assert_close(surface[:, 0], expected, rtol=1e-12, atol=1e-12)


def test_energy_is_at_least_that_of_the_mean_fields(generator):
    """w of a voxel exceeds ½⟨σ⟩:⟨ε⟩ there by the variation inside it, and by nothing in a laminate."""
    K, G = random_moduli((1, 4, 4, 4), generator)
    fields = local_fields(K, G, "xy", tol=1e-10)
    mean = 0.5 * (fields.stress * fields.strain).sum(1)
    assert (fields.energy >= mean * (1.0 - 1e-9)).all() and (fields.energy > 1.001 * mean).any()
    layers = (field[:, :1, :1] for field in (K, G))
    fields = local_fields(*(layer.contiguous() for layer in layers), "xz", tol=1e-12)
    torch.testing.assert_close(fields.energy, 0.5 * (fields.stress * fields.strain).sum(1), rtol=1e-12, atol=0)


def test_hydrostatic_load_gives_the_bulk_modulus(generator):
    K, G = random_moduli((1, 6, 6, 1), generator)
    fields = local_fields(K, G, "hydrostatic", tol=1e-11)
    bulk = bulk_modulus(K, G, tol=1e-11).value
    torch.testing.assert_close(-fields.pressure.flatten(1).mean(1), 3.0 * bulk, rtol=1e-9, atol=0)


@pytest.mark.parametrize("shape", [(4, 5, 3), (6, 5, 1)])
def test_uniaxial_load_case(shape, generator):
    """u_z = z on the surface, nothing pulls sideways, and tr⟨σ⟩ / (3 tr⟨ε⟩) is the K that is reported."""
    K, G = random_moduli((2, *shape), generator)
    fields = local_fields(K, G, "zz", boundary="uniaxial", tol=1e-11)
    z = torch.arange(shape[2] + 1, dtype=torch.float64)
    for side in (fields.displacement[:, 2, 0], fields.displacement[:, 2, :, -1]):
        torch.testing.assert_close(side, z.expand_as(side), rtol=0, atol=1e-12)
    assert fields.macroscopic_stress[:, :2].abs().max() < 1e-8
    torch.testing.assert_close(fields.macroscopic_strain[:, 2], torch.ones(2, dtype=torch.float64))
    ratio = fields.macroscopic_stress[:, :3].sum(1) / (3.0 * fields.macroscopic_strain[:, :3].sum(1))
    bulk = bulk_modulus(K, G, boundary="uniaxial", tol=1e-11).value
    torch.testing.assert_close(ratio, bulk, rtol=1e-9, atol=0)
    work = (fields.macroscopic_stress * fields.macroscopic_strain).sum(1)
    torch.testing.assert_close(2.0 * fields.energy.flatten(1).mean(1), work, rtol=1e-9, atol=0)
    for strain in ("xx", "hydrostatic", [0, 0, 1, 0, 0, 0.5]):
        with pytest.raises(ValueError, match="boundary 'uniaxial' is one load case: strain must be 'zz'"):
            local_fields(K, G, strain, boundary="uniaxial")
    with pytest.raises(ValueError, match="boundary 'uniaxial'"):
        local_fields_under_stress(K, G, "zz", boundary="uniaxial")


# ---- closed forms ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 4, 2), (4, 3, 1), (1, 1, 1)])
def test_homogeneous_cell(shape, generator):
    K, G = 70.0, 26.0
    ones = torch.ones(2, *shape, dtype=torch.float64)
    E = random_strain(2, generator)
    fields = local_fields(K * ones, G * ones, E)
    stress = E @ isotropic_stiffness(K, G)
    column = (slice(None), slice(None), None, None, None)
    torch.testing.assert_close(fields.strain, E[column].expand(-1, -1, *shape), rtol=0, atol=1e-12)
    torch.testing.assert_close(fields.stress, stress[column].expand(-1, -1, *shape), rtol=0, atol=1e-9)
    torch.testing.assert_close(fields.energy, (0.5 * (stress * E).sum(1))[:, None, None, None] * ones)
    hydrostatic = local_fields(K * ones, G * ones, "hydrostatic")
    assert hydrostatic.von_mises.abs().max() < 1e-10
    torch.testing.assert_close(hydrostatic.pressure, -3.0 * K * ones, rtol=1e-12, atol=0)
    shear = local_fields(K * ones, G * ones, "yz")
    torch.testing.assert_close(shear.von_mises, math.sqrt(3.0) * G * ones, rtol=1e-12, atol=0)
    tension = local_fields_under_stress(K * ones, G * ones, "yy")
    torch.testing.assert_close(tension.von_mises, ones, rtol=1e-10, atol=0)
    torch.testing.assert_close(tension.pressure, -ones / 3.0, rtol=1e-10, atol=0)


def test_laminate_is_exact(generator):
    """Layers normal to z: in-plane strain and the stress on the layers are uniform, the rest follows."""
    K, G = (m.reshape(6) for m in random_moduli((1, 1, 1, 6), generator))
    E = random_strain(1, generator)[0]
    fields = local_fields(*(m.expand(1, 2, 3, 6).contiguous() for m in (K, G)), E, tol=1e-12)
    lam, mu = K - 2.0 * G / 3.0, G
    p_wave = lam + 2.0 * mu
    normal = (E[2] + (lam / p_wave).mean() * (E[0] + E[1])) / (1.0 / p_wave).mean()
    strain = E[:, None].repeat(1, 6)
    strain[2] = (normal - lam * (E[0] + E[1])) / p_wave
    strain[3:5] = E[3:5, None] / (mu * (1.0 / mu).mean())
    trace = strain[:3].sum(0)
    stress = torch.cat([lam * trace + 2.0 * mu * strain[:3], mu * strain[3:]])
    torch.testing.assert_close(stress[2], normal.expand(6), rtol=1e-12, atol=1e-12)
    for got, expected in ((fields.strain, strain), (fields.stress, stress)):
        torch.testing.assert_close(got[0], expected[:, None, None, :].expand_as(got[0]), rtol=1e-10, atol=1e-10)
    deviator = torch.stack([stress[0] - stress[1], stress[1] - stress[2], stress[2] - stress[0]])
    mises = (0.5 * deviator.square().sum(0) + 3.0 * stress[3:].square().sum(0)).sqrt()
    torch.testing.assert_close(fields.von_mises[0, 0, 0], mises, rtol=1e-9, atol=0)


def test_dilute_stiff_sphere_has_eshelbys_uniform_stress():
    """Eshelby 1957: in a sphere under remote hydrostatic strain, tr σ = 9 K_p (K_m + 4G_m/3) / (K_p + 4G_m/3) ε."""
    matrix, particle = (10.0, 5.0), (20.0, 10.0)
    fields = local_fields(*two_phase(ball(32, 0.16), matrix, particle), "hydrostatic")
    shift = 4.0 / 3.0 * matrix[1]
    expected = -3.0 * particle[0] * (matrix[0] + shift) / (particle[0] + shift)
    core = ball(32, 0.1)
    assert fields.pressure[core].mean().item() == pytest.approx(expected, rel=0.03)
    assert (fields.pressure[core].std() / fields.pressure[core].mean()).abs() < 0.01


# ---- compatibility and equilibrium -----------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 4, 5), (4, 3, 1)])
def test_strain_is_that_of_the_displacement(shape, generator):
    """Voxel by voxel with the element's matrix B at the centre, and jumps of E times the cell across it."""
    E = random_strain(1, generator)
    fields = local_fields(*random_moduli((1, *shape), generator), E)
    u = fields.displacement
    assert u.shape == (1, 3, *(n + 1 for n in shape))
    centre = torch.as_tensor(strain_displacement(torch.full((3,), 0.5).numpy()))
    voxel = tuple(n // 2 for n in shape)
    corners = u[(0, slice(None), *(CORNERS + voxel).T)].reshape(24)
    torch.testing.assert_close(centre @ corners, fields.strain[(0, slice(None), *voxel)], rtol=1e-12, atol=1e-12)
    tensor = torch.zeros(3, 3, dtype=torch.float64)
    for value, (i, j) in zip(E[0], VOIGT, strict=True):
        tensor[i, j] = tensor[j, i] = value if i == j else 0.5 * value
    for axis, size in enumerate(shape):
        jump = u.select(2 + axis, -1) - u.select(2 + axis, 0)
        expected = (size * tensor[:, axis])[None, :, None, None].expand_as(jump)
        torch.testing.assert_close(jump, expected, rtol=1e-12, atol=1e-12)


def test_every_layer_of_voxels_carries_the_same_force(generator):
    """Equilibrium with a virtual displacement that varies along one axis only: no layer carries less than the next."""
    fields = local_fields(*random_moduli((1, 5, 4, 6), generator), random_strain(1, generator), tol=1e-12)
    for axis, faces in ((0, (0, 4, 5)), (1, (1, 3, 5)), (2, (2, 3, 4))):
        others = tuple(a for a in (2, 3, 4) if a != 2 + axis)
        resultants = fields.stress.mean(others)[0, list(faces)]
        torch.testing.assert_close(resultants, resultants[:, :1].expand_as(resultants), rtol=1e-9, atol=1e-9)


# ---- loads -----------------------------------------------------------------------------------------


def test_names_are_unit_strains(generator):
    K, G = random_moduli((1, 3, 3, 3), generator)
    assert list(LOADS) == ["hydrostatic", "xx", "yy", "zz", "yz", "xz", "xy"]
    by_name, by_value = local_fields(K, G, "xz"), local_fields(K, G, [0, 0, 0, 0, 1, 0])
    assert torch.equal(by_name.stress, by_value.stress)
    double = local_fields(K, G, torch.tensor([0.0, 0.0, 0.0, 0.0, 2.0, 0.0]))
    torch.testing.assert_close(double.stress, 2.0 * by_name.stress, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("shape", [(4, 3, 5), (5, 4, 1)])
@pytest.mark.parametrize("boundary", ["periodic", "kubc"])
def test_a_prescribed_stress_is_the_mean_stress(shape, boundary, generator):
    K, G = random_moduli((2, *shape), generator)
    stress = random_strain(2, generator)
    fields = local_fields_under_stress(K, G, stress, boundary=boundary, tol=1e-12)
    torch.testing.assert_close(fields.macroscopic_stress, stress, rtol=1e-9, atol=1e-9)
    same = local_fields(K, G, fields.macroscopic_strain, boundary=boundary, tol=1e-12)
    torch.testing.assert_close(fields.stress, same.stress, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(fields.displacement, same.displacement, rtol=1e-8, atol=1e-8)
    tension = local_fields_under_stress(K, G, "xx", boundary=boundary, tol=1e-12)
    young = effective_stiffness(K, G, boundary=boundary, tol=1e-12).directional_young[:, 0]
    torch.testing.assert_close(tension.macroscopic_strain[:, 0], 1.0 / young, rtol=1e-10, atol=0)


def test_samples_of_a_batch_carry_their_own_load(generator):
    K, G = random_moduli((3, 4, 4, 1), generator)
    E = random_strain(3, generator)
    E[2] = 0.0
    fields = local_fields(K, G, E, tol=1e-11)
    single = local_fields(K[1:2], G[1:2], E[1], tol=1e-11)
    torch.testing.assert_close(fields.stress[1:2], single.stress, rtol=1e-8, atol=1e-8)
    assert (fields.stress[2] == 0).all() and (fields.energy[2] == 0).all()


# ---- failure ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [local_fields, local_fields_under_stress])
def test_a_bad_sample_is_nan_and_the_others_are_kept(function, generator):
    K, G = random_moduli((3, 4, 4, 1), generator)
    good = function(K, G, "xx")
    K[1, 0, 2, 0] = -1.0
    with pytest.raises(ValueError, match=r"K is -1.0 at \(sample, x, y, z\) = \(1, 0, 2, 0\)"):
        function(K, G, "xx")
    fields = function(K, G, "xx", raise_on_failure=False)
    assert fields.status == (SolveStatus.CONVERGED, SolveStatus.INVALID_FIELD, SolveStatus.CONVERGED)
    for name in ("displacement", "strain", "stress", "energy", "von_mises", "pressure", "macroscopic_strain"):
        assert getattr(fields, name)[1].isnan().all(), name
        torch.testing.assert_close(getattr(fields, name)[[0, 2]], getattr(good, name)[[0, 2]], rtol=1e-6, atol=1e-6)
    with pytest.raises(ConvergenceError):
        function(*random_moduli((1, 6, 6, 6), generator), "xx", max_iterations=2)


@pytest.mark.parametrize(
    ("load", "message"),
    [
        ("shear", "'shear' is unknown; named loads are hydrostatic, xx, yy, zz, yz, xz, xy"),
        ([1.0, 0.0, 0.0], r"has shape \(3,\), expected \(6,\) or \(2, 6\)"),
        (torch.ones(3, 6), r"has shape \(3, 6\)"),
        ([math.nan, 0, 0, 0, 0, 0], "every component must be finite"),
    ],
)
def test_bad_loads_are_explained(load, message, generator):
    K, G = random_moduli((2, 3, 3, 1), generator)
    with pytest.raises(ValueError, match="strain.*" + message):
        local_fields(K, G, load)
    with pytest.raises(ValueError, match="stress.*" + message):
        local_fields_under_stress(K, G, load)
    with pytest.raises(ValueError, match="boundary 'glued'"):
        local_fields(K, G, "xx", boundary="glued")
