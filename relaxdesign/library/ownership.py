"""Whose runs, campaigns and catalogues are whose, and who may see and change them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, or_

from relaxdesign.library.schema import CampaignRow, CatalogueRow, RunRow

Owned = type[RunRow] | type[CampaignRow] | type[CatalogueRow]
"""Tables whose rows have an author and may be private."""


class NotYours(PermissionError):
    """What somebody else made was to be changed; the text says whose it is."""


@dataclass(frozen=True)
class Viewer:
    """Who looks at a library.

    name: under which is stored what is this viewer's own; empty: nobody in particular. admin: sees and changes all.
    known: whether a login vouches for the name. Without one everybody sees and changes all, and is asked before.
    """

    name: str = ""
    admin: bool = False
    known: bool = False

    @property
    def limited(self) -> bool:
        """Whether something may be hidden from, or not be changed by, this viewer."""
        return self.known and not self.admin

    def owns(self, author: str) -> bool:
        """Whether what this author made is the viewer's own."""
        return bool(self.name) and author == self.name

    def may_change(self, author: str) -> bool:
        """Whether the viewer may change what this author made."""
        return not self.limited or self.owns(author)

    def is_asked_before(self, author: str) -> bool:
        """Whether what this author made is somebody else's, which should be said before it is changed."""
        return bool(author) and not self.owns(author)

    def seen(self, table: Owned = RunRow) -> list[ColumnElement[bool]]:
        """Conditions on rows that the viewer may see."""
        return [or_(table.private.is_(False), table.author == self.name)] if self.limited else []

    def sees(self, one: Any) -> bool:
        """The same of one of them, a row or a record."""
        return not self.limited or not one.private or self.owns(one.author)

    def check(self, one: Any, kind: str = "run") -> None:
        """Raises NotYours for a row or record that the viewer may not change. kind: what it is, in words."""
        if not self.may_change(one.author):
            whose = f"{one.author}'s" if one.author else "of nobody who has signed in"
            raise NotYours(f"{kind} {one.id} is {whose}: only its owner and administrators can change it")


EVERYBODY = Viewer()
"""Whoever uses the library on this machine, as the command line does, or a server without login."""
