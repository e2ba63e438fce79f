"""One night in numbers, counted by SQL in a loaded warehouse, kept in it, and read again from the one before."""

# ruff: noqa: S608 - generated SQL is the purpose here; names and texts pass `text.quoted` and `text.literal`
from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from pipeline.checks import FUTURE_AFTER, Figures, StateCount, Sums, UpdateTimes
from pipeline.errors import ConfigError, StoredDataDamaged
from pipeline.model import ColumnFill
from pipeline.resources import Catalogue, Resource, snake_case
from pipeline.tables import INDEX, Table, tables_of
from pipeline.warehouse import meta, sums
from pipeline.warehouse.faults import working
from pipeline.warehouse.read import connect, open_unfinished
from pipeline.warehouse.sums import ALIVE
from pipeline.warehouse.text import home, literal, quoted
from pipeline.warehouse.values import Built

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = "run_id kind table_name column_name state month row_count filled_count newest_at"
_Row = tuple[str | int | datetime | None, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """What the checks need to know of a loaded warehouse."""

    figures: Figures
    sums: tuple[Sums, ...]


def count(built: Built, catalogue: Catalogue, *, now: datetime, switches: Collection[str], temp_dir: Path) -> Counted:
    """As `counted`, in a file that was built and is not finished; DuckDB may spill into `temp_dir`."""
    where = f"check · {built.path.name}"
    with working(where), closing(open_unfinished(built.path, temp_dir)) as connection:
        return counted(connection, catalogue, run_id=built.run_id, now=now, switches=switches)


def counted(
    connection: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    *,
    run_id: str,
    now: datetime,
    switches: Collection[str],
) -> Counted:
    """Every figure of a loaded warehouse, deleted rows left out.

    Args:
        connection: to a file that has every table of the catalogue.
        catalogue: what to count.
        run_id: the night.
        now: later update times lie in the future.
        switches: the settings that ask for more lines than the source gives by default.
    """
    tables = {resource.name: tables_of(resource) for resource in catalogue}
    found: list[Sums | None] = [sums.amounts(connection, table) for many in tables.values() for table in many]
    found += [
        sums.lines(connection, catalogue, resource, tie, switches) for resource in catalogue for tie in resource.ties
    ]
    rows: dict[str, int] = {}
    fills: list[ColumnFill] = []
    for many in tables.values():
        for table in many:
            rows[table.name], filled = _filled(connection, table)
            fills += filled
            if table.list_field is not None:
                fills.append(_lists(connection, table, rows[many[0].name]))
    figures = Figures(
        run_id=run_id,
        rows=tuple(rows.items()),
        fills=tuple(fills),
        states=tuple(one for resource in catalogue for one in _states(connection, resource)),
        updates=tuple(_updated(connection, resource, now) for resource in catalogue if resource.updated),
    )
    return Counted(figures, tuple(one for one in found if one is not None))


def store(connection: duckdb.DuckDBPyConnection, figures: Figures | None) -> None:
    """`meta.figure` holds the figures of this night, if there are any, and of no other."""
    connection.execute("DELETE FROM meta.figure").fetchall()
    meta.insert(connection, "figure", _COLUMNS, list(_rows(figures)) if figures else [])


def earlier_figures(pointer: Path) -> Figures | None:
    """The figures of the night that readers have now; None if there is none, or it has no figures that can be read."""
    try:
        with working(f"figures · {pointer}"), closing(connect(pointer)) as connection:
            return stored(connection)
    except (ConfigError, StoredDataDamaged):
        return None


def stored(connection: duckdb.DuckDBPyConnection) -> Figures | None:
    """The figures a warehouse file holds, None if it is from before they were kept."""
    ((has_any,),) = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'meta' AND table_name = 'figure'"
    ).fetchall()
    if not has_any:
        return None
    rows = connection.execute(
        "SELECT run_id, kind, table_name, column_name, state, month, row_count, filled_count, "
        "epoch_us(newest_at) FROM meta.figure"
    ).fetchall()
    if not rows:
        return None
    by_kind: dict[str, list[tuple[Any, ...]]] = {}  # a row of any table's types
    for row in rows:
        by_kind.setdefault(row[1], []).append(row)
    return Figures(
        run_id=rows[0][0],
        rows=tuple((table, count) for _, _, table, _, _, _, count, *_ in by_kind.get("rows", ())),
        fills=tuple(ColumnFill(row[2], row[3], row[6], row[7]) for row in by_kind.get("filled", ())),
        states=tuple(StateCount(row[2], row[3], row[4], row[5], row[6]) for row in by_kind.get("state", ())),
        updates=tuple(UpdateTimes(row[2], _instant(row[8]), row[6], row[7]) for row in by_kind.get("updated", ())),
    )


def _rows(figures: Figures) -> Iterator[_Row]:
    run_id = figures.run_id
    for table, count in figures.rows:
        yield (run_id, "rows", table, None, None, None, count, None, None)
    for fill in figures.fills:
        yield (run_id, "filled", fill.table, fill.column, None, None, fill.rows, fill.filled, None)
    for one in figures.states:
        yield (run_id, "state", one.table, one.column, one.state, one.month, one.rows, None, None)
    for times in figures.updates:
        yield (run_id, "updated", times.resource, None, None, None, times.missing, times.in_future, times.newest)


def _filled(connection: duckdb.DuckDBPyConnection, table: Table) -> tuple[int, list[ColumnFill]]:
    own = [column.name for column in table.columns if column.is_own]
    counts = "".join(f", count({quoted(name)})" for name in own)
    ((rows, *filled),) = connection.execute(f"SELECT count(*){counts} FROM {home(table)} WHERE {ALIVE}").fetchall()
    return int(rows), [ColumnFill(table.name, name, int(rows), int(n)) for name, n in zip(own, filled, strict=True)]


def _lists(connection: duckdb.DuckDBPyConnection, table: Table, rows_above: int) -> ColumnFill:
    ((filled,),) = connection.execute(
        f"SELECT count(*) FILTER ({INDEX} = 0) FROM {home(table)} WHERE {ALIVE}"
    ).fetchall()
    return ColumnFill(table.resource, table.name, rows_above, int(filled))


def _states(connection: duckdb.DuckDBPyConnection, resource: Resource) -> Iterator[StateCount]:
    """Only values that the catalogue lists are told apart: a text that means no state could have millions."""
    main = tables_of(resource)[0]
    month = "''"
    if resource.period is not None:
        period = quoted(snake_case(resource.period))  # by way of microseconds: zones would need an extension
        month = f"coalesce(strftime(make_timestamp(epoch_us({period})), '%Y-%m'), '')"
    for column in (one for one in main.columns if one.values):
        name, known = quoted(column.name), ", ".join(map(literal, column.values))
        rows = connection.execute(
            f"SELECT CASE WHEN {name} IS NULL THEN '' WHEN {name} IN ({known}) THEN {name} ELSE '(other)' END, "
            f"{month} AS month, count(*) FROM {home(main)} WHERE {ALIVE} "
            f"GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        yield from (StateCount(main.name, column.name, state, when, int(count)) for state, when, count in rows)


def _updated(connection: duckdb.DuckDBPyConnection, resource: Resource, now: datetime) -> UpdateTimes:
    assert resource.updated is not None, "asked for resources with an update time only"
    updated = f"epoch_us({quoted(snake_case(resource.updated))})"
    ((newest, missing, in_future),) = connection.execute(
        f"SELECT max({updated}), count(*) FILTER ({updated} IS NULL), count(*) FILTER ({updated} > $latest) "
        f"FROM {home(tables_of(resource)[0])} WHERE {ALIVE}",
        {"latest": (now + FUTURE_AFTER - _EPOCH) // timedelta(microseconds=1)},
    ).fetchall()
    return UpdateTimes(resource.name, _instant(newest), int(missing), int(in_future))


def _instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)
