"""Limits on the runs that a server accepts, and the requests that it refuses."""

from __future__ import annotations

import os
from dataclasses import dataclass

from relaxdesign.files import least_free_mb
from relaxdesign.study.request import DesignRequest


class JobLimit(RuntimeError):
    """The server refuses a run; the text says why."""


@dataclass(frozen=True)
class Limits:
    """What a server takes on, so that nobody can exhaust it. See `relaxdesign.server.worker` for the memory of a run.

    running: runs computed at the same time. paused: runs that wait with their process. queued: waiting runs of one
    user. queued_total: waiting runs of all users together.
    """

    running: int = 1
    paused: int = 3
    queued: int = 20
    queued_total: int = 100

    @staticmethod
    def from_environment() -> Limits:
        """``RELAXDESIGN_RUNNING``, ``_PAUSED``, ``_QUEUED`` and ``_QUEUED_TOTAL``, each at least 1.

        Raises ValueError for values that cannot be used, that of ``RELAXDESIGN_FREE_MB`` too.
        """
        least_free_mb()  # told at the start if it cannot be used
        names = Limits.__dataclass_fields__
        given = {name: os.environ.get(f"RELAXDESIGN_{name.upper()}", "").strip() for name in names}
        try:
            return Limits(**{name: max(1, int(value)) for name, value in given.items() if value})
        except ValueError as error:
            variables = ", ".join(f"RELAXDESIGN_{name.upper()}" for name in names)
            raise ValueError(f"{variables} take whole numbers: {error}") from None


def check_names_no_file(request: DesignRequest) -> None:
    """Refuses a request that names a file, because users of a server must not choose the files that it reads.

    ``start`` is always a path, and ``prior`` is one unless it is the name of a shipped prior. Raises JobLimit.
    """
    from relaxdesign.prior.model import shipped_priors

    if request.start is not None:
        raise JobLimit(
            "This request begins from a file, which a server does not read. Take start out of it, or compute it with: "
            "relaxdesign design --start FILE"
        )
    shipped = shipped_priors()
    if request.prior is not None and request.prior not in shipped:
        raise JobLimit(
            f"This request names a prior that is not shipped. A server uses {', '.join(shipped) or 'none'}; for "
            "another: relaxdesign design --prior FILE"
        )
