"""How much a server takes on."""

from __future__ import annotations

import os
from dataclasses import dataclass


class JobLimit(RuntimeError):
    """This server takes no more of what was asked for; the text says how many it takes."""


@dataclass(frozen=True)
class Limits:
    """What a server takes on, so that nobody can exhaust it. Each process of a study needs about 1 GB.

    running: runs computed at the same time. paused: runs that wait with their process. queued: waiting runs of one
    session.
    """

    running: int = 1
    paused: int = 3
    queued: int = 20

    @staticmethod
    def from_environment() -> Limits:
        """``RELAXDESIGN_RUNNING``, ``RELAXDESIGN_PAUSED`` and ``RELAXDESIGN_QUEUED``, each at least 1."""
        names = Limits.__dataclass_fields__
        given = {name: os.environ.get(f"RELAXDESIGN_{name.upper()}", "").strip() for name in names}
        try:
            return Limits(**{name: max(1, int(value)) for name, value in given.items() if value})
        except ValueError as error:
            raise ValueError(f"RELAXDESIGN_RUNNING, …_PAUSED and …_QUEUED take whole numbers: {error}") from None
