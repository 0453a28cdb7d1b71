"""Phases have colours of their own, for every eye."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.scene.palette import CATEGORIES, PHASES, SOLID, VOID, phase_colours
from relaxdesign.scene.scenes import BACKGROUNDS

# Linear RGB as seen with all cones, without long, middle and short ones: Machado et al. 2009.
EYES = {
    "all": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def seen(colour: str, eye: str) -> np.ndarray:
    """CIELAB of a colour as such an eye sees it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(np.array(EYES[eye]) @ linear, 0, 1) / (0.9505, 1.0, 1.089)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("eye", EYES)
def test_every_eye_tells_the_colours_of_phases_apart(eye):
    distances = [np.linalg.norm(seen(a, eye) - seen(b, eye)) for a, b in combinations(PHASES, 2)]
    assert len(PHASES) == 8 and min(distances) > 20


@pytest.mark.parametrize("eye", EYES)
def test_every_eye_tells_the_colours_of_categories_apart(eye):
    distances = [np.linalg.norm(seen(a, eye) - seen(b, eye)) for a, b in combinations(CATEGORIES, 2)]
    assert len(CATEGORIES) == len(Catalogue.default().categories) == 13 and min(distances) > 20


def test_any_number_of_phases_has_colours_and_two_keep_theirs():
    assert phase_colours(2) == ("#3B4D72", "#E6CF5B")
    assert phase_colours(8) == PHASES and len(phase_colours(10)) == 10


def test_a_void_has_the_colour_of_none_and_a_solid_beside_it_stands_out_from_both_themes():
    assert phase_colours(2, 0) == (VOID, SOLID) and phase_colours(2, 1) == (SOLID, VOID)
    assert phase_colours(3, 1) == (PHASES[0], VOID, PHASES[2])
    for page in BACKGROUNDS.values():
        brighter, darker = sorted((luminance(SOLID), luminance(page)), reverse=True)
        assert (brighter + 0.05) / (darker + 0.05) > 3, "contrast of WCAG 2.1"


def luminance(colour: str) -> float:
    rgb = np.array(to_rgb(colour))
    return float(TO_XYZ[1] @ np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4))
