"""The protocol resumes where it was killed, and its numbers are what the designs say."""

import json
from dataclasses import asdict, replace

import pytest

from relaxdesign.prior.model import load_prior
from relaxdesign.study import run as study
from relaxdesign.study.methods import METHODS
from relaxdesign.study.request import guidance_defaults
from relaxdesign.study.run import prior_label
from relaxdesign.study.tuning import TUNING
from relaxdesign.validation import Summary, load_designs, run_cases, summarise
from relaxdesign.validation import cases as cases_module
from relaxdesign.validation.cases import Case, plan
from relaxdesign.validation.report import write_report
from relaxdesign.validation.runner import chunk_path, run_chunk
from relaxdesign.validation.summary import COMPUTING, hypervolume

CASE = Case("range", "guided", 2, 0.5, 3, {"target_bulk": 60.0, "steps": 4, "method": "random"})


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("protocol")
    (request,) = CASE.requests()
    run_chunk(request, chunk_path(folder, CASE, request))
    return folder


def test_a_chunk_is_one_line_per_design_and_one_of_costs(work):
    designs, costs = load_designs(CASE, work)
    assert [design.index for design in designs] == [0, 1, 2] and len(costs) == 1
    assert costs[0]["load_cases"] > 0 and costs[0]["seconds"] > costs[0]["sampling_seconds"] > 0


def test_a_killed_chunk_loses_the_design_in_flight_only(work, tmp_path, monkeypatch):
    (request,) = CASE.requests()
    lines = chunk_path(work, CASE, request).read_text().splitlines(keepends=True)
    path = chunk_path(tmp_path, CASE, request)
    path.parent.mkdir()
    path.write_text("".join(lines[:2]) + lines[2][:50])  # killed while the third line was written
    finished = []
    original = study.Finisher.finish

    def counted(self, index, field, taken):
        finished.append(index)
        return original(self, index, field, taken)

    monkeypatch.setattr(study.Finisher, "finish", counted)
    run_chunk(request, path)
    assert finished == [2]
    designs, costs = load_designs(CASE, tmp_path)
    assert [d.to_dict() for d in designs] == [json.loads(line)["design"] for line in lines[:3]]
    assert costs[0]["resumed"]


def test_cases_run_on_workers_and_what_is_finished_is_not_done_again(work, tmp_path):
    out_of_reach = Case("range", "impossible", 2, 0.5, 1, {"target_bulk": 5000.0, "steps": 4, "method": "random"})
    steps = list(run_cases([CASE, out_of_reach], tmp_path, count=1))
    assert [step.done for step in steps] == [1, 2] and {step.count for step in steps} == {2}
    assert {step.case.name: bool(step.error) for step in steps} == {"guided": False, "impossible": True}
    elsewhere, here = (load_designs(CASE, folder)[0] for folder in (tmp_path, work))
    assert [d.stages["realised"]["K"] for d in elsewhere] == pytest.approx(
        [d.stages["realised"]["K"] for d in here], rel=1e-6
    )
    assert [step.case for step in run_cases([CASE, out_of_reach], tmp_path, count=1)] == [out_of_reach]


def test_what_other_settings_made_is_not_taken_for_a_case(work):
    other = replace(CASE, request=CASE.request | {"guidance": {"commit": 0.1}})
    assert other.key == CASE.key and load_designs(other, work) == ([], [])


def test_summary_counts_hits_and_misses(work):
    designs, costs = load_designs(CASE, work)
    lost = replace(designs[0], index=3, stages={"relaxed": {"K": 66.0}}, materials=(), shares=())
    summary = summarise(CASE, [*designs, lost], costs)
    realised = summary.stages["realised"]
    assert realised.reached == 3 and realised.within["0.01"] == pytest.approx(0.75)
    assert summary.stages["relaxed"].within["0.05"] <= 0.75 and summary.pairs == 3
    assert 0 < summary.coverage < 1.5


def test_diversity_is_compared_over_groups_of_as_many_designs(work):
    designs, costs = load_designs(CASE, work)
    same, varied = [designs[0]] * 8, [designs[0]] * 6 + designs[1:]
    alone = [summarise(CASE, group, costs) for group in (same, varied)]
    assert [s.group_coverage_error for s in alone] == [None, None]
    assert alone[0].group_pairs == 1 < alone[1].group_pairs and alone[0].group_coverage < alone[1].group_coverage
    both = summarise(CASE, same + varied, costs)
    few, many = (s.group_coverage for s in alone)
    assert both.groups == 2 and both.group_coverage == pytest.approx((few + many) / 2)
    assert both.group_coverage_error == pytest.approx((many - few) / 2)  # s / √n of two values


def test_diversity_before_refinement_is_that_of_the_samples(work):
    designs, costs = load_designs(CASE, work)
    assert all(design.snapped and sum(design.snapped.shares) == pytest.approx(1) for design in designs)
    said, other = designs[0].snapped, designs[1].snapped
    alike = [replace(design, snapped=said) for design in designs]
    lost = replace(designs[2], stages={"snapped": {"K": 66.0}}, snapped=other)  # failed in refinement
    same, varied = (summarise(CASE, group, costs).snapped for group in (alike, [*alike[:2], lost]))
    assert (same.pairs, varied.pairs) == (1, 2) and same.share_deviation == 0 < varied.share_deviation
    assert 0 < same.coverage < varied.coverage and same.coverage_error is None
    assert summarise(CASE, alike, costs).group_pairs == 3  # refinement makes pairs different
    stored = [replace(design, snapped=None) for design in designs]  # by version 0.1
    assert summarise(CASE, stored, costs).snapped is None


def test_summaries_survive_json_and_those_of_version_0_1_are_read(work):
    summary = summarise(CASE, *load_designs(CASE, work))
    values = json.loads(json.dumps(summary.to_dict()))
    assert Summary.from_dict(values) == summary and summary.tuning == asdict(TUNING)
    old = {name: value for name, value in values.items() if name not in ("snapped", "tuning")} | {"known_kind": 3.0}
    assert Summary.from_dict(old).tuning == {"known_kind": 3.0} and Summary.from_dict(old).snapped is None


def test_held_out_seeds_stand_beside_those_of_the_search(work, tmp_path, monkeypatch):
    made_up = {name: {f"{q:g}": 10.0 + q for q in cases_module.QUANTILES} for name in ("K", "G")}
    monkeypatch.setattr(cases_module, "targets", lambda dim, cache: made_up)
    every = plan(cases_module.SETS, (2, 3), None, tmp_path)
    confirming = [case for case in every if case.set == "confirm"]
    searched = {(case.name, case.dim, case.quantile): case for case in every if case.set != "confirm"}
    for case in confirming:
        other = searched[case.name, case.dim, case.quantile]
        assert case.request == other.request
        assert min(r.seed for r in case.requests()) >= 900_000 > max(r.seed for r in other.requests())
    summary = summarise(CASE, *load_designs(CASE, work))
    worse = replace(summary.stages["realised"], within=summary.stages["realised"].within | {"0.01": 0.0})
    held_out = replace(summary, set="confirm", stages=summary.stages | {"realised": worse})
    machine = {"version": "0", "cpu": "test", "cores": 1, "memory_GiB": 1, "torch": "0", "processes": 1}
    write_report([summary, held_out], tmp_path / "results.md", tmp_path / "results", machine)
    section = (tmp_path / "results.md").read_text().split("## On seeds that no search has seen")[1]
    assert "| 3 → 3 |" in section and "100 % → 0 % | -2.4 |" in section


def test_hypervolume_of_known_fronts():
    assert hypervolume([]) == 0
    assert hypervolume([(0.0, 10.0)]) == pytest.approx(0.5)
    assert hypervolume([(0.0, 10.0), (0.05, 5.0), (0.2, 0.1)]) == pytest.approx(0.5 + 0.5 * 0.25)


def test_report_holds_every_case(work, tmp_path):
    summary = summarise(CASE, *load_designs(CASE, work))
    other = replace(summary, set="baselines", name="pairs")
    machine = {"version": "0", "cpu": "test", "cores": 1, "memory_GiB": 1, "torch": "0", "processes": 1}
    faster = replace(summary, set="few-steps", name="5 steps")
    write_report([summary, other, faster], tmp_path / "results.md", tmp_path / "results", machine)
    page = (tmp_path / "results.md").read_text()
    assert "K = 60 GPa" in page and "Against other methods" in page
    assert len(json.loads((tmp_path / "results" / "protocol.json").read_text())["cases"]) == 3
    assert prior_label(load_prior("composite-2d-64")) in page and "| 5 steps |" in page
    assert (tmp_path / "results" / "errors-2d.html").stat().st_size > 1000


def test_report_marks_what_other_defaults_made(work, tmp_path):
    summary = summarise(CASE, *load_designs(CASE, work))
    assert summary.defaults == guidance_defaults()
    machine = {"version": "0", "cpu": "test", "cores": 1, "memory_GiB": 1, "torch": "0", "processes": 1}
    now = summary.defaults
    for changes, mark in (
        ({}, "| 3 |"),
        ({"defaults": now | {"clip": 0.1}}, "| 3 † |"),
        ({"defaults": {}}, "| 3 † |"),
        ({"tuning": {}}, "| 3 † |"),
        ({"realisation": 1}, "| 3 † |"),
        ({"tuning": summary.tuning | {"near_miss": 0.5}}, "| 3 † |"),
        ({"tuning": {"known_kind": TUNING.known_kind}}, "| 3 |"),
    ):
        write_report([replace(summary, **changes)], tmp_path / "results.md", tmp_path / "results", machine)
        page = (tmp_path / "results.md").read_text()
        assert mark in page and ("† made with earlier" in page) == ("†" in mark)


def test_report_keeps_what_was_measured_before(work, tmp_path):
    summary = summarise(CASE, *load_designs(CASE, work))
    machine = {"version": "0", "cpu": "test", "cores": 1, "memory_GiB": 1, "torch": "0", "processes": 1}
    for measured in ([replace(summary, set="baselines", name="pairs"), summary], [replace(summary, designs=77)]):
        write_report(measured, tmp_path / "results.md", tmp_path / "results", machine)
    page = (tmp_path / "results.md").read_text()
    assert "| 77 |" in page and "| 3 |" in page and page.index("over the whole range") < page.index("| pairs |")


def test_plan_covers_every_quantile_and_method(tmp_path, monkeypatch):
    made_up = {name: {f"{q:g}": 10.0 + q for q in cases_module.QUANTILES} for name in ("K", "G")}
    monkeypatch.setattr(cases_module, "targets", lambda dim, cache: made_up)
    cases = plan(cases_module.SETS, (2, 3), 64, tmp_path)
    assert len({case.key for case in cases}) == len(cases)
    assert {case.quantile for case in cases if case.set == "range" and case.dim == 3} == set(cases_module.QUANTILES)
    assert {case.name for case in cases if case.set == "baselines"} == set(cases_module.BASELINES)
    assert {case.name for case in cases if case.set == "many-steps" and case.dim == 3} == set(cases_module.IN_3D)
    assert all(sum(request.count for request in case.requests()) == 64 for case in cases)
    assert len({request.seed for request in cases[0].requests()}) == 8
    usual = {case.key: case.designs for case in plan(cases_module.SETS, (2, 3), None, tmp_path)}
    assert {usual[f"two-targets-K-and-G-{dim}d-q50"] for dim in (2, 3)} == {64, 16}
    assert usual["baselines-best-of-n-3d-q99"] == 32 > usual["baselines-pairs-3d-q99"] == 8
    quick = plan(("range", "baselines"), (2,), 8, tmp_path, quick=True)
    assert len(quick) == 9 and all(case.request["steps"] == 20 for case in quick)


def test_what_an_earlier_revision_of_a_method_made_is_not_taken_for_it(work, tmp_path, monkeypatch):
    summary = replace(summarise(CASE, *load_designs(CASE, work)), set="baselines", name="random")
    assert summary.revision == METHODS["random"].revision > METHODS["best-of-n"].revision == 1
    machine = {"version": "0", "cpu": "test", "cores": 1, "memory_GiB": 1, "torch": "0", "processes": 1}
    write_report([summary, replace(summary, revision=1, dim=3)], tmp_path / "results.md", tmp_path / "results", machine)
    rows = [line for line in (tmp_path / "results.md").read_text().splitlines() if "| random |" in line]
    assert [("†" in row) for row in rows] == [False, True]
    (request,) = CASE.requests()
    now = chunk_path(tmp_path, CASE, request)
    monkeypatch.setitem(METHODS, "random", replace(METHODS["random"], revision=1))
    assert chunk_path(tmp_path, CASE, request) != now and load_designs(CASE, work) == ([], [])


def test_requests_that_waited_for_other_work_tell_no_time(work):
    designs, costs = load_designs(CASE, work)
    assert costs[0]["computing"] > 0
    alone, waited = (
        summarise(CASE, designs, [costs[0] | {"computing": share}]) for share in (COMPUTING, COMPUTING - 0.1)
    )
    assert alone.seconds == pytest.approx(costs[0]["seconds"] / 3) and alone.sampling_seconds is not None
    assert waited.seconds is None and waited.sampling_seconds is None
    assert waited.load_cases == alone.load_cases and waited.stages == alone.stages
