"""Results of the library, of runs that ended early too."""

from __future__ import annotations

from relaxdesign.library.store import Store
from relaxdesign.study.pareto import conflict, missed
from relaxdesign.study.result import DesignResult


def stored_result(store: Store, run_id: str) -> DesignResult:
    """What a run has come to; of one that was interrupted, what it had.

    Raises relaxdesign.library.UnknownRun.
    """
    if result := store.result(run_id):
        return result
    record, designs = store.run(run_id), tuple(store.designs(run_id))
    # It ended early, so nobody noted what it was computed with.
    return DesignResult(
        request=record.request,
        designs=designs,
        status=record.status,
        seconds=record.seconds or 0.0,
        prior=record.request.prior or "unknown",
        solver_iterations=0,
        started=record.created,
        version="unknown",
        remark=conflict(designs) or missed(designs),
    )
