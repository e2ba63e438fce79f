"""One night in numbers, counted by SQL in a loaded warehouse: rows, filled columns, states, update times, sums.

A file that was copied from the night before is counted by what moved since then; its numbers are those of counting all.
"""

# ruff: noqa: S608 - generated SQL is the purpose here; names and texts pass `text.quoted` and `text.literal`
from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from pipeline.checks import FUTURE_AFTER, Figures, StateCount, Sums, UpdateTimes
from pipeline.model import ColumnFill
from pipeline.resources import Catalogue, Resource, snake_case
from pipeline.tables import INDEX, Table, TableColumn, tables_of
from pipeline.warehouse import sums
from pipeline.warehouse.faults import working
from pipeline.warehouse.figures import EPOCH, instant_at
from pipeline.warehouse.read import open_unfinished
from pipeline.warehouse.since import ALIVE, SIGN, Since, moved, since_of
from pipeline.warehouse.text import home, literal, quoted
from pipeline.warehouse.values import Built


@dataclass(frozen=True, slots=True)
class Counted:
    """What the checks need to know of a loaded warehouse."""

    figures: Figures
    sums: tuple[Sums, ...]


def count(
    built: Built, catalogue: Catalogue, *, now: datetime, switches: Collection[str], temp_dir: Path, zone: str = "UTC"
) -> Counted:
    """As `counted`, in a file that was built and is not finished; DuckDB may spill into `temp_dir`."""
    where = f"check · {built.path.name}"
    with working(where), closing(open_unfinished(built.path, temp_dir)) as connection:
        return counted(connection, catalogue, run_id=built.run_id, now=now, switches=switches, zone=zone)


def counted(
    connection: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    *,
    run_id: str,
    now: datetime,
    switches: Collection[str],
    zone: str = "UTC",
) -> Counted:
    """Every figure of a loaded warehouse, deleted rows left out.

    Args:
        connection: to a file that has every table of the catalogue.
        catalogue: what to count.
        run_id: the night.
        now: later update times lie in the future.
        switches: the settings that ask for more lines than the source gives by default.
        zone: the time zone whose months documents belong to.
    """
    since = since_of(connection)
    rows: dict[str, int] = {}
    fills: list[ColumnFill] = []
    states: list[StateCount] = []
    found: list[Sums | None] = []
    for resource in catalogue:
        main, *lists = tables_of(resource)
        for table in (main, *lists):
            rows[table.name], filled = _filled(connection, table, rows.get(main.name, 0), since)
            fills += filled
            found.append(sums.amounts(connection, table, since))
        # Counts by the months of another zone are not gone on from.
        states += _states(
            connection, resource, rows[main.name], since if since and since.figures.zone == zone else None, zone
        )
    for resource in catalogue:
        found += [sums.lines(connection, catalogue, resource, tie, switches, since) for tie in resource.ties]
    updates = tuple(_updated(connection, resource, now) for resource in catalogue if resource.updated)
    figures = Figures(run_id, tuple(rows.items()), tuple(fills), tuple(states), updates, zone)
    return Counted(figures, tuple(one for one in found if one is not None))


def _filled(
    connection: duckdb.DuckDBPyConnection, table: Table, rows_above: int, since: Since | None
) -> tuple[int, list[ColumnFill]]:
    """Rows of a table and of each column that hold a value; for a list also the rows above that have elements."""
    names = [column.name for column in table.columns if column.is_own]
    conditions = [f"{quoted(name)} IS NOT NULL" for name in names]
    places = [(table.name, name) for name in names]
    if table.list_field is not None:
        conditions.append(f"{INDEX} = 0")
        places.append((table.resource, table.name))
    ((rows,),) = connection.execute(f"SELECT count(*) FROM {home(table)} WHERE {ALIVE}").fetchall()
    counts = _grown_fills(connection, table, conditions, places, int(rows), since)
    if counts is None:
        listed = "".join(f", count(*) FILTER ({condition})" for condition in conditions)
        ((_, *counts),) = connection.execute(f"SELECT 0{listed} FROM {home(table)} WHERE {ALIVE}").fetchall()
    return int(rows), [
        ColumnFill(*place, int(rows) if place[0] == table.name else rows_above, int(filled))
        for place, filled in zip(places, counts, strict=True)
    ]


def _grown_fills(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    conditions: list[str],
    places: list[tuple[str, str]],
    rows: int,
    since: Since | None,
) -> list[int] | None:
    """The counts of the night before and what moved since; None if that does not come to the rows that are there."""
    if since is None:
        return None
    before = {(one.table, one.column): one.filled for one in since.figures.fills}
    had = dict(since.figures.rows).get(table.name)
    if had is None or any(place not in before for place in places):
        return None
    columns = [column.name for column in table.columns if column.is_own or column.name == INDEX]
    listed = "".join(f", coalesce(sum({SIGN}) FILTER ({condition}), 0)" for condition in conditions)
    ((more, *grown),) = connection.execute(
        f"SELECT coalesce(sum({SIGN}), 0){listed} FROM {moved(table, columns, since)}"
    ).fetchall()
    if had + int(more) != rows:
        return None
    return [before[place] + int(one) for place, one in zip(places, grown, strict=True)]


def _states(
    connection: duckdb.DuckDBPyConnection, resource: Resource, rows: int, since: Since | None, zone: str
) -> Iterator[StateCount]:
    """Only values that the catalogue lists are told apart: a text that means no state could have millions."""
    main = tables_of(resource)[0]
    for column in (one for one in main.columns if one.values):
        counts: Counter[tuple[str, str]] = Counter()
        if since is not None:
            before = (one for one in since.figures.states if (one.table, one.column) == (main.name, column.name))
            counts.update({(one.state, one.month): one.rows for one in before})
            counts.update(_by_state(connection, resource, column, since, zone))
        if counts.total() != rows or since is None:
            counts = _by_state(connection, resource, column, None, zone)
        for (state, month), count in sorted(counts.items()):
            if count:
                yield StateCount(main.name, column.name, state, month, count)


def _by_state(
    connection: duckdb.DuckDBPyConnection, resource: Resource, column: TableColumn, since: Since | None, zone: str
) -> Counter[tuple[str, str]]:
    """Rows by state and month, or by how many they became more."""
    main, needed, moment = tables_of(resource)[0], [column.name], "NULL"
    if resource.period is not None:
        needed.append(snake_case(resource.period))
        moment = _MOMENT.format(period=quoted(needed[-1]))
    name, known = quoted(column.name), ", ".join(map(literal, column.values))
    counts, rows = ("count(*)", f"{home(main)} WHERE {ALIVE}")
    if since is not None:
        counts, rows = f"sum({SIGN})", moved(main, needed, since)
    found = connection.execute(
        f"SELECT CASE WHEN {name} IS NULL THEN '' WHEN {name} IN ({known}) THEN {name} ELSE '(other)' END, "
        f"{moment} AS moment, {counts} FROM {rows} GROUP BY ALL"
    ).fetchall()
    by_month: Counter[tuple[str, str]] = Counter()
    for state, at, one in found:
        by_month[state, _month(at, ZoneInfo(zone))] += int(one)
    return by_month


# Zones would need an extension of DuckDB: it tells one moment of each UTC month, and quarters of an hour where another
# zone may be in another month. No offset has been other than quarters since 1972.
_MOMENT = (
    "CASE WHEN month(make_timestamp(epoch_us({period})) - INTERVAL 1 DAY) "
    "= month(make_timestamp(epoch_us({period})) + INTERVAL 1 DAY) "
    "THEN epoch_us(date_trunc('month', make_timestamp(epoch_us({period}))) + INTERVAL 14 DAY) "
    "ELSE epoch_us(time_bucket(INTERVAL 15 MINUTE, make_timestamp(epoch_us({period})))) END"
)


def _month(microseconds: int | None, zone: ZoneInfo) -> str:
    at = instant_at(microseconds)
    if at is None:
        return ""
    with suppress(OverflowError):  # the first and the last hours of all years are in no other zone
        at = at.astimezone(zone)
    return f"{at.year:04}-{at.month:02}"


def _updated(connection: duckdb.DuckDBPyConnection, resource: Resource, now: datetime) -> UpdateTimes:
    assert resource.updated is not None, "asked for resources with an update time only"
    updated = f"epoch_us({quoted(snake_case(resource.updated))})"
    ((newest, missing, in_future),) = connection.execute(
        f"SELECT max({updated}), count(*) FILTER ({updated} IS NULL), count(*) FILTER ({updated} > $latest) "
        f"FROM {home(tables_of(resource)[0])} WHERE {ALIVE}",
        {"latest": (now + FUTURE_AFTER - EPOCH) // timedelta(microseconds=1)},
    ).fetchall()
    return UpdateTimes(resource.name, instant_at(newest), int(missing), int(in_future))
