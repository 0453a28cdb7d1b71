"""The evaluator's benchmark: codes agree, failures are rows, fits and page are right. No timings."""

import json
from pathlib import Path

import pytest

from benchmarks._evaluator import analysis, measure, report
from benchmarks._evaluator.cases import OURS, Case, matches, suite
from benchmarks._evaluator.others import pairs

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "evaluator.py"
MACHINE = {
    "processor": "Abacus",
    "cores": 2,
    "memory_GB": 8.0,
    "system": "Linux",
    "gpu": None,
    "device": "cpu",
    "threads": 2,
    "versions": {"torch": "2", "torch-fem": None},
}


def invented_row(case, seconds=None):
    """1 µs per voxel^1.1 for us, thirty times as much for others."""
    share = (6 if case.output == "C" else 1) * case.batch
    slow = 1 if case.solver == OURS else 30
    return case.record() | {
        "status": "ok",
        "seconds_median": 1e-6 * slow * share * case.voxels**1.1 if seconds is None else seconds,
        "setup_seconds": 0.1,
        "memory_MB": 1e-3 * share * case.voxels,
        "iterations": [30] * case.batch,
        "residual": 8e-9,
        "residual_stated": 8e-9,
        "value": [10.0] * case.batch,
        "other_cores": 0.0,
        "date": "2026-01-02",
        "revision": "abc1234",
    }


@pytest.fixture(scope="module")
def rows():
    return [invented_row(case) for case in suite(pairs(), quick=False)]


def test_two_codes_in_processes_of_their_own_find_the_same_bulk_modulus():
    cases = [Case(OURS, "K+gradient", 3, 8, threads=1), Case("scipy-direct", "K", 3, 8, threads=1)]
    ours, direct = (measure.run(case, script=SCRIPT, timeout=300, repeat_seconds=0.0) for case in cases)
    assert (ours["status"], direct["status"]) == ("ok", "ok")
    assert direct["value"][0] == pytest.approx(ours["value"][0], rel=1e-7)
    assert ours["residual"] == pytest.approx(ours["residual_stated"], rel=1e-4)  # judged by code of its own
    assert ours["residual"] < 1e-8
    assert direct["residual"] < 1e-12
    assert ours["memory_MB"] >= 0.0
    assert ours["seconds_median"] > 0.0


def test_a_failure_is_a_row():
    unknown = measure.run(Case("abacus", "K", 3, 4, threads=1), script=SCRIPT)
    assert unknown["status"] == "failed: KeyError: 'abacus'"
    late = measure.run(Case(OURS, "K+gradient", 3, 4), script=SCRIPT, timeout=0.0)
    assert late["status"] == "not finished after 0 s"
    assert late["name"] == "relaxdesign/3d-4/batch-1/K+gradient"


def test_names_are_unique_and_select_cases():
    cases = list(suite(pairs(), quick=False))
    assert len({case.name for case in cases}) == len(cases)
    assert sum(matches(case, ["torch-fem/3d-32"]) for case in cases) == 2
    assert all(matches(case, []) for case in cases)


def test_growth_exponent_of_a_power_law(rows):
    sizes = [32**3, 64**3, 128**3]
    assert analysis.growth_exponent(sizes, [7.0 * n**1.07 for n in sizes]) == pytest.approx(1.07)
    assert analysis.growth_exponent(sizes[:1], [1.0]) is None
    large = analysis.large_cells(rows, 2, "K+gradient", 1)
    assert [row["grid"] for row in large] == [128, 256, 512]
    assert analysis.growth(large, "memory_MB") == pytest.approx(1.0)


def test_goals_and_page(rows, tmp_path):
    pytest.importorskip("matplotlib")
    failed = next(row for row in rows if row["name"] == "scipy-direct/3d-64/batch-1/K")
    rows = [row for row in rows if row is not failed]
    rows.append({key: failed[key] for key in Case(OURS, "K", 3, 4).record()} | {"status": "not finished after 600 s"})
    found = {goal.what: goal for goal in analysis.goals(rows)}
    assert found["K with gradient, 32³: time"].met
    assert found["K with gradient, 3D: p of time ~ N^p"].measured == pytest.approx(1.1)
    assert not found["full C (six load cases) against K with gradient, 32³: time"].met
    assert found["faster than the best of the other codes, 32³"].measured == pytest.approx(30.0)

    results = json.loads(json.dumps([{"machine": MACHINE, "quick": False, "rows": rows}]))
    page = report.write(results, tmp_path).read_text(encoding="utf-8")
    for text in ("Abacus", "2 threads", "2026-01-02", "not finished after 600 s", "30 × (SciPy, direct: K)"):
        assert text in page
    assert not analysis.best_competitor(rows, 128)
    drawn = {kind: (tmp_path / "figures" / f"evaluator-{kind}.svg").read_text() for kind in ("time", "memory")}
    assert all("RelaxDesign, 3D, full C" in svg for svg in drawn.values())
    report.write(results, tmp_path)
    assert drawn["time"] == (tmp_path / "figures" / "evaluator-time.svg").read_text()  # same numbers, same file


def test_rows_with_another_value_do_not_compete(rows):
    wrong = [row | {"value": [11.0], "seconds_median": 1e-9} if row["solver"] == "scikit-fem" else row for row in rows]
    assert analysis.best_competitor(wrong, 32)["solver"] != "scikit-fem"
    assert report.markdown([{"machine": MACHINE, "rows": []}])
