"""The one place where DuckDB's errors become ours. Messages keep its class, never its text: that may quote values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from pipeline.durable import os_failure
from pipeline.errors import DiskFull, LocalAccess, LocalResource, PipelineError, StoredDataDamaged, VersionMismatch

# Looked for in DuckDB's lower-cased message, first match wins; it has no error numbers of its own.
_FULL = ("no space left", "disk full", "disk quota")
_LIMITS = {
    "file too large": "raise the file size limit of this user (ulimit -f), run again",
    "too many open files": "raise the limit of open files (ulimit -n), run again",
    "max_temp_directory_size": "report it with the number of rows of the largest table; readers are unaffected",
}
_MEMORY = ("failed to allocate", "failed to pin", "out of memory")  # a commit says so in other errors than its own
_REFUSED = (
    "permission denied",
    "operation not permitted",
    "read-only file system",
    "could not set lock",
    "database does not exist",
)
_NEWER = ("newer version of duckdb", "version number", "storage version")
_DAMAGED = (
    "corrupt",
    "checksum",
    "not a valid duckdb database",
    "magic bytes",
    "too small to be a parquet file",
    "could not read",
    "no files found",
    "input/output error",
    "failed to deserialize",
    "decompression failed",
    "thrift",
    "wal file",
)


@contextmanager
def working(where: str) -> Iterator[None]:
    """Whatever DuckDB or the operating system refuses inside becomes an error of ours that says where.

    An error in a statement of ours is a bug and passes as it is.
    """
    try:
        yield
    except (duckdb.Error, RuntimeError) as error:
        raise_if_interrupted(error)
        found = duckdb_failure(error, where) if isinstance(error, duckdb.Error) else None
        if found is None:
            raise
        raise found from error
    except MemoryError as error:
        raise LocalResource("this machine ran out of memory", where=where) from error
    except OSError as error:
        raise os_failure(error, where) from error


def raise_if_interrupted(error: Exception) -> None:
    """DuckDB replaces the exception of a signal's handler by an error of its own; this puts an interrupt back.

    Raises:
        KeyboardInterrupt: the error is DuckDB's way of saying that a signal arrived.
    """
    if isinstance(error, duckdb.InterruptException) or str(error) == "Query interrupted":
        raise KeyboardInterrupt from None


def duckdb_failure(error: duckdb.Error, where: str) -> PipelineError | None:
    """Our error for one of DuckDB's; None if it speaks of the statement and not of the machine or the stored bytes."""
    said = str(error).lower()
    kind = type(error).__name__
    if any(part in said for part in _FULL):
        return DiskFull(f"this machine cannot store more ({kind})", where=where)
    for part, do in _LIMITS.items():
        if part in said:
            return LocalResource(f"a limit of this machine was reached ({part})", where=where, do=do)
    if isinstance(error, duckdb.OutOfMemoryException) or any(part in said for part in _MEMORY):
        return LocalResource("the work does not fit into the memory allowed for DuckDB", where=where)
    if any(part in said for part in _REFUSED):
        return LocalAccess(f"a file or folder cannot be used ({kind})", where=where)
    if any(part in said for part in _NEWER):
        return VersionMismatch("the file was written by a DuckDB this one cannot read", where=where)
    if any(part in said for part in _DAMAGED) or isinstance(error, duckdb.SerializationException):
        return StoredDataDamaged(f"stored data cannot be read ({kind})", where=where)
    if isinstance(error, duckdb.IOException):
        return LocalResource(f"storage failed ({kind})", where=where)
    return None
