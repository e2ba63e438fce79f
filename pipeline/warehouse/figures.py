"""One night in numbers, kept in its file and read again from it: what the next night is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from pipeline.checks import Figures, StateCount, UpdateTimes
from pipeline.errors import ConfigError, StoredDataDamaged
from pipeline.model import ColumnFill
from pipeline.warehouse import meta
from pipeline.warehouse.faults import working
from pipeline.warehouse.read import connect

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = "run_id kind table_name column_name state month row_count filled_count newest_at"
_Row = tuple[str | int | datetime | None, ...]


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
        updates=tuple(UpdateTimes(row[2], instant_at(row[8]), row[6], row[7]) for row in by_kind.get("updated", ())),
        zone=next((row[4] for row in by_kind.get("zone", ())), "UTC"),
    )


def _rows(figures: Figures) -> Iterator[_Row]:
    run_id = figures.run_id
    yield (run_id, "zone", None, None, figures.zone, None, None, None, None)
    for table, count in figures.rows:
        yield (run_id, "rows", table, None, None, None, count, None, None)
    for fill in figures.fills:
        yield (run_id, "filled", fill.table, fill.column, None, None, fill.rows, fill.filled, None)
    for one in figures.states:
        yield (run_id, "state", one.table, one.column, one.state, one.month, one.rows, None, None)
    for times in figures.updates:
        yield (run_id, "updated", times.resource, None, None, None, times.missing, times.in_future, times.newest)


def instant_at(microseconds: int | None) -> datetime | None:
    """The instant that DuckDB counts as so many microseconds."""
    return None if microseconds is None else EPOCH + timedelta(microseconds=microseconds)
