"""Designs are of materials that go together, whatever the method, and say how they are made."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import AsinhChannels
from relaxdesign.materials.compatibility import LEVELS, verdict
from relaxdesign.microstructure import FAMILIES
from relaxdesign.study.methods.discrete import Encoding
from relaxdesign.study.objective import Objective
from relaxdesign.study.presets import APPLICATIONS, PRESETS, fields_of
from relaxdesign.study.request import DesignRequest, RequestError
from relaxdesign.study.result import Design
from relaxdesign.study.run import check_request, design, materials_on_offer
from relaxdesign.study.selection import PairTable

SHORT = {"count": 2, "steps": 4, "seed": 5}


def levels(designs) -> list[str]:
    return [d.makeable.level for d in designs if d.ok and d.makeable is not None]


@pytest.mark.parametrize("family", ["particles", "free-form"])
def test_designs_can_be_made_and_say_how(family):
    result = design(DesignRequest.model_validate({"target_bulk": 60, "family": family, **SHORT}))
    made = [d for d in result.designs if d.ok]
    assert made
    for each in made:
        assert each.makeable is not None and each.makeable.route
        assert LEVELS.index(each.makeable.level) >= LEVELS.index("plausible")
        told = each.to_dict()["makeable"]
        assert told == {"level": each.makeable.level, "route": each.makeable.route, "reason": each.makeable.reason}
        assert Design.from_dict(each.to_dict()).makeable == each.makeable


def test_established_pairs_come_first():
    result = design(DesignRequest.model_validate({"target_bulk": 60, **SHORT}))
    assert levels(result.designs) == ["established"] * len([d for d in result.designs if d.ok])


@pytest.mark.parametrize("method", ["random", "pairs", "cma-es"])
def test_searches_combine_only_what_goes_together(method):
    request = {"target_bulk": 60, "method": method, "makeable": "established", **SHORT}
    result = design(DesignRequest.model_validate(request))
    assert set(levels(result.designs)) == {"established"}


def test_a_table_of_pairs_keeps_to_the_level_and_to_the_fractions_of_the_processes():
    target = Objective(quantity="K", low=60, high=60)
    for level in ("plausible", "established"):
        offered = Catalogue.default().select().combinable(level, 3)
        table = PairTable(offered, [target], FAMILIES["particles"], 3, 32)
        for matrix, particle, share in list(zip(table.matrix, table.inclusion, table.share, strict=True))[::50]:
            found = verdict(offered.materials[matrix], offered.materials[particle], 3, float(share))
            assert LEVELS.index(found.level) >= LEVELS.index(level)
            assert share <= offered.most_share[matrix, particle]


def test_random_pairs_and_points_of_the_unit_cube_are_pairs_that_go_together():
    offered = Catalogue.default().select().combinable("established", 3)
    generator, random = torch.Generator().manual_seed(0), np.random.default_rng(0)
    encoding = Encoding.of(offered, AsinhChannels(), FAMILIES["particles"])
    for _ in range(30):
        assert not offered.forbidden[offered.draw_pair(generator=generator)]
        assert not offered.forbidden[encoding.decode(random.random(Encoding.SIZE)).pair]


def test_a_target_that_only_other_pairs_reach_is_refused_with_the_remedy():
    request = {"objectives": [{"quantity": "K", "low": 0.0025, "high": 0.0025}], "dim": 3}
    with pytest.raises(RequestError, match="allow any pair"):
        check_request(DesignRequest.model_validate(request))
    check_request(DesignRequest.model_validate(request | {"makeable": "any"}))
    with pytest.raises(RequestError) as refused:
        check_request(DesignRequest.model_validate(request | {"objectives": [{"quantity": "K", "low": 5000}]}))
    assert "any pair" not in str(refused.value), "no pair reaches it"


def test_given_phases_are_taken_as_they_are():
    request = {"family": "free-form", "phases": ("void", "titanium-alloy-ti-6al-4v-annealed"), "target_bulk": 20}
    assert len(materials_on_offer(DesignRequest.model_validate(request))) == 2


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("name", PRESETS)
def test_presets_can_be_met(name, dim):
    assert len(check_request(DesignRequest.model_validate({"dim": dim} | fields_of(name)))) >= 2


def test_presets_are_found_however_they_are_written():
    assert fields_of("thermal-interface") == fields_of("Thermal interface")
    with pytest.raises(ValueError, match="did you mean 'wear part'"):
        fields_of("wear parts")


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("name", APPLICATIONS)
def test_applications_give_designs_that_can_be_made(name, dim):
    result = design(DesignRequest.model_validate({"dim": dim, "count": 8, "steps": 20, "seed": 1} | fields_of(name)))
    believable = [d for d in result.designs if d.on_target and d.makeable and d.makeable.level in LEVELS[2:]]
    assert len(believable) >= 6
