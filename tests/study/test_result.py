"""What a design tells of itself, realised or not."""

from __future__ import annotations

from dataclasses import replace

from relaxdesign.study.objective import parse_objective
from tests.scripted_study import scripted_design


def test_the_volume_fraction_is_that_of_the_phase_that_fills_the_matrix():
    design = scripted_design(0)
    assert design.volume_fraction == design.shares[1]
    assert scripted_design(1, failed=True).volume_fraction is None


def test_only_objectives_to_reach_are_targets():
    wanted = tuple(parse_objective(text) for text in ("K = 60", "minimise density", "G >= 1000"))
    design = replace(scripted_design(0), objectives=wanted)
    assert design.targets == (wanted[0], wanted[2])
    assert design.wanted("K") == 60 and design.wanted("density") is None and design.wanted("G") is None
