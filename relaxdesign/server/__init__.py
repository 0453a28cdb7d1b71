"""Background jobs: the server computes the runs of its queue, also while no page shows them.

A page submits a request and polls ``JobManager.snapshot(run_id)``; the id in its address is all it needs to find
the run again after a reload or in another browser. The threads that compute write to the store and to the job, and
know nothing of Streamlit.

Users take turns: one who queues ten runs delays the first run of another by one run at most. A paused run
lets the next one start. Requests come from strangers: those that name a file are refused.
"""

from relaxdesign.server.failures import new_error_id
from relaxdesign.server.job import Snapshot
from relaxdesign.server.leaving import close_with_process
from relaxdesign.server.limits import JobLimit, Limits, check_names_no_file
from relaxdesign.server.manager import JobManager
from relaxdesign.server.visits import Visit

__all__ = [
    "JobLimit",
    "JobManager",
    "Limits",
    "Snapshot",
    "Visit",
    "check_names_no_file",
    "close_with_process",
    "new_error_id",
]
