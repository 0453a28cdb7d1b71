"""The study in a process of its own, for the server.

Solver and network make thousands of short calls. In the server's process each of them would wait for the
interpreter while a page is drawn, and the page for them. Here they have an interpreter to themselves, and a crash
ends one run instead of the server.

The child's memory is limited by ``RELAXDESIGN_MEMORY_MB`` (8192), so that no run takes that of the machine. It takes
0.8 GB for a run in 2D and 1.5 GB in 3D; 64 candidates in 3D take 3.3 GB, by noise optimisation 4.4 GB (measured).

Parent and child speak over the child's standard input and output: pickled messages ``(kind, value)``.
``python -m relaxdesign.server`` is the child.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from relaxdesign.study.events import Event
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Design

CANCEL_POLL_S = 0.1
PAGES_FIRST = 5  # niceness of the child: the server and the browser beside it answer before it computes

Task = tuple[DesignRequest, Sequence[Design]]


def study_threads() -> int:
    """Number of threads of a study on a server: all cores but one, which serves the pages. With all cores, each
    operation would wait for the thread that a page displaces."""
    import torch

    return max(1, torch.get_num_threads() - 1)


# What PyTorch and oneDNN say when an allocation fails.
NO_MEMORY = ("DefaultCPUAllocator", "could not create a primitive")


class WorkerError(RuntimeError):
    """The child process ended or failed; the text is for the log."""


class WorkerDied(WorkerError):
    """The child ended in the middle of a run: killed by the system, or by a library for which memory ran out."""


class OutOfMemory(RuntimeError):
    """A run needed more memory than it may take; the text is for the user."""


def memory_limit_mb() -> int:
    """Memory that a study may take on a server. Raises ValueError for a variable that is no positive number."""
    text = os.environ.get("RELAXDESIGN_MEMORY_MB", "").strip() or "8192"
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"RELAXDESIGN_MEMORY_MB is {text!r}; it must be a positive whole number")
    return int(text)


class StudyProcess:
    """``relaxdesign.study.run.run`` in a child that is started at once and serves one run after the other."""

    def __init__(self) -> None:
        self._process = _start()

    def __call__(
        self, request: DesignRequest, *, cancel: Callable[[], bool], finished: Sequence[Design] = ()
    ) -> Iterator[Event]:
        """The events of the run. Errors of the study are raised as they were there; WorkerDied if the child did."""
        if self._process.poll() is not None:
            self._process = _start()
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        ended = threading.Event()
        forward = threading.Thread(target=_forward_cancel, args=(process.stdin, cancel, ended), daemon=True)
        try:
            _send(process.stdin, "run", (request, finished))
            forward.start()
            while (message := pickle.load(process.stdout))[0] == "event":
                yield message[1]
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            process.kill()
            raise WorkerDied(f"the worker process ended with exit code {process.wait()}") from error
        except GeneratorExit:  # nobody listens any more: the rest of the run is of no use
            self.close()
            raise
        finally:
            ended.set()
            forward.join()
        if message[0] == "error":
            raise message[1]

    def close(self) -> None:
        """Ends the child."""
        self._process.kill()
        self._process.wait()


def _start() -> subprocess.Popen:
    command = [sys.executable, "-m", "relaxdesign.server", str(memory_limit_mb())]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _send(stream: IO[bytes], kind: str, value: Any = None) -> None:
    pickle.dump((kind, value), stream)
    stream.flush()


def _forward_cancel(stream: IO[bytes], cancel: Callable[[], bool], ended: threading.Event) -> None:
    while not ended.wait(CANCEL_POLL_S):
        if cancel():
            with contextlib.suppress(OSError):  # the child has gone; its reader notices
                _send(stream, "cancel")
            return


# ---- In the child ----------------------------------------------------------------------------------


def _limit_memory(megabytes: int) -> None:
    """Limits the memory of this process, on systems that can.

    The limit applies to written memory, not to address space: libraries reserve more address space than they use.
    """
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (megabytes * 2**20, resource.RLIM_INFINITY))


def _portable(error: Exception) -> Exception:
    """The error if it survives pickling, else its traceback as a WorkerError; for lack of memory OutOfMemory."""
    if isinstance(error, MemoryError) or any(text in str(error) for text in NO_MEMORY):
        traceback.clear_frames(error.__traceback__)  # what the run still holds is needed for the answer
        return OutOfMemory("The run needed more memory than it may take on this server. Ask for fewer candidates.")
    try:
        if type(pickle.loads(pickle.dumps(error))) is type(error):
            return error
    except Exception:
        pass
    return WorkerError("".join(traceback.format_exception(error)))


def _listen(stream: IO[bytes], requests: queue.Queue[Task], cancelled: threading.Event) -> None:
    """Takes the parent's messages while a run is computed; the end of the stream is the end of the server."""
    while True:
        try:
            kind, value = pickle.load(stream)
        except EOFError:
            os._exit(0)
        if kind == "cancel":
            cancelled.set()
        else:
            cancelled.clear()
            requests.put(value)


def _rehearse() -> None:
    """The first step of a small run, so that the first real one finds everything loaded and compiled."""
    from relaxdesign.study import run as study

    for _ in study.run(DesignRequest.model_validate({"target_bulk": 50.0, "count": 1, "steps": 2})):
        return


def main() -> None:
    """Serve runs until the parent closes the pipe."""
    _limit_memory(int(sys.argv[1]))
    messages = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not end up between the messages
    for ending in (signal.SIGINT, signal.SIGTERM):  # they are for the server; the pipe ends with it
        signal.signal(ending, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(PAGES_FIRST)
    import torch

    from relaxdesign.study import run as study

    torch.set_num_threads(study_threads())
    with contextlib.suppress(Exception):  # a prior that cannot be loaded is told when a run asks for it
        _rehearse()
    requests: queue.Queue[Task] = queue.Queue()
    cancelled = threading.Event()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, requests, cancelled), daemon=True).start()
    while True:
        request, finished = requests.get()
        try:
            for event in study.run(request, cancel=cancelled.is_set, finished=finished):
                _send(messages, "event", event)
            _send(messages, "end")
        except Exception as error:
            _send(messages, "error", _portable(error))
