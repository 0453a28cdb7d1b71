"""A whole stiffness as target."""

import json

import numpy as np
import pytest

from relaxdesign.study.stiffness import (
    IN_PLANE,
    NINE,
    check_attainable,
    known_stiffness,
    of_stiffness,
    read_stiffness,
    stiffness_error,
    stiffness_objectives,
    wanted_stiffness,
)


def isotropic(bulk: float, shear: float) -> np.ndarray:
    C = np.diag([2 * shear] * 3 + [shear] * 3)
    C[:3, :3] += bulk - 2 / 3 * shear
    return C


def values(C: np.ndarray) -> dict[str, float]:
    return {f"C{i + 1}{j + 1}": float(C[i, j]) for i in range(6) for j in range(i, 6)}


@pytest.mark.parametrize(("dim", "count"), [(2, len(IN_PLANE)), (3, 21)])
def test_its_error_is_the_frobenius_norm(dim, count):
    C, other = isotropic(10.0, 4.0), isotropic(10.5, 4.3)
    other[0, 5] = other[5, 0] = 0.2
    objectives = stiffness_objectives(C, dim)
    assert len(objectives) == count and of_stiffness(objectives) == objectives
    at = [0, 1, 5] if dim == 2 else list(range(6))
    expected = np.linalg.norm((other - C)[np.ix_(at, at)]) / np.linalg.norm(C[np.ix_(at, at)])
    assert stiffness_error(objectives, values(other)) == pytest.approx(expected)
    assert stiffness_error(objectives, values(C)) == 0.0
    assert stiffness_error((), values(C)) is None


@pytest.mark.parametrize("dim", [2, 3])
def test_it_is_put_together_from_its_entries(dim):
    C = isotropic(10.0, 4.0)
    C[0, 5] = C[5, 0] = 0.2
    at = [0, 1, 5] if dim == 2 else list(range(6))
    for found in (known_stiffness(values(C), dim), wanted_stiffness(stiffness_objectives(C, dim), dim)):
        np.testing.assert_allclose(found, C[np.ix_(at, at)])
    assert known_stiffness({**values(C), "C11": None}, dim) is None
    assert wanted_stiffness(stiffness_objectives(C, dim)[1:], dim) is None


def test_what_no_cell_can_have_is_refused():
    with pytest.raises(ValueError, match="not positive definite"):
        stiffness_objectives(np.diag([1.0, 1.0, 1.0, 1.0, 1.0, -1.0]), 3)
    with pytest.raises(ValueError, match="not symmetric"):
        stiffness_objectives(isotropic(1.0, 1.0) + np.eye(6, k=1), 3)
    with pytest.raises(ValueError, match="6 × 6"):
        stiffness_objectives(np.eye(3), 2)
    solid = isotropic(100.0, 40.0)
    check_attainable(stiffness_objectives(0.9 * solid, 3), 100.0, 40.0)
    for wanted in (1.1 * solid, isotropic(50.0, 45.0)):  # the second only in shear
        with pytest.raises(ValueError, match="Voigt bound"):
            check_attainable(stiffness_objectives(wanted, 3), 100.0, 40.0)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.json", lambda C: json.dumps(C.tolist())),
        ("c.json", lambda C: json.dumps({"stiffness": C.tolist()})),
        ("c.csv", lambda C: "\n".join(",".join(map(str, row)) for row in C)),
        ("c.json", lambda C: json.dumps({key: value for key, value in values(C).items() if value})),
        (
            "c.txt",
            lambda C: " ".join(str(values(C)[k]) for k in NINE),
        ),
    ],
)
def test_it_is_read_from_files_as_people_have_them(tmp_path, name, content):
    C = isotropic(10.0, 4.0)
    (tmp_path / name).write_text(content(C))
    assert read_stiffness(tmp_path / name) == pytest.approx(C)


def test_in_the_plane_three_by_three_will_do(tmp_path):
    (tmp_path / "c.json").write_text("[[25, 10, 0], [10, 24, 0], [0, 0, 9]]")
    C = read_stiffness(tmp_path / "c.json")
    assert C[0, 1] == 10 and C[1, 1] == 24 and C[5, 5] == 9 and C[2, 2] == 0
    assert {o.quantity: o.value for o in stiffness_objectives(C, 2)} == {
        "C11": 25, "C22": 24, "C12": 10, "C66": 9, "C16": 0, "C26": 0,
    }  # fmt: skip


@pytest.mark.parametrize(("text", "match"), [("1 2 3", "got 3"), ('{"C77": 1}', "unknown entries C77"), ("x", "got 0")])
def test_other_files_are_refused(tmp_path, text, match):
    (tmp_path / "c.txt").write_text(text)
    with pytest.raises(ValueError, match=match):
        read_stiffness(tmp_path / "c.txt")
