"""Own materials in the library: catalogues by name, each the text of a CSV file.

Runs carry the materials that they were asked with in their request; what becomes of a catalogue does not touch them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from relaxdesign.library import rows
from relaxdesign.library.schema import CatalogueRow
from relaxdesign.library.store import Store
from relaxdesign.study.request import LONGEST_MATERIALS

LONGEST_NAME = 100


class UnknownCatalogue(LookupError):
    """No catalogue has this id: it was deleted, or the id belongs to another database."""


@dataclass(frozen=True)
class CatalogueRecord:
    """A catalogue without its materials. changed: when it was last written or renamed. author: who made it."""

    id: str
    name: str
    changed: datetime
    author: str = ""  # empty: unknown
    private: bool = False  # seen by its author and administrators only


class Catalogues:
    """Access to the catalogues of a store; each call is one transaction.

    A catalogue belongs to the viewer of the store that makes it. Those that are hidden from the viewer are unknown;
    NotYours is raised where one is changed that is another's.
    """

    def __init__(self, store: Store):
        self._session, self._viewer = store.session, store.viewer

    def save(self, name: str, csv: str, *, private: bool = False) -> str:
        """Stores a new catalogue of the viewer's own and returns its id. private: counts where there is a login.

        Raises ValueError for a name that is empty, too long or taken, and for more text than a request carries.
        """
        row = CatalogueRow(id=secrets.token_hex(6), name=_name(name), csv=_text(csv), changed=rows.now())
        row.author, row.private = self._viewer.name, private and self._viewer.known
        with self._naming(row.name) as session:
            session.add(row)
        return row.id

    def write(self, catalogue_id: str, csv: str) -> None:
        """Replaces the materials. Raises UnknownCatalogue, NotYours, and ValueError for too much text."""
        with self._session.begin() as session:
            row = self._changeable(session, catalogue_id)
            row.csv, row.changed = _text(csv), rows.now()

    def rename(self, catalogue_id: str, name: str) -> None:
        """Raises UnknownCatalogue, NotYours, and ValueError as `save` does."""
        name = _name(name)
        with self._naming(name, catalogue_id) as session:
            row = self._changeable(session, catalogue_id)
            row.name, row.changed = name, rows.now()

    def show(self, catalogue_id: str, *, private: bool) -> None:
        """Changes who sees a catalogue. Raises UnknownCatalogue and NotYours."""
        with self._session.begin() as session:
            self._changeable(session, catalogue_id).private = private

    def delete(self, catalogue_id: str) -> None:
        """Removes a catalogue for good. Raises UnknownCatalogue and NotYours."""
        with self._session.begin() as session:
            session.delete(self._changeable(session, catalogue_id))

    def list(self) -> list[CatalogueRecord]:
        """All catalogues by name."""
        columns = CatalogueRow.id, CatalogueRow.name, CatalogueRow.changed, CatalogueRow.author, CatalogueRow.private
        with self._session() as session:
            found = session.execute(select(*columns).where(*self._seen())).all()
        records = [
            CatalogueRecord(row.id, row.name, cast(datetime, rows.utc(row.changed)), row.author, row.private)
            for row in found
        ]
        return sorted(records, key=lambda record: (record.name.casefold(), record.name))

    def read(self, catalogue_id: str) -> str:
        """The text of a catalogue. Raises UnknownCatalogue."""
        with self._session() as session:
            return self._visible(session, catalogue_id).csv

    def find(self, csv: str) -> str | None:
        """Id of a catalogue with just this text; None without one."""
        with self._session() as session:
            same = select(CatalogueRow.id).where(CatalogueRow.csv == csv, *self._seen())
            return session.scalar(same.order_by(CatalogueRow.name))

    def _seen(self) -> Sequence[ColumnElement[bool]]:
        return self._viewer.seen(CatalogueRow)

    @contextmanager
    def _naming(self, name: str, catalogue_id: str = "") -> Iterator[Session]:
        """A transaction that gives a catalogue a name. Raises ValueError for the name of another that is seen."""
        taken = ValueError(f"there is a catalogue named {name!r} already: choose another name")
        others = select(CatalogueRow.id).where(CatalogueRow.name == name, CatalogueRow.id != catalogue_id)
        try:
            with self._session.begin() as session:
                if session.scalar(others.where(*self._seen())):
                    raise taken
                yield session
        except IntegrityError:  # it was given at the same time
            raise taken from None

    def _visible(self, session: Session, catalogue_id: str) -> CatalogueRow:
        row = session.get(CatalogueRow, catalogue_id)
        if row is None or not self._viewer.sees(row):
            gone = f"there is no catalogue {catalogue_id[:40]!r} in this library: it may have been deleted"
            raise UnknownCatalogue(gone)
        return row

    def _changeable(self, session: Session, catalogue_id: str) -> CatalogueRow:
        row = self._visible(session, catalogue_id)
        self._viewer.check(row, "catalogue")
        return row


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise ValueError("the catalogue needs a name")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"the name of the catalogue has {len(name)} characters, at most {LONGEST_NAME} are kept")
    return name


def _text(csv: str) -> str:
    if len(csv) > LONGEST_MATERIALS:
        raise ValueError(
            f"the catalogue has {len(csv):,} characters, a request carries at most {LONGEST_MATERIALS:,}: leave out "
            "materials, or columns such as source and url"
        )
    return csv
