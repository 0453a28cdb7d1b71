"""A cell turns labels of phases into the properties of their materials, of any number of phases."""

import numpy as np
import pytest
import torch

from relaxdesign.microstructure.cell import Cell, phase_field
from tests.conftest import CARBIDE, EPOXY, make_material

GLASS = make_material("glass", 70.0, 0.22, 2.5)
LABELS = np.array([[[0, 0], [1, 2]], [[2, 2], [2, 1]]], np.uint8)


def test_three_phases_have_their_materials_properties_and_shares():
    cell = Cell(LABELS, (EPOXY, GLASS, CARBIDE))
    assert cell.shares == (0.25, 0.25, 0.5) and cell.dim == 3
    young = np.array([EPOXY.young, GLASS.young, CARBIDE.young])
    np.testing.assert_array_equal(cell.fields.E, young[LABELS])
    assert cell.fields.rho.mean() == pytest.approx(0.25 * EPOXY.density + 0.25 * GLASS.density + 0.5 * CARBIDE.density)
    assert cell.fields.k is None
    values = phase_field(young.tolist(), torch.from_numpy(LABELS))
    assert values.dtype == torch.float64 and (values.numpy() == cell.fields.E).all()


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (LABELS + 1, "from 1 to 3, but there are materials for 3 phases"),
        (LABELS[0], r"an array \(nx, ny, nz\)"),
        (LABELS.astype(float), "whole numbers, got float64"),
    ],
)
def test_labels_that_make_no_cell_are_refused(labels, words):
    with pytest.raises(ValueError, match=words):
        Cell(labels, (EPOXY, GLASS, CARBIDE))
