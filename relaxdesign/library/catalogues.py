"""Own materials in the library: catalogues by name, each the text of a CSV file.

Runs carry the materials that they were asked with in their request; what becomes of a catalogue does not touch them.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import select
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
    """A catalogue without its materials. changed: when it was last written or renamed."""

    id: str
    name: str
    changed: datetime


class Catalogues:
    """Access to the catalogues of a store; each call is one transaction."""

    def __init__(self, store: Store):
        self._session = store.session

    def save(self, name: str, csv: str) -> str:
        """Stores a new catalogue and returns its id.

        Raises ValueError for a name that is empty, too long or taken, and for more text than a request carries.
        """
        row = CatalogueRow(id=secrets.token_hex(6), name=_name(name), csv=_text(csv), changed=rows.now())
        try:
            with self._session.begin() as session:
                session.add(row)
        except IntegrityError:
            raise ValueError(_taken(row.name)) from None
        return row.id

    def write(self, catalogue_id: str, csv: str) -> None:
        """Replaces the materials of a catalogue. Raises UnknownCatalogue, and ValueError for too much text."""
        with self._session.begin() as session:
            row = _require(session, catalogue_id)
            row.csv, row.changed = _text(csv), rows.now()

    def rename(self, catalogue_id: str, name: str) -> None:
        """Raises UnknownCatalogue, and ValueError as `save` does."""
        name = _name(name)
        try:
            with self._session.begin() as session:
                row = _require(session, catalogue_id)
                row.name, row.changed = name, rows.now()
        except IntegrityError:
            raise ValueError(_taken(name)) from None

    def delete(self, catalogue_id: str) -> None:
        """Removes a catalogue for good. Raises UnknownCatalogue."""
        with self._session.begin() as session:
            session.delete(_require(session, catalogue_id))

    def list(self) -> list[CatalogueRecord]:
        """All catalogues by name."""
        with self._session() as session:
            found = session.execute(select(CatalogueRow.id, CatalogueRow.name, CatalogueRow.changed)).all()
        records = [CatalogueRecord(row.id, row.name, cast(datetime, rows.utc(row.changed))) for row in found]
        return sorted(records, key=lambda record: (record.name.casefold(), record.name))

    def read(self, catalogue_id: str) -> str:
        """The text of a catalogue. Raises UnknownCatalogue."""
        with self._session() as session:
            return _require(session, catalogue_id).csv

    def find(self, csv: str) -> str | None:
        """Id of a catalogue with just this text; None without one."""
        with self._session() as session:
            return session.scalar(select(CatalogueRow.id).where(CatalogueRow.csv == csv).order_by(CatalogueRow.name))


def _require(session: Session, catalogue_id: str) -> CatalogueRow:
    row = session.get(CatalogueRow, catalogue_id)
    if row is None:
        raise UnknownCatalogue(f"there is no catalogue {catalogue_id[:40]!r} in this library: it may have been deleted")
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


def _taken(name: str) -> str:
    return f"there is a catalogue named {name!r} already: choose another name"
