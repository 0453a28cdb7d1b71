"""Whose turn it is: users are served in turns, however many tabs each has opened, and none fills the queue alone."""

from __future__ import annotations

from collections.abc import Collection

from relaxdesign.server.job import Job
from relaxdesign.server.limits import JobLimit, Limits


class Turns:
    """The order of waiting jobs, and the limits on them. Not safe for threads: the queue calls it under its lock."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self._served: dict[str, int] = {}  # the turn in which a user's job last started

    def admit(self, jobs: Collection[Job], user: str) -> None:
        """Raises JobLimit where one more job of this user may not wait."""
        waiting = [job.user for job in jobs if job.state == "queued"]
        own = waiting.count(user)
        if own >= self.limits.queued:
            raise JobLimit(f"{own} runs of yours wait already. Stop one of them, or wait for the next to start.")
        if len(waiting) >= self.limits.queued_total:
            raise JobLimit(f"{len(waiting)} runs wait on this server already. Try again when some have started.")

    def room(self, jobs: Collection[Job]) -> int:
        """How many more jobs may wait, of all users."""
        return self.limits.queued_total - count(jobs, "queued")

    def order(self, jobs: Collection[Job]) -> list[Job]:
        """Waiting jobs in the order in which they will start: the user served longest ago first."""
        waiting = [job for job in jobs if job.state == "queued"]
        served, turn = dict(self._served), max(self._served.values(), default=0)
        ordered = []
        while waiting:
            job = min(waiting, key=lambda job: served.get(job.user, 0))  # the first of its user
            waiting.remove(job)
            ordered.append(job)
            served[job.user] = turn = turn + 1
        return ordered

    def ahead(self, jobs: Collection[Job], job: Job) -> int:
        """How many jobs come before a waiting one, those that are computed included."""
        return self.order(jobs).index(job) + count(jobs, "running")

    def next(self, jobs: Collection[Job]) -> Job | None:
        """The job that starts now; None while no place is free, or nothing waits."""
        if count(jobs, "running") >= self.limits.running:
            return None
        return next(iter(self.order(jobs)), None)

    def served(self, job: Job) -> None:
        """Notes that a job starts, or goes on: its user is the last in turn now."""
        self._served[job.user] = max(self._served.values(), default=0) + 1


def count(jobs: Collection[Job], state: str) -> int:
    """How many jobs are in a state."""
    return sum(job.state == state for job in jobs)
