"""The protocol of shapes: its targets, what is kept of designs, and the page that tells it."""

import itertools
import json

import numpy as np
import pytest

from relaxdesign.physics.bounds import in_plane_upper_bounds
from relaxdesign.study.stiffness import NINE
from relaxdesign.validation.runner import chunk_path, load_chunk, run_chunk
from relaxdesign.validation.shapes import SETS, ShapeCase, cases, measured, plan_shapes
from relaxdesign.validation.shapes.page import write_shape_report
from relaxdesign.validation.shapes.records import Group, Line, Record

CHEAP = {"steps": 6, "method": "topology"}
STIFFNESS = np.diag([30.0, 20.0, 20.0, 5.0, 5.0, 8.0])
STIFFNESS[:3, :3] += 4.0 * (1.0 - np.eye(3))
MACHINE = {"version": "1", "cpu": "a", "cores": 2, "memory_GiB": 24, "torch": "2", "processes": 1}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A case of two candidates for a stiffness and one of two for the largest K, computed."""
    folder = tmp_path_factory.mktemp("shapes")
    whole = "a cell", cases.VOID_AND_SOLID | CHEAP | {"objectives": cases._of_stiffness(STIFFNESS, 2)}
    largest = [cases._exactly("solid", 0.5), {"quantity": "K", "sense": "maximise"}]
    asked = "0.5", cases.VOID_AND_STIFF | CHEAP | {"objectives": largest, "steps": 20}
    found = [ShapeCase("different", "topology", 2, 2, (whole,)), ShapeCase("bounds", "K topology", 2, 1, (asked,))]
    for case in found:
        for request in case.requests():
            run_chunk(request, chunk_path(folder, case, request))
    return folder, found


def test_designs_are_kept_with_their_labels_and_told_as_records(work):
    folder, (case, _) = work
    (request,) = case.requests()
    designs, cost = load_chunk(chunk_path(folder, case, request))
    line = measured(case, folder)
    assert line.groups["a cell"].load_cases == cost["load_cases"] > 0
    assert len(line.records) == 2 and line.made
    for design, record in zip(designs, line.records, strict=True):
        assert record.ok == design.ok
        if design.ok:
            assert set(np.unique(design.labels)) == {0, 1} and record.connected == design.solid.connected
            assert record.error == pytest.approx(design.stiffness_error)
            assert record.solid == pytest.approx(design.labels.mean(), abs=0.02) and record.betti[0] >= 1
            assert record.verified is not None and record.verified < 0.5
    assert Line.from_dict(json.loads(json.dumps(line.to_dict()))) == line


def test_what_is_largest_is_told_as_a_share_of_its_bound(work):
    folder, (_, case) = work
    (record,) = measured(case, folder).records
    assert record.ok and 0.9 < record.of_bound < 1.0
    (request,) = case.requests()
    ((design,), _) = load_chunk(chunk_path(folder, case, request))
    C, solid = np.array(design.stiffness), design.materials[1]
    bulk, _ = in_plane_upper_bounds(solid.bulk, solid.shear, record.solid)
    assert record.of_bound == pytest.approx((C[0, 0] + C[1, 1] + 2 * C[0, 1]) / 4 / bulk)


def test_cells_held_out_are_drawn_once_and_only_as_many_as_are_asked_for(tmp_path, monkeypatch):
    asked = []

    def cells(phases, first):
        for number in itertools.count(first):
            asked.append(number)
            yield f"kind {number}", STIFFNESS

    monkeypatch.setattr(cases, "_cells", cells)
    few = plan_shapes(("held-out",), (2, 3), None, tmp_path, None, 2)
    assert [case.name for case in few] == ["guided", "topology"] and asked == [0, 1]
    more = plan_shapes(("held-out",), (2,), 3, tmp_path, None, 4)
    assert asked == [0, 1, 2, 3] and [len(case.targets) for case in more] == [4, 4]
    seeds = [request.seed for request in more[0].requests()]
    assert seeds == [cases.HELD_OUT_SEED + n for n in range(4)] and more[0].requests()[0].count == 3
    assert few[0].requests()[0].objectives[0].low == STIFFNESS[0, 0]


def test_cells_held_out_carry_along_all_axes():
    name, C = next(cases._cells(cases.VOID_AND_SOLID, 0))
    assert name == "interpenetrating 0" and np.linalg.eigvalsh(C)[0] > 0.1
    assert np.allclose(C, C.T) and C.max() < 200.0
    name, C = next(cases._cells(cases.TWO_SOLIDS, 9))
    assert name == "particles 9" and 13.0 < C[0, 0] < 135.0


def test_bones_are_asked_for_relative_to_the_solid(tmp_path):
    file = tmp_path / "bones.csv"
    entries = dict(zip(NINE, (0.03, 0.02, 0.02, 0.005, 0.005, 0.005, 0.004, 0.004, 0.004), strict=True))
    header, values = ",".join(entries), ",".join(map(str, entries.values()))
    file.write_text(f"name,solid_fraction,{header}\nb1,0.2,{values}\n")
    assert not plan_shapes(("bones",), (2,), None, tmp_path, file) and not plan_shapes(("bones",), (3,), None, tmp_path)
    for set_, count in (("bones", 21), ("bones-and-solid", 22)):
        (case,) = plan_shapes((set_,), (3,), None, tmp_path, file)
        (request,) = case.requests()
        assert len(request.objectives) == count
        assert request.objectives[0].low == pytest.approx(0.03 * 113.8)
    assert request.objectives[-1].low == pytest.approx(0.18)


def test_every_set_has_requests_that_are_valid(tmp_path, monkeypatch):
    monkeypatch.setattr(
        cases, "_cells", lambda phases, first: ((f"kind {n}", STIFFNESS) for n in itertools.count(first))
    )
    for dim in (2, 3):
        for case in plan_shapes(SETS, (dim,), None, tmp_path, None, 2):
            assert case.requests() and case.key.endswith(f"{dim}d")
    auxetic = plan_shapes(("auxetic",), (2,), None, tmp_path)[0].requests()[0]
    wanted = {objective.quantity: objective.low for objective in auxetic.objectives}
    assert wanted["C12"] / wanted["C11"] == pytest.approx(-0.7) and auxetic.min_feature == pytest.approx(3 / 64)


def test_the_page_counts_candidates_without_a_design_as_misses_and_keeps_earlier_targets(work, tmp_path):
    made = Record(error=0.002, verified=0.004, connected=True, feature=0.05, betti=(1, 3))
    first = Line("held-out", "guided", 2, {"a": Group((made,), load_cases=120, seconds=9.0)})
    write_shape_report([first], tmp_path / "page.md", tmp_path / "results", MACHINE)
    lost = Line("held-out", "guided", 2, {"b": Group((Record(message="in pieces"),))})
    folder, others = work
    lines = [lost, *(measured(case, folder) for case in others)]
    lines.append(Line("auxetic", "guided", 2, {"C11 = 0.02 E": Group((Record(error=0.01, poisson=-0.71),))}))
    write_shape_report(lines, tmp_path / "page.md", tmp_path / "results", MACHINE)
    page = (tmp_path / "page.md").read_text()
    assert "| 2D guided | 2 | 2 | 1 | – | 50 % | 50 % | 50 % | – | 50 % | 100 % | 3.2 voxels | 120 | 9 |" in page
    assert (
        page.index("## Stiffness of cells held out") < page.index("## How different") < page.index("## At the bounds")
    )
    assert "C11 = 0.02 E, ν = -0.7 | 1 of 1 | 1.00 % | -0.71" in page
    kept = json.loads((tmp_path / "results" / "shapes.json").read_text())["lines"][0]["groups"]
    assert list(kept) == ["a", "b"]
