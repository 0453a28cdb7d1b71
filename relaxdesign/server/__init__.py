"""Background jobs: the server computes runs in turn, whoever is looking or not.

A page submits a request and polls ``JobManager.snapshot(run_id)``; the id in its address is all it needs to find
the run again after a reload or in another browser. The threads that compute write to the store and to the job, and
know nothing of Streamlit.

Sessions take turns: who queues ten runs delays another's first by one at most. A paused run gives its place away.
Requests come from strangers: those that name a file are refused.
"""

from relaxdesign.server.job import Snapshot
from relaxdesign.server.limits import JobLimit, Limits, check_names_no_file
from relaxdesign.server.manager import JobManager, new_error_id

__all__ = ["JobLimit", "JobManager", "Limits", "Snapshot", "check_names_no_file", "new_error_id"]
