"""Designs of three phases, the third of which is given: requests, whole runs, files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from relaxdesign.export import stl_bytes, vti_bytes
from relaxdesign.export.cell import inclusion_phase
from relaxdesign.io.stl import RECORD
from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.microstructure import FAMILIES
from relaxdesign.study.family import third_of
from relaxdesign.study.request import DesignRequest, RequestError
from relaxdesign.study.result import Design
from relaxdesign.study.run import check_request, design, run

CATALOGUE = Catalogue.default()


def request(**settings) -> DesignRequest:
    usual: dict = {} if "objectives" in settings else {"target_bulk": 8.0}
    usual |= {"count": 2, "steps": 8, "seed": 11, "family": "particles-hybrid"}
    return DesignRequest.model_validate(usual | {"third_phase": "eps-foam-20"} | settings)


def test_what_is_given_of_the_third_phase_is_checked():
    with pytest.raises(ValueError, match="cells of the family particles-coated need the material of their coating"):
        third_of("particles-coated", "", 0.0, CATALOGUE)
    with pytest.raises(ValueError, match="have two phases: a third one is for cells of particles-coated or"):
        third_of("particles", "copper", 0.0, CATALOGUE)
    with pytest.raises(ValueError, match=r"volume fraction of the filler is 0\.45; supported are"):
        third_of("particles-hybrid", "copper", 0.45, CATALOGUE)
    with pytest.raises(RequestError, match=r"expansion of .* is not known: take another third phase"):
        check_request(request(third_phase=without_expansion(), objectives=[{"quantity": "cte", "high": 20.0}]))
    assert third_of("particles-hybrid", "copper", 0.0, CATALOGUE).amount == 0.1


def without_expansion() -> str:
    return next(material.id for material in CATALOGUE.materials if material.expansion is None)


def test_the_third_phase_is_no_choice_for_the_others():
    offered = check_request(request(third_phase="copper"))
    assert offered.third is not None and offered.third.material.id == "copper"
    assert not {m.substance for m in offered.materials} & {CATALOGUE.by_id["copper"].substance}


@pytest.mark.parametrize(
    ("family", "third", "given"),
    [("particles-coated", "pp-polypropylene-moulded", 1), ("particles-hybrid", "eps-foam-20", 2)],
)
def test_designs_of_three_phases_are_verified_kept_and_exported(family, third, given):
    result = design(request(family=family, third_phase=third))
    ok = [each for each in result.designs if each.ok]
    assert len(ok) == 2
    for each in ok:
        assert each.value("K") == pytest.approx(8.0, rel=0.01)
        assert each.materials[given].id == third and len(each.materials) == 3
        assert sum(each.shares) == pytest.approx(1.0) and min(each.shares) > 0
        assert set(np.unique(each.labels)) == {0, 1, 2}
        assert len(each.sensitivity["K"].phases) == 3
        density = sum(share * material.density for share, material in zip(each.shares, each.materials, strict=True))
        assert each.value("density") == pytest.approx(density, rel=1e-6)
        again = Design.from_dict(json.loads(json.dumps(each.to_dict())), labels=each.labels)
        assert again.materials == each.materials and again.geometry == each.geometry
    volumes = [volume(stl_bytes(ok[0], phase=phase)) for phase in range(3)]
    assert np.array(volumes) / sum(volumes) == pytest.approx(np.array(ok[0].shares), rel=2e-3)
    assert b"phase_2" in vti_bytes(ok[0])
    *_, last = run(request(family=family, third_phase=third), finished=ok[:1])  # goes on with one of them kept
    kept, other = last.result.designs
    assert kept is ok[0] and other.materials == ok[1].materials


def volume(stl: bytes) -> float:
    """Enclosed by a closed surface."""
    corners = np.frombuffer(stl[84:], dtype=RECORD)["corners"].astype(np.float64)
    return float(np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6.0)


@pytest.mark.parametrize(("family", "label"), [("particles", 1), ("particles-coated", 2), ("particles-hybrid", 1)])
def test_the_surface_that_is_written_beside_a_design_is_that_of_the_chosen_inclusions(family, label):
    assert FAMILIES[family].phases[label] == "particles"
    assert inclusion_phase(Design(0, (), family)) == label
