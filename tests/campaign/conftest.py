"""A campaign whose workers are threads of this process and whose study follows a script."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from distributed import Client, LocalCluster

from relaxdesign.campaign import runner
from relaxdesign.library import Store
from relaxdesign.study import run as study
from tests.scripted_study import scripted_study


@contextmanager
def threads(scheduler=None, count=None):
    """In place of `relaxdesign.campaign.engine.workers`."""
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def store(database_url) -> Store:
    return Store(database_url)


@pytest.fixture
def asked(monkeypatch) -> list[int]:
    """Campaigns run in this process; the seeds that were computed, in their order. 13 fails, 14 is refused."""
    seeds: list[int] = []

    def run(request, **options):
        seeds.append(request.seed)
        if request.seed == 13:
            raise ZeroDivisionError("scripted")
        if request.seed == 14:
            raise study.RequestError("out of reach; choose another target")
        return scripted_study()(request, **options)

    monkeypatch.setattr(study, "run", run)
    monkeypatch.setattr(runner, "workers", threads)
    return seeds
