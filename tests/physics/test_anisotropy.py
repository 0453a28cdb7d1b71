"""Directional moduli against answers known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from relaxdesign.physics.anisotropy import (
    directional_young,
    young_in_plane,
    young_in_plane_strain,
    young_surface,
)


def isotropic(young: float, poisson: float) -> np.ndarray:
    lam = young * poisson / (1 + poisson) / (1 - 2 * poisson)
    mu = young / 2 / (1 + poisson)
    C = np.diag([2 * mu] * 3 + [mu] * 3)
    C[:3, :3] += lam
    return C


def cubic(c11: float, c12: float, c44: float) -> np.ndarray:
    C = np.diag([c11 - c12] * 3 + [c44] * 3)
    C[:3, :3] += c12
    return C


def test_the_surface_of_an_isotropic_material_is_a_sphere():
    directions, young = young_surface(isotropic(70.0, 0.33), count=13)
    assert np.linalg.norm(directions, axis=-1) == pytest.approx(1.0)
    assert young == pytest.approx(70.0, rel=1e-12)


def test_copper_is_stiff_along_its_diagonal_and_soft_along_its_edges():
    """1/E = s11 - 2 (s11 - s12 - s44/2) (l²m² + m²n² + n²l²), Nye 1957, eq. VIII.25."""
    C = cubic(168.4, 121.4, 75.4)
    S = np.linalg.inv(C)
    directions = np.random.default_rng(0).standard_normal((50, 3))
    x, y, z = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).T ** 2
    nye = 1 / (S[0, 0] - 2 * (S[0, 0] - S[0, 1] - S[3, 3] / 2) * (x * y + y * z + z * x))
    assert directional_young(C, directions) == pytest.approx(nye, rel=1e-12)
    edge, face, diagonal = directional_young(C, [[1, 0, 0], [1, 1, 0], [1, 1, 1]])
    assert edge < face < diagonal


def test_a_laminate_has_the_moduli_of_backus():
    """Layers normal to z: E_z follows from Backus' averages (1962, doi:10.1029/JZ067i011p04427)."""
    E, nu, share = np.array([1.0, 100.0]), np.array([0.3, 0.2]), np.array([0.4, 0.6])
    lam, mu = E * nu / (1 + nu) / (1 - 2 * nu), E / 2 / (1 + nu)

    def mean(values):
        return float((share * values).sum())

    P = lam + 2 * mu
    c33 = 1 / mean(1 / P)
    c13 = mean(lam / P) * c33
    c11 = mean(4 * mu * (lam + mu) / P) + mean(lam / P) ** 2 * c33
    c66, c44 = mean(mu), 1 / mean(1 / mu)
    C = np.diag([c11, c11, c33, c44, c44, c66])
    C[0, 1] = C[1, 0] = c11 - 2 * c66
    C[:2, 2] = C[2, :2] = c13
    across, along = directional_young(C, [[0, 0, 1], [1, 0, 0]])
    assert across == pytest.approx(c33 - c13**2 / (c11 - c66), rel=1e-12)
    # In the plane of the layers it is isotropic; through it the diagonal feels the soft shear.
    _, in_plane = young_in_plane(C, "xy", 37)
    assert in_plane == pytest.approx(along, rel=1e-12)
    angles, through = young_in_plane(C, "xz", 5)
    assert angles[1] == pytest.approx(np.pi / 2)
    assert through == pytest.approx([along, across, along, across, along], rel=1e-12)


def test_the_sense_of_each_shear_coupling():
    """A coupling of shears enters with the sign and factor of the tensor: compared with S : (n⊗n) written out."""
    C = isotropic(10.0, 0.25)
    C[3, 5] = C[5, 3] = 1.0  # yz with xy
    S = np.linalg.inv(C)
    n = np.array([1, 2, 3]) / np.sqrt(14)
    tensor = np.outer(n, n)
    stress = np.array([tensor[0, 0], tensor[1, 1], tensor[2, 2], tensor[1, 2], tensor[0, 2], tensor[0, 1]])
    strain = S @ stress  # engineering shear
    matrix = np.array(
        [
            [strain[0], strain[5] / 2, strain[4] / 2],
            [strain[5] / 2, strain[1], strain[3] / 2],
            [strain[4] / 2, strain[3] / 2, strain[2]],
        ]
    )
    assert directional_young(C, n) == pytest.approx(1 / (n @ matrix @ n), rel=1e-12)


@pytest.mark.parametrize(
    ("C", "directions", "words"),
    [
        (np.eye(3), [1, 0, 0], "expected \\(6, 6\\)"),
        (-np.eye(6), [1, 0, 0], "positive definite"),
        (np.full((6, 6), np.nan), [1, 0, 0], "positive definite"),
        (np.eye(6), [0, 0, 0], "not zero"),
        (np.eye(6), [1, 0], "vectors"),
    ],
)
def test_bad_input_says_why(C, directions, words):
    with pytest.raises(ValueError, match=words):
        directional_young(C, directions)


def test_unknown_planes_are_named():
    with pytest.raises(ValueError, match="xy, yz, xz"):
        young_in_plane(np.eye(6), "zx")


def test_under_plane_strain_an_isotropic_material_is_stiffer_and_fibres_show():
    """E / (1 - ν²); and along the axes of an orthotropic plane C11 - C12² / C22."""
    within = np.ix_([0, 1, 5], [0, 1, 5])
    _, young = young_in_plane_strain(isotropic(70.0, 0.3)[within])
    assert young == pytest.approx(70.0 / (1 - 0.3**2))
    C = np.array([[30.0, 4.0, 0.0], [4.0, 10.0, 0.0], [0.0, 0.0, 3.0]])
    angles, young = young_in_plane_strain(C, count=5)
    assert angles[1] == pytest.approx(np.pi / 2)
    assert young[:2] == pytest.approx([30.0 - 16.0 / 10.0, 10.0 - 16.0 / 30.0])
    with pytest.raises(ValueError, match=r"expected \(3, 3\)"):
        young_in_plane_strain(isotropic(70.0, 0.3))
