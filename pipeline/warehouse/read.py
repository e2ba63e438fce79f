"""The readers' side: hardened read-only connections to a published warehouse, and what can be asked of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pyarrow as pa

from pipeline.errors import ConfigError, LocalAccess, StoredDataDamaged
from pipeline.tables import DELETED_AT
from pipeline.warehouse.audit import row_counts
from pipeline.warehouse.faults import duckdb_failure, raise_if_interrupted
from pipeline.warehouse.interrupting import interruptible, opened
from pipeline.warehouse.publishing import log_of
from pipeline.warehouse.spilling import bound_spill
from pipeline.warehouse.text import CURRENT
from pipeline.warehouse.values import SnapshotInfo

# What DuckDB accounts for; the process takes some 300 MB beside it.
MEMORY_LIMIT = "640MB"
_HEADERS_BYTES = 3 * 4096  # before the first block of a DuckDB file
# A connection made here reaches nothing but its own file, and writes nothing: no spill of personal data either.
HARDENED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
    "temp_directory": "",
}


DuckDB = duckdb.DuckDBPyConnection
"""A connection, for those who pass it on without knowing DuckDB."""


def connect(pointer: Path) -> duckdb.DuckDBPyConnection:
    """A read-only connection to the file that `pointer` leads to now; it keeps showing that file.

    It reaches no other file, no network, no extension and no variable of the program; its settings are locked, times
    are shown in UTC. Close it when done.

    Args:
        pointer: the link that runs publish, or one generation's file.

    Raises:
        ConfigError: there is no warehouse yet.
        LocalAccess: this user may not read it.
        StoredDataDamaged: the pointer leads nowhere, or the file is not what was written.
        VersionMismatch: it was written by a DuckDB that this one cannot read.
    """
    where = str(pointer)
    try:
        path = pointer.resolve(strict=True)
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except FileNotFoundError:
        if pointer.is_symlink():
            raise StoredDataDamaged("the pointer leads to a generation that is gone", where=where) from None
        raise ConfigError("there is no warehouse yet", where=where, do="run `prospend run`") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: a circle of links, before Python 3.13
        raise LocalAccess(f"the warehouse cannot be read by this user ({type(error).__name__})", where=where) from error
    if is_empty:
        raise StoredDataDamaged("the warehouse file is empty", where=str(path))
    if log_of(path).exists():
        raise StoredDataDamaged("a DuckDB log lies beside the warehouse: it is not as published", where=str(path))
    return open_file(path)


def open_file(path: Path, *, spill: Path | None = None, **limits: str | int) -> duckdb.DuckDBPyConnection:
    """A hardened read-only connection to one DuckDB file; errors as for `connect`.

    What memory cannot hold goes to `spill`, or nowhere; `limits` are settings of DuckDB for memory and threads.
    """
    places = {} if spill is None else {"temp_directory": str(spill)}
    try:
        connection = opened(str(path), read_only=True, config={**HARDENED, **limits, **places})
    except duckdb.ConnectionException as error:
        raise LocalAccess(
            "this process holds the warehouse open with other settings",
            where=str(path),
            do="close its other connections, or make them with pipeline.connect as well",
        ) from error
    except duckdb.Error as error:
        failure = duckdb_failure(error, str(path)) or StoredDataDamaged(
            f"the warehouse cannot be opened ({type(error).__name__})", where=str(path)
        )
        raise failure from error
    # Connections of one process to one file share their settings: another one may have locked them first.
    with suppress(duckdb.InvalidInputException):
        if spill is not None:
            bound_spill(connection, spill)
        connection.execute("SET GLOBAL TimeZone = 'UTC'").fetchall()
        connection.execute("SET lock_configuration = true").fetchall()
    if path.stat().st_size < stated_size(connection):
        connection.close()
        raise StoredDataDamaged("the warehouse file is shorter than it was written", where=str(path))
    return connection


def open_unfinished(
    path: Path, spill: Path, *, threads: int = 2, memory_limit: str = MEMORY_LIMIT
) -> duckdb.DuckDBPyConnection:
    """A read-only connection to a file that is built and not finished; what memory cannot hold goes to `spill`."""
    limits: dict[str, str | bool | int | float | list[str]] = {
        "threads": threads,
        "memory_limit": memory_limit,
        "temp_directory": str(spill),
    }
    connection = opened(str(path), read_only=True, config=HARDENED | limits)
    bound_spill(connection, spill)
    return connection


def stated_size(connection: duckdb.DuckDBPyConnection) -> int:
    """Bytes of a finished file by its own header: DuckDB itself notices a lost tail only when it is read.

    Free blocks count: `finish` fills a file up to them, as DuckDB cuts them off at its end.
    """
    ((blocks_bytes,),) = connection.execute("SELECT block_size * total_blocks FROM pragma_database_size()").fetchall()
    return _HEADERS_BYTES + int(blocks_bytes)


class Answer:
    """The result of one statement: column names, and rows fetched as they are wanted."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, sql: str) -> None:
        with asking():
            statements = connection.extract_statements(sql)
            if len(statements) != 1:
                raise ConfigError(
                    f"one statement is wanted, {len(statements)} were given", where="query", do="ask one at a time"
                )
            if not _gives_rows(statements[0]):
                raise ConfigError("the statement gives no rows", where="query", do="ask with SELECT")
            # Binds only: a SELECT is not run yet.
            self.columns: tuple[str, ...] = tuple(connection.sql(sql).columns)
        self._connection = interruptible(connection.cursor())  # its own: an unfinished result would block the caller's
        self._sql = sql
        self._is_running = False

    def fetchmany(self, count: int) -> list[tuple[object, ...]]:
        """The next rows, at most `count`; none when all have been given."""
        with asking():
            if not self._is_running:
                self._connection.execute(self._sql)
                self._is_running = True
            return self._connection.fetchmany(count)

    def fetchall(self) -> list[tuple[object, ...]]:
        """All rows that have not been given yet."""
        rows = []
        while some := self.fetchmany(10_000):
            rows += some
        return rows

    def to_arrow_table(self) -> pa.Table:
        """All rows, decimals exact."""
        with asking():
            table: pa.Table = self._connection.sql(self._sql).to_arrow_table()
        return table


def query(connection: duckdb.DuckDBPyConnection, sql: str) -> Answer:
    """The answer to one read-only statement.

    Raises:
        ConfigError: the statement is wrong, is not one statement, or gives no rows.
        LocalResource: the answer does not fit into memory.
        StoredDataDamaged: the file is not what was written.
    """
    return Answer(connection, sql)


def snapshot_info(connection: duckdb.DuckDBPyConnection) -> SnapshotInfo:
    """Which night a connection shows.

    Raises:
        StoredDataDamaged: the file does not say; it is not a warehouse of this program.
    """
    try:
        ((*found,),) = connection.execute(
            "SELECT run_id, data_as_at, site, program_version, duckdb_version, source_sha256 FROM meta.snapshot_info"
        ).fetchall()
    except (duckdb.Error, ValueError) as error:
        raise StoredDataDamaged("the file is not a warehouse of this program", where="meta.snapshot_info") from error
    return SnapshotInfo(*found)


def timezone(connection: duckdb.DuckDBPyConnection) -> str:
    """The site's time zone when the newest run was made; UTC if the file does not say."""
    with asking():
        found = connection.execute("SELECT state FROM meta.figure WHERE kind = 'zone' LIMIT 1").fetchall()
    return str(found[0][0]) if found else "UTC"


def table_rows(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Rows of every table of the `prospend` schema that are not deleted, by name."""
    with asking():
        tables = connection.execute(
            "SELECT table_name, bool_or(column_name = ?) FROM duckdb_columns() WHERE schema_name = ? "
            "GROUP BY ALL ORDER BY ALL",
            [DELETED_AT, CURRENT],
        ).fetchall()
        return {
            name: count
            for table, can_be_deleted in tables  # version 0.1.0 marked no row as deleted
            for name, count in row_counts(connection, [table], among_all=not can_be_deleted)
        }


def _gives_rows(statement: duckdb.Statement) -> bool:
    """PIVOT counts: it is several statements inside, the last of them a SELECT."""
    return statement.expected_result_type == [duckdb.ExpectedResultType.QUERY_RESULT] or statement.type.name == "MULTI"


# What DuckDB says in these speaks of the statement; in others it may quote a value of the data.
_OF_THE_STATEMENT = (
    duckdb.ParserException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.PermissionException,
    duckdb.NotImplementedException,
)


# What history.diff says of its own accord; whatever else a statement has error() say may hold a value of the data.
_OF_OUR_MACROS = ("run_a is not in meta.run", "run_b is not in meta.run")


@contextmanager
def asking(where: str = "query") -> Iterator[None]:
    """What DuckDB has against a statement becomes an error of ours, never with a value of the data in it."""
    try:
        yield
    except (duckdb.Error, RuntimeError) as error:
        raise_if_interrupted(error)
        if not isinstance(error, duckdb.Error):
            raise
        said = str(error).partition("\n")[0] if isinstance(error, _OF_THE_STATEMENT) else type(error).__name__
        said = next((text for text in _OF_OUR_MACROS if text in str(error)), said)
        failure = duckdb_failure(error, where)
        raise failure or ConfigError(
            f"DuckDB does not carry out the statement: {said}", where=where, do="correct the statement"
        ) from error
