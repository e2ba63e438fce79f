"""What the next night asks the last generation: what is known already, what to look at again, what has vanished.

Records in quarantine have no row, and no fingerprint that is known; whether they have vanished is asked all the same.
Read-only, on a connection from `connect_for_run`, or from `read.connect` where memory is no question. Deleted rows are
not known. Keys are the values of the resource's identity, outermost parent first. Long questions and long answers are
streamed: a connection answers one question at a time, so an answer is read to its end before the next is asked.
"""

# ruff: noqa: S608 - generated SQL is the purpose here; names and texts pass `text.quoted` and `text.literal`
from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import chain, islice
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.durable import storing
from pipeline.errors import StoredDataDamaged
from pipeline.model import Context
from pipeline.resources import Resource, snake_case
from pipeline.stretches import Spread
from pipeline.tables import DELETED_AT, FINGERPRINT, tables_of
from pipeline.warehouse.copying import copy_file
from pipeline.warehouse.faults import working
from pipeline.warehouse.figures import EPOCH
from pipeline.warehouse.read import MEMORY_LIMIT, open_file
from pipeline.warehouse.text import CURRENT, PAST, equal, home, names, quoted

Key = tuple[str, ...]

_PRIVATE_FOLDER = 0o700
_ROWS = 65_536  # of one step, here and there; bounds memory
_SPREAD_STEPS = 200
_SEPARATOR = "chr(31)"  # no key of a sound source holds it; if one does, a bucket may hold a row more


@contextmanager
def connect_for_run(
    generation: Path, temp_dir: Path, *, threads: int = 2, memory_limit: str = MEMORY_LIMIT
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection to a generation that may spill into a private folder; it is closed and the folder removed.

    The file is opened under a name of its own: DuckDB lets all connections of a process to one path share their
    settings, and a program may have the same warehouse open.

    Raises:
        StoredDataDamaged: the file is not what was written.
    """
    spill = temp_dir / f"{generation.stem}.asked"
    with storing(f"warehouse · {generation.name}"):
        spill.mkdir(mode=_PRIVATE_FOLDER)
    try:
        own = spill / generation.name
        with storing(f"warehouse · {generation.name}"):
            try:
                own.hardlink_to(generation)
            except OSError:  # another volume, or one without such links
                copy_file(generation, own)
        with closing(open_file(own, spill=spill, threads=threads, memory_limit=memory_limit)) as connection:
            yield connection
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def known_fingerprints(
    connection: duckdb.DuckDBPyConnection, resource: Resource, context: Context, keys: Sequence[str]
) -> dict[str, int]:
    """By own key, the fingerprints of those rows under these parents that are there and not deleted."""
    table = tables_of(resource)[0]
    *above, own = map(quoted, table.key)
    given = dict(context)
    under = "".join(f" AND {name} = ?" for name in above)
    with working("warehouse"):
        found = connection.execute(
            f"SELECT {own}, {FINGERPRINT} FROM {home(table)} "
            f"WHERE {own} IN (SELECT unnest(?)) AND {DELETED_AT} IS NULL{under}",
            [list(keys), *(given[name] for name in resource.context_names)],
        ).fetchall()
    return dict(found)


def spread(connection: duckdb.DuckDBPyConnection, resource: Resource, context: Context) -> Spread:
    """How the known rows under these parents lie in change time: moments in even steps, with the rows up to each.

    About: exact quantiles of ten million rows would take seconds, and 300 MB. Nothing for a resource without change
    times, or without such rows.
    """
    if resource.updated is None:
        return ()
    table, updated = tables_of(resource)[0], quoted(snake_case(resource.updated))
    *above, _ = map(quoted, table.key)
    under = "".join(f" AND {name} = ?" for name in above)
    steps = [n / _SPREAD_STEPS for n in range(_SPREAD_STEPS + 1)]
    with working("warehouse"):
        (moments, count), *_ = connection.execute(
            f"SELECT approx_quantile(epoch_us({updated}), {steps}), count({updated}) FROM {home(table)} "
            f"WHERE {DELETED_AT} IS NULL{under}",
            [key for _, key in context],
        ).fetchall()
    pairs = zip(moments or (), steps, strict=False)
    return tuple((EPOCH + timedelta(microseconds=moment), count * part) for moment, part in pairs)


def alive_by_company(connection: duckdb.DuckDBPyConnection, resource: Resource) -> dict[str, int]:
    """Rows of a company's list that are not deleted, by the company's key."""
    table = tables_of(resource)[0]
    company = quoted(table.key[0])
    with working("warehouse"):
        counted = connection.execute(
            f"SELECT {company}, count(*) FROM {home(table)} WHERE {DELETED_AT} IS NULL GROUP BY ALL"
        ).fetchall()
    return {key: int(count) for key, count in counted}


def sampled_keys(connection: duckdb.DuckDBPyConnection, resource: Resource, bucket: int, buckets: int) -> Iterator[Key]:
    """The keys of the rows of one of `buckets` even parts; the parts are the same in every file and version."""
    table = tables_of(resource)[0]
    number = f"md5_number_lower(concat_ws({_SEPARATOR}, {names(table.key)})) % {int(buckets)}"
    return _keys(
        connection,
        f"SELECT {names(table.key)} FROM {home(table)} WHERE {DELETED_AT} IS NULL AND {number} = {int(bucket)}",
    )


def vanished(
    connection: duckdb.DuckDBPyConnection,
    resource: Resource,
    covered: Iterable[Key] | Iterable[Path] | Path | None,
    incoming: Iterable[Path],
    childless: tuple[Resource, Sequence[Path]] | None = None,
) -> Iterator[Key]:
    """The keys of rows and of records in quarantine, under covered parents, that are not among those of some parts.

    A record that these parts' run put into quarantine is not among its parts.

    Args:
        connection: to the last generation.
        resource: whose rows.
        covered: the contexts that were walked to their end, as values of the parents' keys or as `_pages` parts; None
            for all there are.
        incoming: the parts of the run that walked them.
        childless: the parent resource and its parts in that run: what says by the flag `only_when` that nothing hangs
            under it covers its context, too.
    """
    table = tables_of(resource)[0]
    above = table.key[:-1]
    with working("warehouse"):
        known = _known(connection, resource)
        _given(connection, "_incoming", table.key, _of_parts(incoming, resource))
        where = ""
        if covered is not None:
            batches = [_contexts(covered, resource)]
            if childless is not None and resource.only_when is not None:
                batches.append(_flagged_off(*childless, resource.only_when))
            _given(connection, "_covered", above, chain.from_iterable(batches))
            where = f"SEMI JOIN temp._covered AS covered ON {equal('held', above, 'covered', above) or 'true'} "
    return _keys(
        connection,
        f"SELECT {names(table.key)} FROM {known} AS held {where}"
        f"ANTI JOIN temp._incoming AS incoming ON {equal('held', table.key, 'incoming', table.key)}",
    )


def alive_under(connection: duckdb.DuckDBPyConnection, resource: Resource, parents: Iterable[Key]) -> Iterator[Key]:
    """The keys of rows, and of records in quarantine, that hang under one of these records, at whatever depth.

    All of `parents` are of one resource.
    """
    table = tables_of(resource)[0]
    steps = iter(parents)
    first = next(steps, None)
    if first is None:
        return iter(())
    above = table.key[: len(first)]
    with working("warehouse"):
        known = _known(connection, resource)
        _given(connection, "_parents", above, _batched(chain([first], steps)))
    return _keys(
        connection,
        f"SELECT {names(table.key)} FROM {known} AS held "
        f"SEMI JOIN temp._parents AS parents ON {equal('held', above, 'parents', above)}",
    )


def only_in_quarantine(connection: duckdb.DuckDBPyConnection, resource: Resource) -> frozenset[Key]:
    """The keys of records that are known from quarantine alone: they have no row, or one that was deleted before."""
    table = tables_of(resource)[0]
    places = ", ".join(f"key[{place}]" for place, _ in enumerate(table.key, 1))
    with working("warehouse"):
        keys = connection.execute(
            f"SELECT DISTINCT {places} FROM meta.quarantine "
            f"WHERE resource = ? AND deleted_at IS NULL AND len(key) = {len(table.key)}",
            [resource.name],
        ).fetchall()
        if not keys:
            return frozenset()
        _given(connection, "_in_quarantine", table.key, _batched(keys))
    rows = _keys(
        connection,
        f"SELECT {names(table.key)} FROM {home(table)} AS held SEMI JOIN temp._in_quarantine AS other "
        f"ON {equal('held', table.key, 'other', table.key)} WHERE {DELETED_AT} IS NULL",
    )
    return frozenset(keys).difference(rows)


def differing(connection: duckdb.DuckDBPyConnection, resource: Resource, records: Sequence[tuple[Key, int]]) -> int:
    """How many of some records, given by key and fingerprint, are not as the rows that are there and not deleted."""
    table = tables_of(resource)[0]
    marks = pa.array([str(mark) for _, mark in records], pa.string())
    with working("warehouse"):
        _given(connection, "_read_again", (*table.key, "_mark"), _marked([key for key, _ in records], marks))
        ((count,),) = connection.execute(
            f"SELECT count(*) FROM temp._read_again AS again ANTI JOIN {home(table)} AS held "
            f"ON {equal('again', table.key, 'held', table.key)} AND again._mark = held.{FINGERPRINT}::VARCHAR "
            f"AND held.{DELETED_AT} IS NULL"
        ).fetchall()
    return int(count)


def distinct(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> frozenset[str]:
    """The values that a text column has in any version of any row."""
    name = quoted(column)
    both = " UNION ".join(f"SELECT {name} FROM {schema}.{quoted(table)}" for schema in (CURRENT, PAST))
    with working("warehouse"):
        return frozenset(value for (value,) in connection.execute(both).fetchall() if value is not None)


def keys_with(
    connection: duckdb.DuckDBPyConnection, resource: Resource, column: str, values: Iterable[str]
) -> Iterator[tuple[Key, str]]:
    """The keys of the rows of which any version has one of these values in a column, each with the value."""
    table = tables_of(resource)[0]
    wanted = f"{quoted(column)} IN (SELECT unnest(?))"
    listed = f"{names(table.key)}, {quoted(column)}"
    sides = (f"SELECT {listed} FROM {home(table, schema)} WHERE {wanted}" for schema in (CURRENT, PAST))
    given = list(values)
    with working("warehouse"):
        asked = connection.execute(" UNION ".join(sides), [given, given])
        while rows := asked.fetchmany(_ROWS):
            yield from ((tuple(key), value) for *key, value in rows)


def alive_counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Rows of every resource that are not deleted, by its name."""
    with working("warehouse"):
        main = connection.execute(
            "SELECT table_name FROM duckdb_columns() WHERE schema_name = ? AND column_name = ? ORDER BY table_name",
            [CURRENT, FINGERPRINT],
        ).fetchall()
        counts = {}
        for (name,) in main:
            ((count,),) = connection.execute(
                f"SELECT count(*) FROM {CURRENT}.{quoted(name)} WHERE {DELETED_AT} IS NULL"
            ).fetchall()
            counts[name] = int(count)
    return counts


def _known(connection: duckdb.DuckDBPyConnection, resource: Resource) -> str:
    """Every key that a run has shown and none has proved gone, with or without a row, to stand after FROM."""
    table = tables_of(resource)[0]
    _given(connection, "_no_row", table.key, _batched(only_in_quarantine(connection, resource)))
    listed = names(table.key)
    return (
        f"(SELECT {listed} FROM {home(table)} WHERE {DELETED_AT} IS NULL UNION ALL SELECT {listed} FROM temp._no_row)"
    )


def _keys(connection: duckdb.DuckDBPyConnection, sql: str) -> Iterator[Key]:
    with working("warehouse"):
        asked = connection.execute(sql)
        while rows := asked.fetchmany(_ROWS):
            yield from rows


def _given(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Sequence[str], batches: Iterator[pa.RecordBatch]
) -> None:
    """A temporary table of texts, filled step by step: DuckDB itself reaches no other file on this connection."""
    listed = ", ".join(f"{quoted(column)} VARCHAR" for column in columns)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} ({listed or '_nothing VARCHAR'})").fetchall()
    for batch in batches:
        connection.register("_batch", pa.Table.from_batches([batch]))
        connection.execute(f"INSERT INTO temp.{name} FROM _batch").fetchall()
        connection.unregister("_batch")


def _of_parts(files: Iterable[Path], resource: Resource) -> Iterator[pa.RecordBatch]:
    for file in files:
        yield from _read(file, resource.identity)


def _contexts(covered: Iterable[Key] | Iterable[Path] | Path, resource: Resource) -> Iterator[pa.RecordBatch]:
    steps: Iterable[Key | Path] = (covered,) if isinstance(covered, Path) else covered
    for step in steps:
        if not isinstance(step, Path):
            yield from _batched([step])
            continue
        for batch in _read(step, ("resource", "context")):
            found = (row["context"] for row in batch.to_pylist() if row["resource"] == resource.name)
            yield from _batched(dict.fromkeys(map(tuple, found)))


def _marked(keys: Sequence[Key], marks: pa.Array[pa.StringScalar]) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in _batched(keys):
        yield batch.append_column("mark", marks.slice(start, batch.num_rows))
        start += batch.num_rows


def _flagged_off(parent: Resource, files: Sequence[Path], flag: str) -> Iterator[pa.RecordBatch]:
    """The keys of a resource's records whose flag is false."""
    for file in files:
        for batch in _read(file, (*parent.identity, flag)):
            columns = batch.to_pydict()
            keys = zip(*(columns[name] for name in parent.identity), strict=True)
            yield from _batched([key for key, is_on in zip(keys, columns[flag], strict=True) if is_on is False])


def _batched(keys: Iterable[Key]) -> Iterator[pa.RecordBatch]:
    steps = iter(keys)
    while step := list(islice(steps, _ROWS)):
        columns = [pa.array(values, pa.string()) for values in zip(*step, strict=True)]
        yield pa.record_batch(
            columns or [pa.nulls(len(step), pa.string())], [f"c{n}" for n in range(len(columns) or 1)]
        )


def _read(file: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            yield from (batch.select(columns) for batch in opened.iter_batches(_ROWS, columns=list(columns)))
    except (pa.ArrowException, OSError, KeyError) as error:
        raise StoredDataDamaged(f"a part cannot be read ({type(error).__name__})", where=str(file)) from error
