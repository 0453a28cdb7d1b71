"""The queue as one visitor may use it."""

from __future__ import annotations

from relaxdesign.library import Store, Viewer
from relaxdesign.library.replay import Replay
from relaxdesign.server.job import Snapshot
from relaxdesign.server.manager import JobManager
from relaxdesign.study.request import DesignRequest


class Visit:
    """What a visitor may ask of a server's queue, with the methods of `JobManager` and by its rules.

    Runs that are hidden from the viewer are unknown (UnknownRun); NotYours is raised where another's is changed.
    user: whose turn runs take, a name or an address. private: new runs are seen by their author only.
    """

    def __init__(self, manager: JobManager, viewer: Viewer, user: str, *, private: bool = False):
        self._manager = manager
        self._viewer = viewer
        self._user = user
        self._private = private and viewer.known
        self.store: Store = manager.store.seen_by(viewer)

    def submit(self, request: DesignRequest, name: str = "") -> str:
        """Queues a run of the visitor's own and returns its id. Raises JobLimit."""
        return self._manager.submit(request, name, user=self._user, author=self._viewer.name, private=self._private)

    def snapshot(self, run_id: str) -> Snapshot:
        """The state of a run."""
        if self._viewer.limited:
            self.store.run(run_id)
        return self._manager.snapshot(run_id)

    def replay(self, run_id: str) -> Replay | None:
        """What was kept of the denoising; None for runs without."""
        if self._viewer.limited:
            self.store.run(run_id)
        return self._manager.replay(run_id)

    def resume(self, run_id: str) -> None:
        """Lets a paused run go on, or computes an ended one again. Raises JobLimit."""
        self._check(run_id)
        self._manager.resume(run_id, user=self._user)

    def pause(self, run_id: str) -> None:
        """Holds a running run. Raises JobLimit."""
        self._check(run_id)
        self._manager.pause(run_id)

    def cancel(self, run_id: str) -> None:
        """Stops a run."""
        self._check(run_id)
        self._manager.cancel(run_id)

    def is_asked_before(self, run_id: str) -> bool:
        """Whether a run is somebody else's, so that the visitor should be asked before it is changed."""
        return self._viewer.is_asked_before(self.store.run(run_id).author)

    def may_change(self, run_id: str) -> bool:
        """Whether the visitor may stop, hold or change a run."""
        return self._viewer.may_change(self.store.run(run_id).author)

    def _check(self, run_id: str) -> None:
        if self._viewer.limited:
            self._viewer.check(self.store.run(run_id))
