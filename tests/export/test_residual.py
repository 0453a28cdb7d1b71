"""What cooling down from the process leaves, in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from relaxdesign.export.residual import residual_stress
from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.compatibility import verdict
from relaxdesign.microstructure.cell import Cell
from relaxdesign.physics.effective_properties import evaluate

CATALOGUE = Catalogue.default()
EPOXY, ALUMINA = CATALOGUE.by_id["epoxy-unfilled"], CATALOGUE.by_id["alumina-ad-995"]


def expansion_of(materials):
    labels = np.zeros((12, 12, 1), dtype=np.uint8)
    labels[4:8, 4:8] = 1
    return evaluate(Cell(labels, materials).fields).expansion


def test_cooling_from_the_cure_pulls_the_matrix_around_stiff_particles():
    materials = EPOXY, ALUMINA
    made, expansion = verdict(*materials), expansion_of(materials)
    text = residual_stress(made, materials, expansion)
    assert text.startswith("Cooling from ") and made.route in text and EPOXY.name in text
    assert expansion is not None
    matrix = min(expansion.phases, key=lambda phase: phase.young)
    assert matrix.compression > 0  # the largest principal stress of a cooling matrix is a tension
    twice = expansion_of((replace(EPOXY, expansion=2 * EPOXY.expansion - ALUMINA.expansion), ALUMINA))
    assert twice is not None
    hotter = min(twice.phases, key=lambda phase: phase.young)
    assert np.isclose(hotter.compression, 2 * matrix.compression, rtol=1e-6)  # in proportion to the difference


def test_where_the_process_or_an_expansion_is_not_known_nothing_is_said():
    materials = EPOXY, ALUMINA
    expansion = expansion_of(materials)
    assert residual_stress(None, materials, expansion) == ""
    assert residual_stress(verdict(*materials), materials, None) == ""
    strange = replace(EPOXY, substance="")
    assert residual_stress(verdict(strange, ALUMINA), (strange, ALUMINA), expansion) == ""
