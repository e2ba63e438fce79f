"""What a warehouse must hold after some nights, worked out again with dictionaries: nothing here is shared with the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from warehouse_nights import Night

KEYS = {"company": ("companyId",), "claim": ("companyId", "id"), "line": ("companyId", "claimId", "id")}
LISTS = {"company": (), "claim": ("totals", "tags"), "line": ()}
NEVER = datetime(1, 1, 1, tzinfo=UTC)

Key = tuple[str, ...]
Values = dict[str, Any]


@dataclass(frozen=True)
class Version:
    """A row as it held from one instant to another."""

    values: Values
    run_id: str
    came: datetime
    ended: datetime | None = None
    deleted: bool = False


@dataclass
class Model:
    """Every version of every row, oldest first, and what each night did."""

    versions: dict[str, dict[Key, list[Version]]] = field(default_factory=lambda: {name: {} for name in KEYS})
    counts: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    restated: set[tuple[Any, ...]] = field(default_factory=set)

    def live_through(self, night: Night) -> None:
        """One more night has been applied."""
        before = {name: self._now(name) for name in KEYS}
        had_rows = {name: bool(self.versions[name]) for name in KEYS}
        for name in KEYS:
            counted = dict.fromkeys(("new", "changed", "restored", "unchanged", "deleted"), 0)
            for key, values in _newest(name, night).items():
                counted[self._read(name, key, values, night)] += 1
            for key in {key for resource, key in night.deleted if resource == name}:
                counted["deleted"] += self._delete(name, key, night)
            self.counts[night.run_id, name] = counted
        if night.closed_before is not None:
            self._restate(before, had_rows, night)

    def as_of(self, name: str, at: datetime) -> dict[Key, Version]:
        """The rows as they held at an instant."""
        return {
            key: one
            for key, versions in self.versions[name].items()
            for one in versions
            if one.came <= at and (one.ended is None or one.ended > at)
        }

    def current(self, name: str) -> dict[Key, Version]:
        """The newest version of every row, deleted or not."""
        return {key: versions[-1] for key, versions in self.versions[name].items()}

    def _now(self, name: str) -> dict[Key, Values]:
        return {key: one.values for key, one in self.current(name).items() if not one.deleted}

    def _read(self, name: str, key: Key, values: Values, night: Night) -> str:
        versions = self.versions[name].setdefault(key, [])
        fresh = Version(values, night.run_id, night.at)
        if not versions:
            versions.append(fresh)
            return "new"
        last = versions[-1]
        if last.deleted:
            versions.append(fresh)
            return "restored"
        if last.values == values:
            return "unchanged"
        versions[-1] = replace(last, ended=night.at)
        versions.append(fresh)
        return "changed"

    def _delete(self, name: str, key: Key, night: Night) -> int:
        versions = self.versions[name].get(key)
        if not versions or versions[-1].deleted:
            return 0
        versions[-1] = replace(versions[-1], ended=night.at, deleted=True)
        return 1

    def _restate(self, before: Mapping[str, dict[Key, Values]], had_rows: Mapping[str, bool], night: Night) -> None:
        closed = {
            key
            for claims in (before["claim"], self._now("claim"))
            for key, one in claims.items()
            if _is_closed(one, night)
        }
        # A deleted document still says to which period its lines belong.
        closed |= {key for key, one in self.current("claim").items() if _is_closed(one.values, night)}
        for name in ("claim", "line"):
            now = self._now(name)
            for key in (before[name].keys() | now.keys()) if had_rows[name] else ():
                if key[:2] in closed:
                    self._restate_row(name, key, before[name].get(key), now.get(key), night)

    def _restate_row(self, name: str, key: Key, old: Values | None, new: Values | None, night: Night) -> None:
        if old == new:
            return
        for table, rows_before, rows_now in _tables(name, key, old, new):
            for row in rows_before.keys() | rows_now.keys():
                was, now = rows_before.get(row), rows_now.get(row)
                kind = "added" if was is None else "deleted" if now is None else "changed"
                for column in was or now or {}:
                    pair = [
                        None if side is None or side[column] is None else _text(side[column]) for side in (was, now)
                    ]
                    if pair[0] != pair[1]:
                        self.restated.add((night.run_id, name, table, row, column, *pair, kind))


def _newest(name: str, night: Night) -> dict[Key, Values]:
    """The newest of the records a night read of each key: changed last, then fetched last."""
    best: dict[Key, tuple[Any, ...]] = {}
    for place, record in enumerate(night.records.get(name, ())):
        key = tuple(record[field] for field in KEYS[name])
        rank = (record.get("updatedDate") or NEVER, place)
        if key not in best or rank > best[key][0]:
            values = {field: value for field, value in record.items() if field not in ("_spelling", *KEYS[name])}
            best[key] = (rank, values)
    return {key: values for key, (_, values) in best.items()}


def _is_closed(values: Values, night: Night) -> bool:
    spent = values.get("spentOn")
    at = None if spent is None else datetime(spent.year, spent.month, spent.day, tzinfo=UTC)
    return at is not None and night.closed_before is not None and at < night.closed_before


def _tables(
    name: str, key: Key, old: Values | None, new: Values | None
) -> list[tuple[str, dict[Key, Values], dict[Key, Values]]]:
    """The row itself and the elements of its lists, before and after, each as the values the model looks at."""
    sides = []
    for values in (old, new):
        own = {} if values is None else {key: {"id": key[-1]} | {field: values.get(field) for field in FIELDS[name]}}
        totals = (
            {}
            if values is None
            else {
                (*key, str(place)): {
                    "grossAmount": one["grossAmount"],
                    "currencyCode": one["currencyCode"],
                    "_extra": one["_extra"],
                }
                for place, one in enumerate(values.get("totals") or ())
            }
        )
        tags = (
            {}
            if values is None
            else {(*key, str(place)): {"tag": one} for place, one in enumerate(values.get("tags") or ())}
        )
        sides.append({name: own, "claim_total": totals, "claim_tag": tags})
    return [(table, sides[0][table], sides[1][table]) for table in sides[0]]


FIELDS = {
    "company": ("rate",),
    "claim": ("order", "spentOn", "updatedDate", "fee", "_extra"),
    "line": ("amount", "currencyCode"),
}


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S") + "+00"
    if isinstance(value, date):
        return value.isoformat()
    return f"{value:.4f}" if isinstance(value, Decimal) else str(value)
