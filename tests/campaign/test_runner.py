"""Campaigns come to their end whatever happens on the way, with every result once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from relaxdesign.campaign import CampaignError, CampaignSpec, Folder, run
from relaxdesign.files import NoSpace
from relaxdesign.library import Campaigns, RunSearch, Store
from tests.scripted_study import scripted_design

ROOT = Path(__file__).parents[2]


def spec(*seeds: int) -> CampaignSpec:
    return CampaignSpec.parse({"name": "test", "base": {"target_bulk": 100, "count": 2}, "vary": {"seed": list(seeds)}})


def seeds_in_library(store: Store, campaign_id: str, **search) -> list[int]:
    runs = store.list_runs(search=RunSearch(campaign=campaign_id, **search))
    return sorted(run.request.seed for run in runs)


def test_results_are_in_the_library_and_in_parquet(tmp_path, store, asked):
    answers = list(run(spec(0, 1, 2), tmp_path / "c", store=store))
    last = answers[-1]
    assert (last.status, last.done, last.failed, last.total) == ("finished", 3, 0, 3)
    assert sorted(asked) == [0, 1, 2]
    assert seeds_in_library(store, last.campaign_id) == [0, 1, 2]
    record = Campaigns(store).get(last.campaign_id)
    assert (record.status, record.done, record.designs) == ("finished", 3, 3), "one of two candidates fails"
    table = pd.read_parquet(tmp_path / "c" / "designs.parquet")
    assert len(table) == 6 and table.ok.sum() == 3
    assert set(table.matrix.dropna()) == {"Aluminium 6061"} and table.bulk.dropna().unique() == pytest.approx(100.2)
    assert len(pd.read_parquet(tmp_path / "c" / "tasks")) == 6, "the parts are a table at any moment"


def test_designs_come_back_whole(tmp_path, store, asked):
    last = list(run(spec(5), tmp_path / "c", store=store))[-1]
    stored = store.list_runs(search=RunSearch(campaign=last.campaign_id))[0]
    design = store.designs(stored.id)[0]
    original = scripted_design(0, 100.0)
    assert design.to_dict() == original.to_dict()
    assert (design.labels == original.labels).all() and design.relaxed is None
    result = store.result(stored.id)
    assert result is not None and result.prior == "scripted"
    assert store.list_runs() == [], "runs of campaigns do not crowd the library"


def test_a_campaign_that_is_done_does_nothing_again(tmp_path, store, asked):
    first = list(run(spec(0, 1), tmp_path / "c", store=store))[-1]
    again = list(run(spec(0, 1, 2), tmp_path / "c", store=store))[-1]
    assert sorted(asked) == [0, 1, 2], "a longer spec computes what is new"
    assert again.campaign_id == first.campaign_id and (again.done, again.earlier) == (3, 2)
    assert seeds_in_library(store, first.campaign_id) == [0, 1, 2]


def test_failures_are_recorded_and_the_rest_goes_on(tmp_path, store, asked):
    last = list(run(spec(12, 13, 14, 15), tmp_path / "c", store=store))[-1]
    assert (last.done, last.failed) == (2, 2)
    assert asked.count(13) == 3, "an error is tried three times"
    assert asked.count(14) == 1, "a refused request is not"
    failed = store.list_runs(search=RunSearch(campaign=last.campaign_id, status=("failed",)))
    errors = {record.request.seed: record.error for record in failed}
    assert "3 times" in errors[13] and "ZeroDivisionError: scripted" in errors[13]
    assert errors[14] == "out of reach; choose another target"
    list(run(spec(12, 13, 14, 15), tmp_path / "c", store=store))
    assert len(asked) == 6, "failures are not tried again …"
    list(run(spec(12, 13, 14, 15), tmp_path / "c", store=store, retry_failed=True))
    assert asked.count(13) == 6 and asked.count(14) == 2, "… unless it is wished"
    assert seeds_in_library(store, last.campaign_id) == [12, 13, 14, 15]


def test_cancelled_campaigns_keep_what_they_have_and_go_on(tmp_path, store, asked):
    done = []
    for progress in run(spec(*range(8)), tmp_path / "c", store=store, cancel=lambda: len(done) >= 2):
        if progress.last:
            done.append(progress.last)
    assert progress.status == "cancelled" and 2 <= progress.done < 8
    assert Campaigns(store).get(progress.campaign_id).status == "cancelled"
    last = list(run(spec(*range(8)), tmp_path / "c", store=store))[-1]
    assert (last.status, last.done) == ("finished", 8)
    assert seeds_in_library(store, last.campaign_id) == list(range(8))


def test_another_process_can_stop_it(tmp_path, store, asked):
    for progress in run(spec(*range(8)), tmp_path / "c", store=store):
        if progress.last is not None:
            Folder(tmp_path / "c").cancel()
    assert progress.status == "cancelled" and progress.done < 8


def test_files_the_library_has_not_heard_of_are_taken_over(tmp_path, store, asked):
    first = list(run(spec(0, 1, 2), tmp_path / "c", store=store))[-1]
    elsewhere = Store(f"sqlite:///{tmp_path / 'other.db'}")
    last = list(run(spec(0, 1, 2), tmp_path / "c", store=elsewhere))[-1]
    assert len(asked) == 3 and last.campaign_id == first.campaign_id
    assert seeds_in_library(elsewhere, last.campaign_id) == [0, 1, 2]


def test_a_full_disk_ends_a_campaign_before_its_requests_fail(tmp_path, store, asked, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("RELAXDESIGN_FREE_MB", "1000000000000")
        with pytest.raises(NoSpace, match="name another folder with --out"):
            list(run(spec(0, 1), tmp_path / "c", store=store))
    (record,) = Campaigns(store).list()
    assert record.status == "failed" and str(tmp_path / "c") in record.error and record.failed == 0 and not asked
    assert list(run(spec(0, 1), tmp_path / "c", store=store))[-1].done == 2


def test_a_folder_has_one_master(tmp_path, store, asked):
    campaign = run(spec(0, 1), tmp_path / "c", store=store)
    next(campaign)
    with pytest.raises(CampaignError, match="another process"):
        next(run(spec(0, 1), tmp_path / "c", store=store))
    campaign.close()
    assert Campaigns(store).list()[0].status == "cancelled"


def test_a_campaign_is_removed_with_its_runs(tmp_path, store, asked):
    last = list(run(spec(0, 1), tmp_path / "c", store=store))[-1]
    Campaigns(store).delete(last.campaign_id)
    assert Campaigns(store).list() == [] and seeds_in_library(store, last.campaign_id) == []


KILLED = """
import sys, time
from pathlib import Path
from relaxdesign.study import run as study
from relaxdesign.campaign import CampaignSpec, run, runner
from relaxdesign.library import Store
from tests.campaign.conftest import threads
from tests.scripted_study import scripted_study

folder, log = Path(sys.argv[1]), open(sys.argv[2], "a", buffering=1)

def logged(request, **options):
    log.write(f"{request.seed}\\n")
    time.sleep(0.1)
    return scripted_study()(request, **options)

study.run, runner.workers = logged, threads
spec = CampaignSpec.parse({"name": "test", "base": {"target_bulk": 100, "count": 2},
                           "vary": {"seed": list(range(24))}})
for progress in run(spec, folder, store=Store(sys.argv[3])):
    pass
print(progress.status, progress.done)
"""


def test_a_kill_loses_at_most_what_was_in_flight(tmp_path):
    """SIGKILL in the middle; the second sitting computes the rest, and every result is there once."""
    url, log = f"sqlite:///{tmp_path / 'library.db'}", tmp_path / "log"
    command = [sys.executable, "-c", KILLED, str(tmp_path / "c"), str(log), url]
    first = subprocess.Popen(command, cwd=ROOT, env=os.environ)
    deadline = time.monotonic() + 120
    while len(Folder(tmp_path / "c").finished()) < 5 and time.monotonic() < deadline:
        assert first.poll() is None
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    finished = len(Folder(tmp_path / "c").finished())
    assert 5 <= finished < 24
    started = len(log.read_text().split())

    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert second.stdout.strip() == "finished 24", second.stderr[-2000:]
    computed = [int(seed) for seed in log.read_text().split()]
    threads_in_flight = 2
    assert len(computed) <= 24 + threads_in_flight
    assert len(computed) - started == 24 - finished, "what had a file was not computed again"
    store = Store(url)
    assert seeds_in_library(store, Campaigns(store).list()[0].id) == list(range(24))
