"""A campaign from its spec to its table: plans, hands out what is missing, and stores what comes back.

The process that runs this is the only one that writes to the library's database; workers write files. Killed at any
moment, it goes on where it was when it is started again with the same folder: requests in flight are computed again,
finished ones are not.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy.exc import SQLAlchemyError

from relaxdesign.campaign.engine import TRIES, run_tasks, workers
from relaxdesign.campaign.folder import CampaignError, Folder
from relaxdesign.campaign.reading import write_spec
from relaxdesign.campaign.spec import CampaignSpec, Planned
from relaxdesign.campaign.tasks import Outcome, Task, compute
from relaxdesign.files import TO_GO_ON, check_space
from relaxdesign.library import Campaigns, Store, UnknownCampaign
from relaxdesign.library.records import default_name
from relaxdesign.study.request import DesignRequest

logger = logging.getLogger(__name__)

SIGN_OF_LIFE_S = 5.0


@dataclass(frozen=True)
class Progress:
    """How far a campaign is. total, done, failed: requests; earlier: done in earlier sittings.

    seconds: of this sitting. last: what has just ended. status: running, finished or cancelled.
    """

    campaign_id: str
    total: int
    done: int = 0
    failed: int = 0
    earlier: int = 0
    seconds: float = 0.0
    dashboard: str = ""
    last: Outcome | None = None
    status: str = "running"

    @property
    def per_second(self) -> float | None:
        """Requests per second in this sitting; None before the first."""
        ended = self.done + self.failed - self.earlier
        return ended / self.seconds if ended and self.seconds else None

    @property
    def remaining(self) -> float | None:
        """Estimated seconds to the end."""
        rate = self.per_second
        return None if rate is None else (self.total - self.done - self.failed) / rate


def run(
    spec: CampaignSpec,
    directory: str | Path,
    *,
    store: Store | None = None,
    scheduler: str | None = None,
    count: int | None = None,
    retry_failed: bool = False,
    cancel: Callable[[], bool] = lambda: False,
) -> Iterator[Progress]:
    """Runs a campaign, or goes on with the one in this folder; yields at least once a second.

    directory: for its files, see `Folder`; workers elsewhere must see it under the same path. store: the library
    that takes the results; None: the user's. scheduler: address of a running Dask scheduler; None: ``count`` local
    workers, one per core if None. retry_failed: also requests that failed in an earlier sitting.
    Raises CampaignError when another process works on the folder, ValueError when no scheduler answers, NoSpace when
    the disk of the folder is nearly full.
    """
    folder = Folder(Path(directory).absolute())
    plan = {planned.hash: planned for planned in spec.plan()}
    campaign_id = folder.prepare()
    lock = FileLock(folder.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise CampaignError(f"another process works on the campaign in {folder.path}; stop it first") from None
    with lock:
        folder.clear_cancel()
        write_spec(spec, folder.spec)
        campaigns = Campaigns(store or Store())
        _open(campaigns, campaign_id, spec, folder, len(plan))
        _recover(campaigns, campaign_id, folder, plan)
        done, failed = _ended(campaigns, campaign_id, plan)
        if retry_failed:
            failed = set()
        missing = [planned for key, planned in plan.items() if key not in done | failed]
        progress = Progress(campaign_id, len(plan), len(done), len(failed), len(done) + len(failed))
        try:
            yield progress
            if missing:
                sitting = _sitting(spec, folder, missing, campaigns, progress, scheduler, count, cancel)
                for progress in sitting:
                    yield progress
            status = "cancelled" if folder.is_cancelled() else "finished"
        except (GeneratorExit, KeyboardInterrupt):
            campaigns.update(campaign_id, status="cancelled", dashboard="")
            raise
        except Exception as error:
            with contextlib.suppress(SQLAlchemyError):  # after a while without a sign of life it is interrupted anyway
                campaigns.update(campaign_id, status="failed", dashboard="", error=str(error))
            raise
        folder.collect()
        campaigns.update(campaign_id, status=status, dashboard="")
        yield replace(progress, status=status, last=None)


def _open(campaigns: Campaigns, campaign_id: str, spec: CampaignSpec, folder: Folder, total: int) -> None:
    """Enters the campaign in the library, again if it is there."""
    values = {"name": spec.name, "spec": spec.to_dict(), "directory": str(folder.path), "total": total}
    try:
        campaigns.update(campaign_id, **values, status="running", error="")
    except UnknownCampaign:
        campaigns.create(**values, id=campaign_id)


def _recover(campaigns: Campaigns, campaign_id: str, folder: Folder, plan: dict[str, Planned]) -> None:
    """Takes over what workers finished and the library has not heard of."""
    known = campaigns.known(campaign_id)
    for key in folder.finished() & plan.keys():
        if known.get(key) in (None, "failed"):
            _take_over(campaigns, campaign_id, folder, key)
    for key, error in folder.failures().items():
        if key in plan and key not in known:
            request = plan[key].request
            campaigns.add_failure(campaign_id, key, default_name(request), request, error)


def _ended(campaigns: Campaigns, campaign_id: str, plan: dict[str, Planned]) -> tuple[set[str], set[str]]:
    """Hashes of the plan that are done, and those that failed."""
    known = {key: status for key, status in campaigns.known(campaign_id).items() if key in plan}
    failed = {key for key, status in known.items() if status == "failed"}
    return known.keys() - failed, failed


def _sitting(
    spec: CampaignSpec,
    folder: Folder,
    missing: list[Planned],
    campaigns: Campaigns,
    progress: Progress,
    scheduler: str | None,
    count: int | None,
    cancel: Callable[[], bool],
) -> Iterator[Progress]:
    """Computes what is missing and stores every outcome as it comes."""
    campaign_id = progress.campaign_id
    earlier = campaigns.get(campaign_id).seconds
    begin = told = time.monotonic()

    def stopped() -> bool:
        if cancel():
            folder.cancel()  # the workers look there
        return folder.is_cancelled()

    materials = None if spec.materials is None else str(spec.materials.absolute())
    tasks = (
        Task(p.hash, p.request.model_dump(mode="json"), str(folder.path), materials, spec.keep_samples) for p in missing
    )
    requests = {planned.hash: planned.request for planned in missing}
    _check_space(folder)
    try:
        with workers(scheduler, count) as client:
            progress = replace(progress, dashboard=client.dashboard_link)
            campaigns.update(campaign_id, dashboard=progress.dashboard)
            for ended in run_tasks(client, compute, tasks, cancel=stopped):
                outcome = None if ended is None else _outcome(*ended)
                if outcome is not None and outcome.status != "cancelled":
                    ok = _store(campaigns, campaign_id, folder, outcome, requests[outcome.hash])
                    progress = replace(progress, done=progress.done + ok, failed=progress.failed + (not ok))
                if time.monotonic() - told > SIGN_OF_LIFE_S:
                    told = time.monotonic()
                    campaigns.update(campaign_id, seconds=earlier + told - begin)
                    _check_space(folder, TO_GO_ON)
                progress = replace(progress, seconds=time.monotonic() - begin, last=outcome)
                yield progress
    finally:
        with contextlib.suppress(SQLAlchemyError):
            campaigns.update(campaign_id, seconds=earlier + time.monotonic() - begin)


def _check_space(folder: Folder, share: float = 1.0) -> None:
    """Raises NoSpace before all requests that are left fail one after the other."""
    check_space([folder.path], "name another folder with --out", share)


def _outcome(task: Task, result: Outcome | BaseException) -> Outcome:
    """What a worker answered; an error that came three times is the request's outcome."""
    if isinstance(result, Outcome):
        return result
    logger.error("request %s failed %d times", task.hash, TRIES, exc_info=result)
    text = f"{type(result).__name__}: {result}"
    return Outcome(task.hash, "failed", f"failed {TRIES} times, the last time with {text[:500]}")


def _store(campaigns: Campaigns, campaign_id: str, folder: Folder, outcome: Outcome, request: DesignRequest) -> bool:
    """Puts an outcome into the library; whether it is a result."""
    if outcome.status == "finished":
        _take_over(campaigns, campaign_id, folder, outcome.hash)
        return True
    folder.write_failure(outcome.hash, outcome.message)
    campaigns.add_failure(campaign_id, outcome.hash, default_name(request), request, outcome.message)
    return False


def _take_over(campaigns: Campaigns, campaign_id: str, folder: Folder, request_hash: str) -> None:
    result = folder.read(request_hash)
    campaigns.add_result(campaign_id, request_hash, default_name(result.request), result)
