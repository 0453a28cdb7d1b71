"""``relaxdesign resume``: goes on with a run that ended early."""

from __future__ import annotations

from relaxdesign.cli.console import EXIT_NO_RESULT, fail, user_errors
from relaxdesign.cli.library import find_run, open_library
from relaxdesign.cli.options import RunId
from relaxdesign.cli.running import run_study
from relaxdesign.cli.showing import exit_by, print_result


def resume(
    run: RunId,
) -> None:
    """Go on with a run that was interrupted, stopped or failed, or that waits for a server which has ended.

    The steps are computed again with the same seed, so the same fields come out. Finished designs are kept.
    """
    with user_errors():
        from relaxdesign.library import LIVE_STATES

        with open_library() as store:
            found = find_run(store, run)
            if found.status in (*LIVE_STATES, "finished") and not store.is_free(found.id):
                raise ValueError(f"run {found.id} is {found.status}: there is nothing to resume")
            kept = store.designs(found.id)
        result, record = run_study(found.request, resumed=found.id, finished=kept)
    print_result(result, *record.remarks(result))
    if record.run_id is None:
        fail("the library took none of it", EXIT_NO_RESULT)
    exit_by(result)
