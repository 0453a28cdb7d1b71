"""Whose runs are whose, and who may see and change them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, or_

from relaxdesign.library.schema import RunRow


class NotYours(PermissionError):
    """A run that somebody else started was to be changed; the text says whose it is."""


@dataclass(frozen=True)
class Viewer:
    """Who looks at a library.

    name: under which runs are stored as this viewer's own; empty: nobody in particular. admin: sees and changes all.
    known: whether a login vouches for the name. Without one everybody sees and changes all, and is asked before.
    """

    name: str = ""
    admin: bool = False
    known: bool = False

    @property
    def limited(self) -> bool:
        """Whether some runs are hidden from, or may not be changed by, this viewer."""
        return self.known and not self.admin

    def owns(self, author: str) -> bool:
        """Whether a run of this author is the viewer's own."""
        return bool(self.name) and author == self.name

    def may_change(self, author: str) -> bool:
        """Whether the viewer may stop, describe or discard a run of this author."""
        return not self.limited or self.owns(author)

    def is_asked_before(self, author: str) -> bool:
        """Whether the run of this author is somebody else's, which should be said before it is changed."""
        return bool(author) and not self.owns(author)

    def seen(self) -> list[ColumnElement[bool]]:
        """Conditions on runs that the viewer may see."""
        return [or_(RunRow.private.is_(False), RunRow.author == self.name)] if self.limited else []

    def sees(self, run: Any) -> bool:
        """The same of one run, a row or a record."""
        return not self.limited or not run.private or self.owns(run.author)

    def check(self, run: Any) -> None:
        """Raises NotYours for a run that the viewer may not change."""
        if not self.may_change(run.author):
            whose = f"{run.author}'s" if run.author else "of nobody who has signed in"
            raise NotYours(f"run {run.id} is {whose}: only its owner and administrators can change it")


EVERYBODY = Viewer()
"""Whoever uses the library on this machine, as the command line does, or a server without login."""
