"""Runs the cases of a protocol on the engine of campaigns; every finished design is on disk at once.

A chunk (one request) is a file of JSON lines, one per design and a last one with what the chunk cost. Whatever is
there when the protocol starts again is kept.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import Shape
from relaxdesign.study.methods import METHODS
from relaxdesign.study.realisation import REVISION, SHAPE_REVISION
from relaxdesign.study.request import DesignRequest, guidance_defaults
from relaxdesign.study.result import Design
from relaxdesign.study.tuning import TUNING
from relaxdesign.version import __version__


class Case(Protocol):
    """What is measured: the requests of its chunks. key: name of its folder."""

    @property
    def key(self) -> str: ...

    def requests(self) -> list[DesignRequest]: ...


@dataclass(frozen=True)
class Progress:
    """A chunk has ended. error: why it produced nothing."""

    case: Case
    done: int
    count: int
    error: str = ""


def run_cases(
    cases: Sequence[Case], work: Path, *, count: int | None = None, scheduler: str | None = None
) -> Iterator[Progress]:
    """Runs what is missing of the cases below ``work``; yields as chunks end.

    count: local workers, one per core if None; they share the cores. scheduler: of a running Dask cluster whose
    workers see ``work`` under the same path. Raises ValueError when no scheduler answers, ModuleNotFoundError without
    the extra ``campaign``.
    """
    from relaxdesign.campaign import run_tasks, workers

    todo = [
        (case, request, chunk_path(work.resolve(), case, request))
        for case in cases
        for request in case.requests()
        if not _complete(chunk_path(work, case, request))
    ]
    if not todo:
        return
    with workers(scheduler, count) as client:
        done = 0
        for ended in run_tasks(client, _run_task, todo):
            if ended is not None:
                done += 1
                (case, _, _), error = ended
                yield Progress(case, done, len(todo), "" if error is None else f"{error}")


def _run_task(task: tuple[Case, DesignRequest, Path]) -> None:
    _, request, path = task
    run_chunk(request, path)


def run_chunk(request: DesignRequest, path: Path) -> None:
    """One request; designs already in the file are kept."""
    from relaxdesign.study import run as study
    from relaxdesign.study.events import DesignEvent, FinishedEvent, StepEvent

    path.parent.mkdir(parents=True, exist_ok=True)
    finished, _ = load_chunk(path)
    kept = {design.index for design in finished}
    sampling, computing = 0.0, time.process_time()
    with path.open("a", encoding="utf-8") as file:
        for event in study.run(request, finished=finished):
            if isinstance(event, StepEvent):
                sampling = event.seconds
            elif isinstance(event, DesignEvent) and event.design.index not in kept:
                _append(file, {"design": event.design.to_dict(), "labels": _packed(event.design.labels)})
            elif isinstance(event, FinishedEvent):
                result = event.result
                cost = {
                    "seconds": result.seconds,
                    "sampling_seconds": sampling,
                    "load_cases": result.load_cases,
                    "iterations": result.solver_iterations,
                    "prior": result.prior,
                    "defaults": guidance_defaults(),
                    "tuning": asdict(TUNING),
                    "revision": METHODS[request.method].revision,
                    "realisation": _realisation(request),
                    "resumed": bool(finished),
                    "computing": (time.process_time() - computing) / result.seconds,
                }
                _append(file, {"cost": cost})


def load_designs(case: Case, work: Path) -> tuple[list[Design], list[dict]]:
    """The designs of a case so far, and the costs of its complete chunks."""
    chunks = [load_chunk(chunk_path(work, case, request)) for request in case.requests()]
    return [design for designs, _ in chunks for design in designs], [cost for _, cost in chunks if cost]


def load_chunk(path: Path) -> tuple[list[Design], dict[str, Any] | None]:
    """The designs of a chunk so far, with their labels, and what it cost, None if it has not ended."""
    lines = _lines(path)
    designs = [Design.from_dict(line["design"], _unpacked(line.get("labels"))) for line in lines if "design" in line]
    return designs, next((line["cost"] for line in lines if "cost" in line), None)


def available_cores() -> int:
    """Cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def machine() -> dict[str, Any]:
    """What the designs were made on."""
    import torch

    cpu = platform.machine()
    if (info := Path("/proc/cpuinfo")).exists():
        names = re.findall(r"^model name\s*:\s*(.+)$", info.read_text(encoding="utf-8"), re.MULTILINE)
        cpu = names[0] if names else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 0.0
    return {
        "version": __version__,
        "cpu": cpu,
        "cores": available_cores(),
        "memory_GiB": round(memory),
        "torch": torch.__version__,
    }


def _realisation(request: DesignRequest) -> int:
    """Revision of what makes the designs of a request."""
    return SHAPE_REVISION if isinstance(FAMILIES[request.family], Shape) else REVISION


def chunk_path(work: Path, case: Case, request: DesignRequest) -> Path:
    """Named by all of the request, defaults too, the numbers found by search, the revisions of method and realisation.

    So what other settings or an earlier revision made is not taken for this chunk.
    """
    revisions = f"{METHODS[request.method].revision} {_realisation(request)}"
    words = [request.model_dump_json(), json.dumps(asdict(TUNING)), revisions]
    digest = hashlib.sha256(" ".join(words).encode()).hexdigest()[:12]
    return work / case.key / f"{request.seed}-{digest}.jsonl"


def _packed(labels: np.ndarray | None) -> dict[str, Any] | None:
    """Labels of two phases as text."""
    if labels is None or labels.max() > 1:
        return None
    return {"shape": labels.shape, "bits": base64.b64encode(np.packbits(labels).tobytes()).decode()}


def _unpacked(packed: dict[str, Any] | None) -> np.ndarray | None:
    if packed is None:
        return None
    size = int(np.prod(packed["shape"]))
    bits = np.frombuffer(base64.b64decode(packed["bits"]), dtype=np.uint8)
    return np.unpackbits(bits, count=size).reshape(packed["shape"])


def _complete(path: Path) -> bool:
    return any("cost" in line for line in _lines(path))


def _append(file, line: dict) -> None:
    file.write(json.dumps(line, allow_nan=True) + "\n")
    file.flush()
    os.fsync(file.fileno())


def _lines(path: Path) -> list[dict]:
    """Whole lines of a file; a last one cut off by a kill is dropped from the file."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return [json.loads(line) for line in whole.splitlines()]
