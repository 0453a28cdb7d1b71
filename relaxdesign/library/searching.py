"""Searches in the library as SQL statements that use its indexes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import CTE, ColumnElement, Select, and_, case, func, or_, select, tuple_
from sqlalchemy.orm import aliased

from relaxdesign.library.records import LIVE_STATES
from relaxdesign.library.schema import DesignRow, PhaseRow, RunRow, TagRow

Range = tuple[float | None, float | None]
RunOrder = Literal["newest", "oldest", "error"]
DesignOrder = Literal["newest", "error", "bulk", "density"]

_RUN_COLUMNS = (
    RunRow.id,
    RunRow.name,
    RunRow.created,
    RunRow.request,
    RunRow.seconds,
    RunRow.error_id,
    RunRow.error,
    RunRow.design_count,
    RunRow.best_error,
    RunRow.notes,
    RunRow.deleted,
    RunRow.campaign_id,
    RunRow.author,
    RunRow.private,
)
DESIGN_COLUMNS = (
    DesignRow.run_id,
    DesignRow.index,
    RunRow.name.label("run_name"),
    RunRow.created,
    RunRow.target_bulk,
    DesignRow.bulk,
    DesignRow.error,
    DesignRow.density,
    DesignRow.family,
    DesignRow.parameters,
    DesignRow.properties,
)


def silent(since: Any) -> ColumnElement[bool]:
    """Runs whose process gave no sign of life since then: it was killed. Released ones have none."""
    unheard = or_(RunRow.heartbeat.is_(None), RunRow.heartbeat < since)
    return and_(RunRow.status.in_(LIVE_STATES), RunRow.owner != "", unheard)


def run_columns(since: Any) -> tuple[Any, ...]:
    """The columns of a RunRecord. Runs that are silent since then are told as interrupted, also before they are."""
    return (*_RUN_COLUMNS, _status(since).label("status"))


def _status(since: Any) -> ColumnElement[str]:
    return case((silent(since), "interrupted"), else_=RunRow.status)


@dataclass(frozen=True)
class RunSearch:
    """Which runs; what is left out does not matter.

    text: part of a name, a note, a tag or a material of the designs. material: part of a material's name.
    target: bulk modulus asked for (GPa), None: open end. tags: all of them. campaign: runs of this campaign; None:
    runs of no campaign. deleted: look in the bin.
    """

    text: str = ""
    status: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    material: str = ""
    target: Range = (None, None)
    campaign: str | None = None
    deleted: bool = False
    order: RunOrder = "newest"

    def count(self, since: Any, *seen: ColumnElement[bool]) -> Select[int]:
        """since: see `run_columns`. seen: further conditions, of who asks."""
        return select(func.count()).select_from(RunRow).where(*self._conditions(since), *seen)

    def page(self, limit: int, offset: int, since: Any, *seen: ColumnElement[bool]) -> Any:
        """One page of runs with `run_columns`."""
        orders = {
            "newest": (RunRow.created.desc(), RunRow.id),
            "oldest": (RunRow.created, RunRow.id),
            "error": (RunRow.best_error.is_(None), RunRow.best_error, RunRow.id),
        }
        # The page is found by its ids first: sorting whole rows would drag their requests along.
        ids = (
            select(RunRow.id)
            .where(*self._conditions(since), *seen)
            .order_by(*orders[self.order])
            .limit(limit)
            .offset(offset)
        )
        page = ids.subquery()
        return select(*run_columns(since)).join(page, page.c.id == RunRow.id).order_by(*orders[self.order])

    def _conditions(self, since: Any) -> list[Any]:
        conditions: list[Any] = [RunRow.deleted.is_not(None) if self.deleted else RunRow.deleted.is_(None)]
        if not self.deleted or self.campaign is not None:
            conditions.append(RunRow.campaign_id.is_not_distinct_from(self.campaign))
        for word in self.text.split():
            tagged = select(TagRow.run_id).where(_contains(TagRow.tag, word))
            texts = (_contains(RunRow.name, word), _contains(RunRow.notes, word))
            conditions.append(or_(*texts, RunRow.id.in_(tagged), RunRow.id.in_(_made_of(word))))
        if self.status:
            conditions.append(_status(since).in_(self.status))
        for tag in self.tags:
            conditions.append(RunRow.id.in_(select(TagRow.run_id).where(TagRow.tag == tag)))
        if self.material.strip():
            conditions.append(RunRow.id.in_(_made_of(self.material.strip())))
        return conditions + _between(RunRow.target_bulk, self.target)


@dataclass(frozen=True)
class DesignSearch:
    """Which verified designs, over all runs that are not in the bin; what is left out does not matter.

    text: parts of the name of the run or of the material of a phase. bulk: GPa. density: g/cm³. largest_error:
    relative, of the worst target. parameters: of families by name, and volume_fraction; designs that do not have one
    are not found. campaign: designs of this campaign; None: of all runs.
    """

    text: str = ""
    bulk: Range = (None, None)
    density: Range = (None, None)
    largest_error: float | None = None
    parameters: tuple[tuple[str, Range], ...] = ()
    campaign: str | None = None
    order: DesignOrder = "newest"

    def count(self, *seen: ColumnElement[bool]) -> Select[int]:
        """seen: further conditions on the runs, of who asks."""
        return self._joined(select(func.count())).where(*seen)

    def page(self, limit: int | None, offset: int, *seen: ColumnElement[bool]) -> Any:
        """One page of designs with DESIGN_COLUMNS. limit None: all."""
        orders = {
            "newest": (RunRow.created.desc(), DesignRow.run_id, DesignRow.index),
            "error": (DesignRow.error.is_(None), func.abs(DesignRow.error), DesignRow.run_id, DesignRow.index),
            "bulk": (DesignRow.bulk.desc(), DesignRow.run_id, DesignRow.index),
            "density": (DesignRow.density, DesignRow.run_id, DesignRow.index),
        }
        found = self._joined(select(*DESIGN_COLUMNS)).where(*seen)
        return found.order_by(*orders[self.order]).limit(limit).offset(offset)

    def _joined(self, statement: Any) -> Any:
        conditions: list[Any] = [DesignRow.ok, RunRow.deleted.is_(None)]
        if self.campaign is not None:
            conditions.append(RunRow.campaign_id == self.campaign)
        for word in self.text.split():
            named = select(RunRow.id).where(_contains(RunRow.name, word))
            conditions.append(or_(DesignRow.run_id.in_(named), _has_material(word)))
        if self.largest_error is not None:
            conditions.append(func.abs(DesignRow.error) <= self.largest_error)
        conditions += _between(DesignRow.bulk, self.bulk) + _between(DesignRow.density, self.density)
        for name, limits in self.parameters:
            conditions += _between(DesignRow.parameters[name].as_float(), limits)
        joined = statement.select_from(DesignRow).join(RunRow, RunRow.id == DesignRow.run_id)
        return joined.where(*conditions)


def _made_of(material: str) -> Select[str]:
    """Ids of runs with a design of a material whose name contains this."""
    return select(DesignRow.run_id).where(DesignRow.ok, _has_material(material))


def _has_material(text: str) -> ColumnElement[bool]:
    """Designs with a phase of a material whose name contains this. The few names are compared, not the many designs."""
    names = _distinct(aliased(PhaseRow).material)
    named = PhaseRow.material.in_(select(names.c.name).where(_contains(names.c.name, text)))
    return tuple_(DesignRow.run_id, DesignRow.index).in_(select(PhaseRow.run_id, PhaseRow.index).where(named))


def _distinct(column: Any) -> CTE:
    """Distinct values of an indexed column as ``name``, by jumping from each to the next (a loose index scan)."""
    names = select(func.min(column).label("name")).cte(recursive=True)
    following = select(func.min(column)).where(column > names.c.name).scalar_subquery()
    return names.union_all(select(following).where(names.c.name.is_not(None)))


def _contains(column: Any, text: str) -> ColumnElement[bool]:
    return column.icontains(text, autoescape=True)


def _between(column: Any, limits: Range) -> list[ColumnElement[bool]]:
    low, high = limits
    return ([column >= low] if low is not None else []) + ([column <= high] if high is not None else [])
