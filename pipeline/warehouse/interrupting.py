"""Ending the statements of this process from another thread: DuckDB 2.0 goes on after a signal's handler has raised."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import duckdb

_OPEN: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()


def opened(path: str, *, read_only: bool = False, config: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
    """A connection whose statements can be ended by `interrupt_all`."""
    return interruptible(duckdb.connect(path, read_only=read_only, config=dict(config)))


def interruptible(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The same one, or a cursor of one, whose statements `interrupt_all` ends from now on."""
    _OPEN.add(connection)
    return connection


def interrupt_all() -> None:
    """Every statement that runs ends with an error; what is idle notices nothing."""
    for connection in tuple(_OPEN):
        with suppress(duckdb.Error):  # closed meanwhile
            connection.interrupt()
