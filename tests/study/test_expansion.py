"""The thermal expansion of designs: asked for, told for free, refused by name where it is not known."""

from __future__ import annotations

import numpy as np
import pytest

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.material import VOID
from relaxdesign.physics.effective_properties import evaluate
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.presets import fields_of
from relaxdesign.study.realisation import _expansions
from relaxdesign.study.request import DesignRequest, RequestError
from relaxdesign.study.run import check_request, design

OWN = (
    "id,name,E_GPa,nu,rho_g_cm3,cte_1e-6_K\nresin,Resin,3,0.35,1.2,60\nsand,Sand,70,0.2,2.6,8\n"
    "clay,Clay,20,0.3,2.2,\nfoam,Foam,0.1,0.3,0.1,\n"
)
KNOWN = "".join(OWN.splitlines(keepends=True)[:3])


def request(*objectives: str, **fields) -> DesignRequest:
    return DesignRequest(objectives=tuple(map(parse_objective, objectives)), **fields)


def test_every_design_tells_the_expansion_that_the_solver_finds():
    """Of a request that does not ask for it: from the stiffness, at the limit of grids; the solver's is of voxels."""
    (found,) = design(request("E = 6", materials_csv=KNOWN, count=1, steps=4, seed=2)).designs
    solved = evaluate(found.cell.fields)
    assert found.properties is not None and found.stiffness is not None and solved.expansion is not None
    assert "cte" not in found.trust
    exact = _expansions(found.materials, solved_shares(found), solved.C)
    assert exact == pytest.approx(solved.expansion.values, rel=1e-6), "the relation, of the same cell"
    for name, value in solved.expansion.values.items():
        assert found.properties[name] == pytest.approx(value, rel=0.03), "the limit against the voxels"
    assert found.properties["cte"] == pytest.approx(np.mean([found.properties[f"cte_{a}"] for a in "xyz"]))


def solved_shares(found) -> tuple[float, float]:
    share = float(found.labels.mean())
    return 1 - share, share


def test_a_wanted_expansion_agrees_with_the_relation():
    (found,) = design(request("cte = 35", materials_csv=KNOWN, count=1, steps=4, seed=1)).designs
    assert found.properties is not None and found.on_target
    told = _expansions(found.materials, found.shares, np.array(found.stiffness))
    assert found.properties["cte"] == pytest.approx(told["cte"], rel=2e-3)


def test_beside_voids_the_solid_expands_and_nothing_is_told_of_the_unknown():
    resin, _, clay, _ = Catalogue.from_text(OWN).materials
    C = np.diag([1.0, 1.0, 1.0, 0.4, 0.4, 0.4])
    assert _expansions((VOID, resin), (0.7, 0.3), C) == dict.fromkeys(("cte", "cte_x", "cte_y", "cte_z"), 60.0)
    assert _expansions((resin, clay), (0.7, 0.3), C) == {}
    assert _expansions((resin, resin), (0.7, 0.3), None) == {}


def test_a_material_without_expansion_is_named_before_any_solve():
    given = {"family": "free-form", "phases": ("resin", "clay"), "materials_csv": OWN}
    with pytest.raises(RequestError, match=r"expansion of Clay is not known.*page Materials"):
        check_request(request("cte = 30", **given))
    many = "\n".join([*OWN.splitlines()[:2], *(f"m{i},M {i},{i + 5},0.3,2," for i in range(5))]) + "\n"
    with pytest.raises(RequestError, match="of 1 of the 6 materials"):
        check_request(request("cte = 30", materials_csv=many))


def test_the_base_plate_is_what_industry_makes_of_it():
    """AlSiC: aluminium or magnesium with about two thirds of silicon carbide, in two sizes."""
    offered = check_request(DesignRequest.model_validate(fields_of("Electronics base plate") | {"dim": 2}))
    assert {"Aluminium alloy 6061-T6", "CVD silicon carbide"} <= {m.name for m in offered.materials}
