"""The time told before a run starts follows what the run will compute."""

from __future__ import annotations

from dataclasses import replace

import pytest

from relaxdesign.library import Curves
from relaxdesign.library.replay import Frame
from relaxdesign.server import Snapshot
from relaxdesign.server.timing import Calibration, Estimate, calibrate, estimated
from relaxdesign.study.methods import METHODS
from relaxdesign.study.request import DesignRequest
from tests.scripted_study import scripted_design, scripted_step

CALIBRATION = Calibration(network=0.01, guiding=0.005, refining=0.01)


def seconds(**settings) -> float:
    return estimated(DesignRequest.model_validate({"target_bulk": 120.0, **settings}), CALIBRATION).seconds


def test_every_design_costs_the_same():
    assert seconds(count=8) == pytest.approx(8 * seconds(count=1))


def test_guidance_through_the_network_costs_two_more_passes():
    through, beside = seconds(count=1, steps=40), seconds(count=1, steps=40, guidance={"variance": 0})
    assert through - beside == pytest.approx(40 * 2 * CALIBRATION.network)


def test_each_objective_has_a_way_back_of_its_own():
    one = seconds(count=1, steps=40)
    two = seconds(count=1, steps=40, objectives=[{"quantity": "density", "sense": "minimise"}])
    assert two - one == pytest.approx(40 * 2 * CALIBRATION.network)


def test_only_guided_sampling_goes_back_through_the_network():
    for method in ("best-of-n", "noise", "pairs"):
        assert seconds(method=method) == pytest.approx(seconds(method=method, guidance={"variance": 0})), method


def test_a_method_costs_what_it_says_of_itself(monkeypatch):
    solved, passed = 40 * CALIBRATION.guiding, 40 * 7 * CALIBRATION.network
    without = seconds(count=1, steps=40, method="random") - solved
    for changes, cost in (({"simulates": False}, 0.0), ({"passes": lambda _: 7}, solved + passed)):
        with monkeypatch.context() as patch:
            patch.setitem(METHODS, "random", replace(METHODS["random"], **changes))
            assert seconds(count=1, steps=40, method="random") - without == pytest.approx(cost), changes


def test_several_load_cases_and_recurrence_cost_more():
    assert seconds(objectives=[{"quantity": "G", "sense": "minimise"}]) > 1.5 * seconds()
    again = seconds(count=1, steps=40, guidance={"recurrence": 2}) - seconds(count=1, steps=40)
    assert again == pytest.approx(40 * (3 * CALIBRATION.network + CALIBRATION.guiding))
    assert seconds(refine=False) < seconds()


def test_shapes_of_given_phases_are_timed_with_their_own_prior():
    measured = calibrate("free-form-2d-64")
    assert min(measured.network, measured.guiding, measured.refining) > 0
    shapes = {"family": "free-form", "phases": ("void", "ti-6al-4v"), "target_bulk": 15.0}
    lattice = DesignRequest.model_validate(shapes)
    assert estimated(lattice, CALIBRATION).seconds > seconds(family="free-form", refine=False)


def test_what_is_left_follows_the_pace_of_the_run():
    """A machine that samples three times as slowly finishes as slowly, until its designs tell how slowly it is."""
    request = DesignRequest(target_bulk=120.0, count=4, steps=10)
    estimate = Estimate(sampling=10.0, finishing=8.0)
    frames = [Frame.of(scripted_step(request, step)) for step in (4, 10)]
    begun = Snapshot("run", request, "running", Curves(), recent=(frames[0],))
    assert estimate.left(begun) is None, "one step has no pace"
    begun = replace(begun, seconds_per_step=3.0)
    assert estimate.left(begun) == pytest.approx(6 * 3.0 + 3 * 8.0)
    finishing = replace(begun, recent=(frames[1],), finishing=3.0)
    assert estimate.left(finishing) == pytest.approx(24.0), "six seconds for each of four"
    designs = tuple(scripted_design(index) for index in range(2))
    slow = replace(finishing, finishing=54.0, finished=2, designs=designs)
    assert estimate.left(slow) == pytest.approx(2 * (6.0 + 54.0) / 3)
    assert estimate.left(replace(slow, state="finished")) is None
