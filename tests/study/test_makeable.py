"""Designs are of materials that go together, whatever the method, and say how they are made."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from relaxdesign.export.cell import length, made_text
from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import AsinhChannels
from relaxdesign.materials.compatibility import verdict
from relaxdesign.materials.verdict import LEVELS
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
        assert told == asdict(each.makeable)
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
    request = {"objectives": [{"quantity": "K", "low": 0.0018, "high": 0.0018}], "dim": 3}
    with pytest.raises(RequestError, match="allow any pair"):
        check_request(DesignRequest.model_validate(request))
    check_request(DesignRequest.model_validate(request | {"makeable": "any"}))
    with pytest.raises(RequestError) as refused:
        check_request(DesignRequest.model_validate(request | {"objectives": [{"quantity": "K", "low": 5000}]}))
    assert "any pair" not in str(refused.value), "no pair reaches it"


def test_given_phases_are_taken_as_they_are():
    request = {"family": "free-form", "phases": ("void", "titanium-alloy-ti-6al-4v-annealed"), "target_bulk": 20}
    assert len(materials_on_offer(DesignRequest.model_validate(request))) == 2


def test_lattices_say_how_they_are_made_and_whether_their_cell_is_large_enough():
    request = {"family": "free-form", "phases": ("void", "ti-6al-4v"), "target_bulk": 20, **SHORT}
    (made, *_) = (each for each in design(DesignRequest.model_validate(request)).designs if each.ok)
    assert made.makeable is not None and made.makeable.level == "established" and made.solid is not None
    wall = made.makeable.wall_mm
    assert wall is not None and Design.from_dict(made.to_dict()).makeable == made.makeable
    least = wall / made.solid.min_feature
    assert "no less than the process needs" in made_text(made, 1.01 * least)
    assert f"too thin for the process: make the cell {least:.3g} mm or larger" in made_text(made, 0.5 * least)
    assert made_text(replace(made, makeable=None), 10.0) == ""


@pytest.mark.parametrize(
    ("values", "text"),
    [((0.48, 1.44), "0.48 to 1.44 mm"), ((0.2382,), "238.2 µm"), ((2.3824, 2.3824), "2.382 mm"), ((1.0,), "1 mm")],
)
def test_lengths_are_in_mm_from_1_mm_on(values, text):
    assert length(*values) == text


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
