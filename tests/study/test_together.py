"""Several targets at once: what pairs of materials can have together, by the estimates of their family."""

from __future__ import annotations

import numpy as np
import pytest

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.run import materials_on_offer
from relaxdesign.study.together import Together, conflict, in_words, together
from tests.conftest import CARBIDE, EPOXY, make_material

STEEL = make_material("steel", 200.0, 0.3, 7.85)
OFFERED = Catalogue((EPOXY, STEEL, CARBIDE))


def asked(*texts: str, **fields) -> DesignRequest:
    return DesignRequest.model_validate({"objectives": [parse_objective(text) for text in texts]} | fields)


def of(*texts: str, catalogue: Catalogue = OFFERED) -> Together:
    found = together(asked(*texts), catalogue)
    assert found is not None
    return found


def test_targets_that_one_composite_has_are_no_conflict():
    """The values are those of the family's own estimate for epoxy with a quarter of carbide."""
    pair = Catalogue((EPOXY, CARBIDE))
    family = of("K = 1", "G = 1").family
    K, G = (float(family.estimate(pair, np.array([0.25]), 2, name)[0, 0, 1]) for name in ("K", "G"))
    found = of(f"K = {K}", f"G = {G}")
    nearest = found.compromises[0]
    assert not found.conflict and conflict(found) == ""
    assert (nearest.matrix, nearest.inclusions) == (EPOXY, CARBIDE)
    assert nearest.share == pytest.approx(0.25, abs=1e-3) and nearest.miss < 2e-3
    assert nearest.values == pytest.approx({"K": K, "G": G}, rel=2e-3)


def test_conflict_names_what_can_be_had_and_what_keeps_each_target():
    """K of 100 GPa takes epoxy inclusions in a stiff matrix, which have no G of 2 GPa; stiff ones in epoxy have."""
    found = of("K = 100", "G = 2")
    nearest, *kept = found.compromises
    assert found.conflict and nearest.kept == "" and nearest.miss > 0.5
    by_kept = {compromise.kept: compromise for compromise in kept}
    assert by_kept["K"].values["K"] == pytest.approx(100, rel=0.01)
    assert by_kept["G"].values["G"] == pytest.approx(2, rel=0.01)
    assert all(compromise.miss >= nearest.miss for compromise in kept)
    told = conflict(found)
    assert "nearest to all" in told and in_words(nearest, found.targets) in told
    assert "with K kept: K" in told and "with G kept: K" in told


def test_the_nearest_is_the_least_miss_of_all_composites():
    """Against a plain search over the cloud at the fractions of estimates, which cannot find less."""
    found = of("K = 30", "G = 3", "density <= 2")
    (K, G, density), near = found.cloud("K", "G", "density")
    assert near.all()
    square = np.log(K / 30) ** 2 + np.log(G / 3) ** 2 + np.log(np.maximum(density / 2, 1)) ** 2
    best = float(np.sqrt(square.min() / 3))
    assert found.compromises[0].miss <= best + 1e-9
    assert found.compromises[0].miss > 0.7 * best


def test_cloud_tells_who_is_near_to_the_other_targets():
    found = of("K = 30", "G = 2.5", "density <= 2")
    (K, density), near = found.cloud("K", "density")
    G = found.cloud("G")[0][0]
    assert len(K) == len(density) == len(near)
    assert near.any() and np.array_equal(near, np.abs(np.log(G / 2.5)) <= 0.05)


def test_what_may_not_be_combined_counts_for_nothing():
    """Materials of the shipped catalogue that are makeable: no compromise is a pair that is forbidden."""
    request = asked("K = 120", "G = 20")
    materials = materials_on_offer(request)
    found = together(request, materials)
    assert found is not None and found.conflict
    ids = [material.id for material in materials.materials]
    for compromise in found.compromises:
        m, p = ids.index(compromise.matrix.id), ids.index(compromise.inclusions.id)
        assert not materials.forbidden[m, p]
        assert compromise.share <= materials.most_share[m, p]


def test_one_target_and_given_phases_have_no_map():
    assert together(asked("K = 30"), OFFERED) is None
    request = asked("K = 30", "G = 10", family="free-form", phases=("void", "ti-6al-4v"))
    assert together(request, Catalogue.default().of_phases(request.phases)) is None
