"""What one accepted run means for the rows of one resource: new, changed, unchanged, restored, deleted.

A record whose fingerprint is that of its row costs one look at both. Where it differs, values decide: only a row or an
element of its lists with another value is a new version. The version before moves to `past`; nothing is ever erased.
The same function fills an empty file and continues a copied one, so both come to the same content.
"""

# ruff: noqa: S608 - generated SQL is the purpose here; names and texts pass `text.quoted` and `text.literal`
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from pipeline.errors import StoredDataDamaged
from pipeline.model import ControlTotal
from pipeline.resources import Resource
from pipeline.tables import DELETED_AT, FINGERPRINT, VALID_TO, Table, tables_of
from pipeline.warehouse import audit
from pipeline.warehouse.layout import create_tables
from pipeline.warehouse.load import (
    PLACE,
    insert,
    newest,
    one_thread,
    parquet,
    place_superseded,
    refuse_other_types,
    replaced,
    sent_key,
)
from pipeline.warehouse.text import ASIDE, CURRENT, PAST, differ, equal, home, instant, literal, names, quoted
from pipeline.warehouse.values import Changes

# Temporary tables of one application. Names start with an underscore, which no field of the catalogue does.
_LOOKED_AT, _SAME, _COMING, _GONE = ("temp._looked_at", "temp._same", "temp._coming", "temp._gone")


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one resource in one run. `was_empty` tells that it had no row before."""

    resource: str
    changes: Changes
    superseded: int
    superseded_totals: tuple[ControlTotal, ...]
    read_rows: tuple[tuple[str, int], ...]
    read_totals: tuple[ControlTotal, ...]
    was_empty: bool


def apply(
    connection: duckdb.DuckDBPyConnection,
    resource: Resource,
    files: Sequence[Path],
    deleted: Path | None,
    *,
    run_id: str,
    at: datetime,
    is_shared: bool = False,
) -> Applied:
    """The rows of a resource are what they are after a run.

    Args:
        connection: to the file that is being built.
        resource: whose rows.
        files: its parts in the run, with all columns of today's catalogue; none if it was not read.
        deleted: the part with its deletions.
        run_id: of the run.
        at: from when on the run's versions hold; later than every earlier run's.
        is_shared: rows of other runs stand in the parts as well.

    Raises:
        StoredDataDamaged: a part does not hold the columns and types of the catalogue.
    """
    tables = tables_of(resource)
    was_empty = not connection.execute(f"SELECT 1 FROM {home(tables[0])} LIMIT 1").fetchall()
    superseded, read = 0, audit.Read((), ())
    totals: tuple[ControlTotal, ...] = ()
    changes = Changes(resource.name)
    if files:
        for file in files:
            for table in tables:
                refuse_other_types(connection, table, file)
        source = parquet(files, of_run=run_id if is_shared else None)
        superseded = place_superseded(connection, resource, source)
        totals = _replaced_totals(connection, tables, source, at) if superseded else ()
        kept = newest(source) if superseded else source
        if was_empty:
            changes = _begin(connection, tables, kept, at, in_order=bool(superseded))
        else:
            changes = _continue(connection, resource, tables, kept, at)
        read = audit.read(connection, tables, None if was_empty else f"SELECT {sent_key(resource)} FROM {source}")
    if deleted is not None and not (was_empty and not files):
        changes = _delete(connection, tables, deleted, run_id, at, changes)
    return Applied(resource.name, changes, superseded, totals, read.rows, read.totals, was_empty)


def _replaced_totals(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[Table], source: str, at: datetime
) -> tuple[ControlTotal, ...]:
    """The amounts on records that a newer version replaced; only the tables that hold any are made of them."""
    with_money = [table for table in tables if table.money_columns]
    create_tables(connection, with_money, schema=ASIDE)
    insert(connection, with_money, replaced(source), at=at, schema=ASIDE)
    return audit.totals(connection, with_money, schema=ASIDE)


def _begin(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[Table], kept: str, at: datetime, *, in_order: bool
) -> Changes:
    """Everything is new: straight from the parts into the tables, in the order in which it was fetched."""
    if in_order:
        with one_thread(connection):
            insert(connection, tables, kept, at=at, schema=CURRENT)
    else:
        insert(connection, tables, kept, at=at, schema=CURRENT)
    ((rows,),) = connection.execute(f"SELECT count(*) FROM {home(tables[0])}").fetchall()
    return Changes(tables[0].name, new=int(rows))


def _continue(
    connection: duckdb.DuckDBPyConnection, resource: Resource, tables: Sequence[Table], kept: str, at: datetime
) -> Changes:
    """Rows are there already: whatever may differ is set aside, compared, and what does takes its place."""
    ((read,),) = connection.execute(f"SELECT count(*) FROM {kept}").fetchall()
    main = tables[0]
    _look(connection, resource, main, kept)
    create_tables(connection, tables, schema=ASIDE)
    with one_thread(connection):
        insert(connection, tables, f"{kept} SEMI JOIN {_LOOKED_AT} USING ({names(PLACE)})", at=at, schema=ASIDE)
    _find_same(connection, tables)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE _coming AS SELECT was, {names(main.key)} FROM {_LOOKED_AT} AS looked "
        f"ANTI JOIN {_SAME} AS same ON {equal('looked', main.key, 'same', main.key)}"
    ).fetchall()
    _close(connection, tables, at)
    with one_thread(connection):
        for table in tables:
            columns = names(column.name for column in table.columns)
            same = equal("come", table.record_key, "same", main.key)
            connection.execute(
                f"INSERT INTO {home(table)} ({columns}) SELECT {columns} FROM {home(table, ASIDE)} AS come "
                f"ANTI JOIN {_SAME} AS same ON {same}"
            ).fetchall()
    counts = dict(connection.execute(f"SELECT was, count(*) FROM {_COMING} GROUP BY was").fetchall())
    new, changed, restored = (int(counts.get(was, 0)) for was in ("new", "changed", "restored"))
    return Changes(main.name, new, changed, 0, restored, int(read) - new - changed - restored)


def _look(connection: duckdb.DuckDBPyConnection, resource: Resource, main: Table, kept: str) -> None:
    """The places and keys of all records that may bring something, and what their row was before.

    One look at every key and fingerprint; records whose fingerprint is their row's end here.
    """
    place, key = names(PLACE), names(main.key)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE _looked_at AS SELECT {', '.join(f'sent.{quoted(name)}' for name in PLACE)}, "
        f"{', '.join(f'sent.{quoted(name)}' for name in main.key)}, CASE WHEN held.{FINGERPRINT} IS NULL THEN 'new' "
        f"WHEN held.{DELETED_AT} IS NOT NULL THEN 'restored' ELSE 'changed' END AS was "
        f"FROM (SELECT {place}, {FINGERPRINT}, {sent_key(resource)} FROM {kept}) AS sent "
        f"LEFT JOIN (SELECT {key}, {FINGERPRINT}, {DELETED_AT} FROM {home(main)}) AS held "
        f"ON {equal('sent', main.key, 'held', main.key)} "
        f"WHERE held.{DELETED_AT} IS NOT NULL OR held.{FINGERPRINT} IS DISTINCT FROM sent.{FINGERPRINT}"
    ).fetchall()


def _find_same(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> None:
    """Records that differ from their row in spelling only: their rows take over the fingerprint and nothing else."""
    main, *lists = tables
    was_changed = f"SELECT {names(main.key)} FROM {_LOOKED_AT} WHERE was = 'changed'"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE _same AS SELECT {', '.join(f'come.{quoted(name)}' for name in main.key)}, "
        f"come.{FINGERPRINT} FROM {home(main, ASIDE)} AS come JOIN {home(main)} AS held "
        f"ON {equal('come', main.key, 'held', main.key)} JOIN ({was_changed}) AS looked "
        f"ON {equal('come', main.key, 'looked', main.key)} "
        f"WHERE NOT ({differ('come', 'held', (column.name for column in main.content_columns))})"
    ).fetchall()
    for table in lists:
        in_question = f"SEMI JOIN {_SAME} AS same ON {equal('element', table.record_key, 'same', main.key)}"
        columns = (*table.key, *(column.name for column in table.content_columns))
        sides = [f"(SELECT {names(columns)} FROM {home(table, schema)} AS element {in_question})" for schema in _SIDES]
        key = [f"coalesce(come.{name}, held.{name}) AS {name}" for name in map(quoted, table.record_key)]
        connection.execute(
            f"DELETE FROM {_SAME} AS same USING (SELECT DISTINCT {', '.join(key)} FROM {sides[0]} AS come "
            f"FULL JOIN {sides[1]} AS held ON {equal('come', table.key, 'held', table.key)} "
            f"WHERE come._index IS NULL OR held._index IS NULL OR "
            f"{differ('come', 'held', (column.name for column in table.content_columns))}) AS other "
            f"WHERE {equal('same', main.key, 'other', table.record_key)}"
        ).fetchall()
    connection.execute(
        f"UPDATE {home(main)} AS held SET {FINGERPRINT} = same.{FINGERPRINT} FROM {_SAME} AS same "
        f"WHERE {equal('held', main.key, 'same', main.key)}"
    ).fetchall()


_SIDES = (ASIDE, CURRENT)


def _close(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table], at: datetime) -> None:
    """The versions that others take the place of stand in `past`: until now, or until they were deleted."""
    main = tables[0]
    if not connection.execute(f"SELECT 1 FROM {_COMING} WHERE was <> 'new' LIMIT 1").fetchall():
        return
    for table in tables:
        columns = names(column.name for column in table.columns)
        closing = f"(SELECT {names(main.key)} FROM {_COMING} WHERE was <> 'new') AS closing"
        is_closing = equal("held", table.record_key, "closing", main.key)
        connection.execute(
            f"INSERT INTO {home(table, PAST)} ({columns}, {VALID_TO}) "
            f"SELECT {columns}, coalesce({DELETED_AT}, {instant(at)}) FROM {home(table)} AS held "
            f"SEMI JOIN {closing} ON {is_closing}"
        ).fetchall()
        connection.execute(f"DELETE FROM {home(table)} AS held USING {closing} WHERE {is_closing}").fetchall()


def _delete(
    connection: duckdb.DuckDBPyConnection,
    tables: Sequence[Table],
    deleted: Path,
    run_id: str,
    at: datetime,
    changes: Changes,
) -> Changes:
    """Rows that the source proved to have no more, and the elements of their lists, carry the instant."""
    main = tables[0]
    keys = ", ".join(f"key[{place}] AS {quoted(name)}" for place, name in enumerate(main.key, 1))
    given = f"(SELECT key FROM {parquet([deleted], of_run=run_id)} WHERE resource = {literal(main.resource)})"
    ((wrong,),) = connection.execute(f"SELECT count(*) FROM {given} WHERE len(key) <> {len(main.key)}").fetchall()
    if wrong:
        raise StoredDataDamaged(f"a deletion names no key of {main.resource}", where=str(deleted))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE _gone AS SELECT DISTINCT {names(main.key)} "
        f"FROM (SELECT {keys} FROM {given}) AS gone SEMI JOIN {home(main)} AS held "
        f"ON {equal('gone', main.key, 'held', main.key)} AND held.{DELETED_AT} IS NULL"
    ).fetchall()
    ((count,),) = connection.execute(f"SELECT count(*) FROM {_GONE}").fetchall()
    if count:
        for table in tables:
            connection.execute(
                f"UPDATE {home(table)} AS held SET {DELETED_AT} = {instant(at)} FROM {_GONE} AS gone "
                f"WHERE {equal('held', table.record_key, 'gone', main.key)}"
            ).fetchall()
    return Changes(changes.resource, changes.new, changes.changed, int(count), changes.restored, changes.unchanged)
