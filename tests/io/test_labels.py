"""Labels of any names: which array, which material, and what the voxels become."""

from __future__ import annotations

import numpy as np
import pytest

from relaxdesign.io.fields import FieldError, LabelsUnclear, MissingArray, labelled_field, load_field, load_labels
from relaxdesign.io.labels import parse_phases
from relaxdesign.microstructure.cell import Cell
from tests.conftest import CARBIDE, EPOXY, make_material
from tests.io.test_fields_io import save, save_vti  # noqa: F401  (fixtures)

GLASS = make_material("glass", 70.0, 0.22, 2.5)
THREE = np.array([[[1, 1], [7, 7]], [[-2, 1], [7, 1]]])


def test_three_labels_become_the_properties_of_their_materials(save):  # noqa: F811
    labels = load_labels(save(material=THREE, grey=np.zeros(3)), "material")
    assert labels.shares == {-2: 0.125, 1: 0.5, 7: 0.375}
    data = labelled_field(labels, {1: EPOXY, 7: GLASS, -2: CARBIDE})
    for values, expected in ((data.E, (400.0, 3.2, 70.0)), (data.nu, (0.2, 0.35, 0.22)), (data.rho, (3.2, 1.2, 2.5))):
        for label, value in zip((-2, 1, 7), expected, strict=True):
            assert (values[label == THREE] == value).all()
    assert data.k is None, "no conductivities are known"
    with pytest.raises(
        ValueError, match=r"no material for label 7 of material, which holds -2 \(12.5 %\), 1 \(50 %\), 7 \(37.5 %\)"
    ):
        labelled_field(labels, {1: EPOXY, -2: CARBIDE})


def test_conductivity_is_that_of_the_phases_that_occur():
    from dataclasses import replace

    known = {0: replace(EPOXY, conductivity=0.2), 1: replace(GLASS, conductivity=1.1), 2: CARBIDE}
    assert Cell.of(np.array([[[0, 1]]]), known).fields.k.ravel().tolist() == [0.2, 1.1]
    assert Cell.of(np.array([[[0, 2]]]), known).fields.k is None


def test_the_array_of_labels_is_named_or_the_only_one(save, save_vti):  # noqa: F811
    assert load_labels(save(arr_0=THREE)).array == "arr_0"
    assert load_labels(save(phase=THREE, other=THREE + 1)).array == "phase"
    assert load_labels(save_vti({"material": THREE.astype(np.uint8) % 3}, (2, 2, 2))).edge == 0.5
    both = save(a=THREE, b=np.linspace(0, 1, 8).reshape(2, 2, 2))
    with pytest.raises(LabelsUnclear, match=r"which one .* a with labels -2 \(12.5 %\), 1 .*, b") as unclear:
        load_labels(both)
    assert unclear.value.arrays == ("a", "b")
    with pytest.raises(MissingArray, match=r"no array c of labels; found: a with labels"):
        load_labels(both, "c")
    with pytest.raises(MissingArray, match=r"no array E and nu.*found: arr_0 with labels"):
        load_field(save(arr_0=THREE))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.array([[0.0, 0.5]]), r"0.5 at voxel \(0, 1, 0\); labels are whole numbers"),
        (np.array([[0.0, np.nan]]), "nan at voxel"),
        (np.arange(100).reshape(10, 10), "100 different values; labels are at most 32"),
        (np.zeros((2, 2, 2, 2)), "expected labels"),
        (np.array([["a", "b"]]), "expected labels"),
    ],
)
def test_what_is_no_label_is_refused(save, values, words):  # noqa: F811
    with pytest.raises(FieldError, match=words):
        load_labels(save(phase=values))


def test_labels_may_be_written_as_booleans_or_whole_floats(save):  # noqa: F811
    for values in (THREE > 0, (THREE > 0).astype(np.float32)):
        assert load_labels(save(phase=values)).shares == {0: 0.125, 1: 0.875}


def test_point_data_is_told_apart(save_vti):  # noqa: F811
    path = save_vti({"phase": THREE}, (2, 2, 2), points=True)
    for read in (load_labels, load_field):
        with pytest.raises(FieldError, match=r"phase is given at points \(point data.*one point more along each axis"):
            read(path)


def test_phases_are_parsed_with_commas_in_names():
    assert parse_phases(["1=epoxy,2=Steel, 304 (a=b)", "-3 = PE"]) == {1: "epoxy", 2: "Steel, 304 (a=b)", -3: "PE"}
    for text, words in (("epoxy", "LABEL=MATERIAL"), ("1=", "no material"), ("1=a,1=b", "two materials")):
        with pytest.raises(ValueError, match=words):
            parse_phases([text])
