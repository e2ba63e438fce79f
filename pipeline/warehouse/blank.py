"""A warehouse without a row, in memory: what every file of a catalogue will hold, before there is one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime

import duckdb

from pipeline.marts import Reporting
from pipeline.resources import Resource
from pipeline.tables import all_tables
from pipeline.warehouse import layout, meta
from pipeline.warehouse.read import HARDENED
from pipeline.warehouse.reporting import create

# Any would do: it decides about rows, and there are none.
_REPORTING = Reporting(
    as_at=datetime(2026, 7, 1, tzinfo=UTC),
    today=date(2026, 7, 1),
    timezone="UTC",
    fiscal_month=7,
    due_soon_days=7,
    approval_thresholds=(),
    threshold_percent=5.0,
    entertainment_types=(),
)


@contextmanager
def blank(resources: Iterable[Resource]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a warehouse in memory with every table, view, macro and mart of these resources, described."""
    tables = all_tables(resources)
    with closing(duckdb.connect(config=HARDENED)) as connection:
        connection.execute("SET TimeZone = 'UTC'").fetchall()
        layout.create(connection, tables)
        meta.describe(connection, tables)
        meta.describe_marts(connection, tables, create(connection, _REPORTING))
        yield connection
