"""What users are told when a run fails or is refused, and what is for the log."""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from relaxdesign.files import NoSpace
from relaxdesign.server.limits import JobLimit
from relaxdesign.server.worker import OutOfMemory, WorkerDied

logger = logging.getLogger(__name__)

_KEPT = "What was finished before is kept."


def explained(run_id: str, error: Exception) -> tuple[str, str]:
    """The message for the user of a run that failed, and the id that leads to the details in the log, if there are."""
    if isinstance(error, NoSpace):
        logger.error("run %s was ended: %s", run_id, error)
        return f"{error}. {_KEPT}", ""
    if _is_for_users(error):
        logger.info("run %s was refused: %s", run_id, error)
        return str(error), ""
    error_id = new_error_id()
    why = "because of an internal error"
    if isinstance(error, WorkerDied):
        why = "with its process, most often for lack of memory: ask for fewer candidates"
    elif isinstance(error, SQLAlchemyError):
        why = "because the library could not be written: make room on its disk, if that is full"
    logger.error("run %s failed, error %s", run_id, error_id, exc_info=error)
    return f"The computation stopped {why}. {_KEPT}", error_id


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Turns a library that cannot be written, or soon could not, into a refusal."""
    try:
        yield
    except NoSpace as error:
        raise JobLimit(f"{error}.") from error
    except SQLAlchemyError as error:
        logger.exception("the library could not be written")
        raise JobLimit(
            "This run cannot be stored in the library: make room on its disk if that is full, and try again."
        ) from error


def new_error_id() -> str:
    """A short id that ties a message on the page to a traceback in the log."""
    return secrets.token_hex(3).upper()


def _is_for_users(error: Exception) -> bool:
    """Whether the error's text was written for users: a request that cannot be used, or a lack of memory."""
    from relaxdesign.io.fields import FieldError
    from relaxdesign.materials.catalogue import CatalogueError
    from relaxdesign.prior.model import PriorError
    from relaxdesign.study.run import RequestError

    return isinstance(error, RequestError | CatalogueError | PriorError | FieldError | OutOfMemory)
