"""Two materials leave a gap: what lies in it is refused, what simulation finds at its rims is made."""

from __future__ import annotations

import numpy as np
import pytest

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.microstructure import PARTICLES
from relaxdesign.study import run as study
from relaxdesign.study.attainable import Gap, attainable, gap_of, simulated_gap
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.selection import shares

SOFT_AND_STIFF = "id,name,E_GPa,nu,rho_g_cm3\na,Soft,3,0.35,1.2\nb,Stiff,70,0.33,2.7"
TWO = Catalogue.from_csv(SOFT_AND_STIFF.encode())


def request_for(text: str, **settings) -> DesignRequest:
    wanted = {"objectives": [parse_objective(text)], "materials_csv": SOFT_AND_STIFF}
    return DesignRequest.model_validate(wanted | settings)


@pytest.mark.parametrize("dim", [2, 3])
def test_each_material_as_matrix_gives_an_interval(dim):
    estimates = PARTICLES.estimate(TWO, shares(PARTICLES), dim, "K")
    soft, stiff = estimates[:, 0, 1], estimates[:, 1, 0]
    assert attainable(TWO, dim, "K") == [
        pytest.approx((soft[0], soft[-1])),
        pytest.approx((stiff[-1], stiff[0])),
    ]
    # Of half a cell of each the density is the same either way.
    ((low, high),) = attainable(TWO, dim, "density")
    assert (low, high) == pytest.approx((1.2 + 0.05 * 1.5, 2.7 - 0.05 * 1.5))


def test_intervals_hold_every_pair_of_a_large_catalogue():
    catalogue = Catalogue.default().select()
    different = ~np.eye(len(catalogue), dtype=bool)
    for name in ("K", "G", "density"):
        intervals = np.array(attainable(catalogue, 2, name))
        assert (intervals[1:, 0] > intervals[:-1, 1]).all() and (intervals[:, 0] <= intervals[:, 1]).all()
        for fraction in (0.05, 0.5):
            values = PARTICLES.estimate(catalogue, [fraction], 2, name)[0][different]
            inside = (values[:, None] >= intervals[:, 0] - 1e-9) & (values[:, None] <= intervals[:, 1] + 1e-9)
            assert inside.any(1).all()


def test_a_target_lies_in_a_gap_only_if_all_of_it_does():
    intervals = [(1.0, 2.0), (5.0, 9.0)]
    assert gap_of(parse_objective("K = 3"), intervals) == Gap(2.0, 5.0)
    for text in ("K = 2", "K = 7", "K = 20", "1.5 <= K <= 3", "3 <= K <= 6", "1 <= K <= 9", "K >= 3", "K <= 3"):
        assert gap_of(parse_objective(text), intervals) is None, text
    # Misses are relative: 3.1 is 55 % above 2 and 38 % below 5.
    assert Gap(2.0, 5.0).nearest(parse_objective("K = 3.1")) == 2.0
    assert Gap(2.0, 5.0).nearest(parse_objective("K = 3.2")) == 5.0


def test_simulation_narrows_the_gap_that_estimates_leave():
    """Touching fields of stiff particles carry more, and soft ones weaken more, than the estimates' bounds."""
    (_, low), (high, _) = attainable(TWO, 2, "K")
    gap = simulated_gap(parse_objective("K = 14"), Gap(low, high), TWO, PARTICLES, 2, "periodic")
    assert 1.02 * low < gap.low < 1.1 * low and 0.85 * high < gap.high < 0.95 * high


def test_a_target_in_the_gap_is_refused_with_the_gap_and_the_nearest_value():
    with pytest.raises(
        study.RequestError, match=r"none between 1\d.\d+ GPa and 1\d.*; the nearest .* is 1[01]\.\d+ GPa"
    ):
        study.materials_on_offer(request_for("K = 13"))
    with pytest.raises(study.RequestError, match=r"between 3\.\d+ GPa and 59\.\d+ GPa; change the target"):
        study.materials_on_offer(request_for("K = 65"))


def test_a_target_that_only_simulation_shows_in_reach_is_met():
    (_, estimated), _ = attainable(TWO, 2, "K")
    target = 1.03 * estimated
    (design,) = study.design(request_for(f"K = {target!r}", count=1, steps=2, method="random")).designs
    assert design.on_target, design.message
    assert tuple(material.name for material in design.materials) == ("Soft", "Stiff")


def test_candidates_without_a_pair_of_their_own_say_so():
    request = request_for("K = 8", count=2, steps=2, method="random")
    first, second = study.design(request).designs
    assert first.on_target and not second.ok
    assert "taken by other designs" in second.message and "allow the same pair again" in second.message
    assert all(design.on_target for design in study.design(request.model_copy(update={"distinct": False})).designs)
