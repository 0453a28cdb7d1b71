"""What a worker does: one request, from its JSON to a file in the campaign's folder.

Only names and numbers pass through the scheduler; fields and designs go from the worker into the folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from relaxdesign.campaign.folder import Folder


@dataclass(frozen=True)
class Task:
    """A request to be computed. request: its JSON form. materials: CSV, None: the shipped catalogue."""

    hash: str
    request: dict
    folder: str
    materials: str | None = None
    samples: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a task ended. status: finished, refused (with a message for the user) or cancelled."""

    hash: str
    status: str
    message: str = ""


def compute(task: Task) -> Outcome:
    """Runs the study and stores its result. What another worker has stored already is not done again."""
    from relaxdesign.prior.model import PriorError
    from relaxdesign.study import run as study
    from relaxdesign.study.events import FinishedEvent
    from relaxdesign.study.request import DesignRequest

    folder = Folder(task.folder)
    if folder.has(task.hash):
        return Outcome(task.hash, "finished")
    request = DesignRequest.model_validate(task.request)
    try:
        for event in study.run(request, catalogue=_catalogue(task.materials), cancel=folder.is_cancelled):
            if isinstance(event, FinishedEvent):
                if event.result.status == "cancelled":
                    return Outcome(task.hash, "cancelled")
                folder.write(task.hash, event.result, samples=task.samples)
    except (study.RequestError, PriorError) as error:  # trying again would not help
        return Outcome(task.hash, "refused", str(error))
    return Outcome(task.hash, "finished")


@lru_cache(maxsize=4)
def _catalogue(materials: str | None):
    from relaxdesign.materials.catalogue import Catalogue

    return None if materials is None else Catalogue.from_csv(materials)
