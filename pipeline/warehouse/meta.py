"""The `meta` schema: what a warehouse file says of the run behind it and of its own columns."""

# ruff: noqa: S608 - table and column names are constants of this module
from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import duckdb
import pyarrow as pa

from pipeline.model import CheckResult, ControlTotal
from pipeline.tables import Table
from pipeline.warehouse.text import fixed
from pipeline.warehouse.values import Built, RunFacts

_TOTAL = "run_id place resource table_name column_name currency value_count total"
_DICTIONARY = "table_name column_name is_key currency_column source_field known_values"


def fill(connection: duckdb.DuckDBPyConnection, run: RunFacts, built: Built) -> None:
    """The `meta` tables stand and say everything known before the checks."""
    connection.execute(fixed("meta_tables")).fetchall()
    sha256, version, run_id = run.manifest_sha256, run.program_version, run.run_id
    _insert(
        connection,
        "snapshot_info",
        "run_id data_as_at site program_version duckdb_version source_sha256",
        [(run_id, run.data_as_at, run.site, version, duckdb.__version__, sha256)],
    )
    _insert(
        connection,
        "run",
        "run_id started_at data_as_at site program_version manifest_sha256",
        [(run_id, run.started_at, run.data_as_at, run.site, version, sha256)],
    )
    _insert_resources(connection, run, built)
    _insert(connection, "control_total", _TOTAL, _totals(run_id, "pages", run.control_totals))
    _insert(connection, "control_total", _TOTAL, _totals(run_id, "warehouse", built.totals))
    _insert(connection, "control_total", _TOTAL, _totals(run_id, "superseded", built.superseded_totals))
    _insert(
        connection,
        "schema_change",
        "run_id resource field kind record_count",
        [(run_id, one.resource, one.field, one.kind, one.record_count) for one in run.notes],
    )
    _insert_quarantine(connection, run)


def describe(connection: duckdb.DuckDBPyConnection, tables: Iterable[Table]) -> None:
    """`meta.data_dictionary` lists every table and column of the file. Called last, when all of them stand."""
    facts = [
        (
            table.name,
            column.name,
            column.name in table.key,
            column.currency,
            ".".join((table.list_field, *column.source) if table.list_field else column.source)
            if column.is_own
            else None,
            list(column.values) or None,
        )
        for table in tables
        for column in table.columns
    ]
    columns = dict(zip(_DICTIONARY.split(), zip(*facts, strict=True), strict=True))
    types = [pa.string(), pa.string(), pa.bool_(), pa.string(), pa.string(), pa.list_(pa.string())]
    arrays = [pa.array(values, kind) for values, kind in zip(columns.values(), types, strict=True)]
    connection.register("facts", pa.table(arrays, names=list(columns)))
    connection.execute(fixed("data_dictionary")).fetchall()
    connection.unregister("facts")


def insert_checks(connection: duckdb.DuckDBPyConnection, run_id: str, checks: Sequence[CheckResult]) -> None:
    """Every check's verdict stands in `meta.check_result`."""
    _insert(
        connection,
        "check_result",
        "run_id position name required passed detail",
        [(run_id, place, one.name, one.required, one.passed, one.detail) for place, one in enumerate(checks)],
    )


def name_manifest(connection: duckdb.DuckDBPyConnection, run_id: str, sha256: str) -> None:
    """`meta` names the manifest that seals a run."""
    connection.execute("UPDATE meta.run SET manifest_sha256 = ? WHERE run_id = ?", [sha256, run_id]).fetchall()
    connection.execute("UPDATE meta.snapshot_info SET source_sha256 = ? WHERE run_id = ?", [sha256, run_id]).fetchall()


def _insert_resources(connection: duckdb.DuckDBPyConnection, run: RunFacts, built: Built) -> None:
    rows, superseded = dict(built.rows), dict(built.superseded)
    _insert(
        connection,
        "run_resource",
        "run_id resource mode call_count page_count record_count quarantined_count superseded_count row_count "
        "new_count changed_count deleted_count planned_call_count planned_row_count",
        [
            (
                run.run_id,
                one.name,
                one.mode,
                one.calls,
                one.pages,
                one.records,
                one.quarantined,
                superseded.get(one.name, 0),
                rows.get(one.name, one.rows),
                one.new,
                one.changed,
                one.deleted,
                one.calls_planned,
                one.rows_planned,
            )
            for one in run.resources
        ],
    )


def _insert_quarantine(connection: duckdb.DuckDBPyConnection, run: RunFacts) -> None:
    _insert(
        connection,
        "quarantine",
        "run_id resource context page record field reason raw",
        [
            (
                run.run_id,
                one.resource,
                json.dumps(dict(one.context), ensure_ascii=False),
                one.page,
                one.record,
                one.field,
                one.reason,
                one.raw.decode("utf-8", "backslashreplace"),
            )
            for one in run.quarantined
        ],
    )


def _totals(run_id: str, place: str, totals: Iterable[ControlTotal]) -> list[tuple[object, ...]]:
    return [
        (run_id, place, one.resource, one.table, one.column, one.currency, one.value_count, one.total) for one in totals
    ]


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, columns: str, rows: Sequence[tuple[object, ...]]
) -> None:
    """Rows go in through Arrow: bound values one by one would cost 100 times as much for a large quarantine."""
    if not rows:
        return
    listed = columns.split()
    arrays = [pa.array(values) for values in zip(*rows, strict=True)]
    connection.register("incoming", pa.table(arrays, names=listed))
    named = ", ".join(listed)
    connection.execute(f"INSERT INTO meta.{table} ({named}) SELECT {named} FROM incoming").fetchall()
    connection.unregister("incoming")
