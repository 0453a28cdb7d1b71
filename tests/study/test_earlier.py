"""What version 0.1 wrote opens: requests, designs with and without their arrays."""

import numpy as np
import pytest

from relaxdesign.campaign import request_hash
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Design

OLD = {
    "index": 3,
    "target_bulk": 60.0,
    "ok": True,
    "message": "",
    "matrix": {
        "id": "al", "name": "Aluminium", "category": "metal", "young": 69.0, "poisson": 0.33, "bulk": 67.6,
        "shear": 25.9, "density": 2.7, "kind": "", "conductivity": None, "expansion": None, "price": None, "flag": "",
        "source": "", "url": "",
    },
    "volume_fraction": 0.25,
    "diameter": 0.3,
    "K": {"relaxed": 61.0, "projected": None, "snapped": 58.0, "refined": 60.1, "realised": 60.3},
    "on_target": True,
    "error": 0.005,
    "spread": 0.4,
    "density": 2.83,
    "bounds": {"reuss": 50.0, "hs_lower": 55.0, "hs_upper": 65.0, "voigt": 70.0},
    "iterations": 21,
    "residual": 1e-9,
    "files": {},
}  # fmt: skip
OLD["particle"] = OLD["matrix"] | {"id": "sic", "name": "Carbide", "bulk": 207.1, "density": 3.2}


def test_a_design_of_particles():
    labels = np.zeros((4, 4, 1), np.uint8)
    labels[0] = 1
    design = Design.from_dict(OLD, labels)
    assert [material.id for material in design.materials] == ["al", "sic"] and design.shares == (0.75, 0.25)
    assert design.family == "particles" and design.parameters == {"diameter": 0.3}
    assert design.ok and design.error == pytest.approx(0.005) and design.at("snapped", "K") == 58.0
    assert design.value("density") == 2.83 and design.cell.shares == (0.75, 0.25)
    assert Design.from_dict(design.to_dict(), labels).to_dict() == design.to_dict()


def test_a_geometric_design_with_several_targets():
    objectives = [{"quantity": "K", "low": 60.0}, {"quantity": "Ex/Ey", "low": 1.5, "high": 1.5}]
    stages = {"relaxed": {"K": 60.0}, "realised": {"K": 61.0, "Ex/Ey": 1.51}}
    own = {"diameter": None, "target_bulk": None, "objectives": objectives, "stages": stages}
    design = Design.from_dict(OLD | own | {"properties": {"K": 61.0, "Ex/Ey": 1.51, "density": 2.83}})
    assert design.family == "free-form" and design.parameters == {}
    assert design.misses == {"K": 0.0, "Ex/Ey": pytest.approx(0.01 / 1.5)} and design.value("density") == 2.83


def test_a_design_that_failed():
    gone = dict.fromkeys(("matrix", "particle", "volume_fraction", "diameter", "density", "bounds"))
    design = Design.from_dict(OLD | gone | {"K": {"relaxed": 61.0, "realised": None}, "message": "no two phases"})
    assert not design.ok and design.materials == () and design.message == "no two phases"


def test_requests_name_their_family_by_how_samples_were_read():
    old = DesignRequest.model_validate({"target_bulk": 60, "projection": "geometric", "version": "0.1.0"})
    assert old == DesignRequest(target_bulk=60, family="free-form", makeable="any")
    assert DesignRequest.model_validate({"target_bulk": 60, "projection": "statistical"}).family == "particles"
    with pytest.raises(ValueError, match="unknown family 'round'"):
        DesignRequest.model_validate({"target_bulk": 60, "projection": "round"})


def test_campaigns_of_version_0_1_find_what_they_computed():
    """The hashes that version 0.1.0 gave these requests."""
    assert request_hash(DesignRequest(target_bulk=60, makeable="any")) == "a55209b9845356494eb649e7"
    assert request_hash(DesignRequest(target_bulk=60, family="free-form", makeable="any")) == "adb12ed59ea4f25ee06b1d03"


def test_requests_that_earlier_versions_wrote_take_any_pair():
    whole = DesignRequest(target_bulk=60, makeable="any").model_dump(mode="json")
    del whole["makeable"]
    assert DesignRequest.model_validate(whole).makeable == "any", "as the library kept it"
    assert DesignRequest.model_validate({"target_bulk": 60, "version": "0.2.0"}).makeable == "any", "as a file"
    assert DesignRequest.model_validate({"target_bulk": 60}).makeable == "plausible"
    assert request_hash(DesignRequest(target_bulk=60)) != request_hash(DesignRequest(target_bulk=60, makeable="any"))
