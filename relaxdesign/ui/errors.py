"""Errors as users see them: in words, with an id that leads to the traceback in the log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from relaxdesign.library import NotYours, StoreError
from relaxdesign.server import new_error_id

logger = logging.getLogger(__name__)


@contextmanager
def guard(what: str) -> Iterator[None]:
    """Turns any error inside into a message on the page. what: e.g. "the library" could not be shown."""
    try:
        yield
    except Exception as error:  # Streamlit's own control flow does not derive from Exception
        error_id = _logged(what, error)
        if isinstance(error, NotYours):
            text = f"This cannot be changed: {error}."
        elif isinstance(error, StoreError):
            text = f"The library cannot be used: {error}."
        elif isinstance(error, SQLAlchemyError):
            text = (
                "The database of runs cannot be reached. Check that the disk is not full and that the address in "
                "`RELAXDESIGN_DB` is right, then reload the page."
            )
        else:
            text = f"Sorry, {what} could not be shown. Reload the page; if it happens again, report the id below."
        st.error(f"{text}\n\nError id **{error_id}**", icon=":material/error:")


def _logged(what: str, error: Exception) -> str:
    """The id of the error in the log; one that comes again with every poll is logged once per session."""
    known = st.session_state.setdefault("logged_errors", {})
    key = f"{what}: {error!r}"
    if key not in known:
        known[key] = new_error_id()
        logger.error("%s: error %s", what, known[key], exc_info=error)
    return known[key]


def explain(error: ValidationError) -> str:
    """The text of a refused request, one line per field."""
    lines = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"]).replace("_", " ") or "request"
        lines.append(f"{name}: {problem['msg'][:1].lower()}{problem['msg'][1:]} (got {problem['input']!r})")
    return "\n\n".join(lines)
