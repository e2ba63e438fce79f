"""The `meta` schema: what a warehouse file says of the runs behind it and of its own columns."""

# ruff: noqa: S608 - table and column names are constants of this module
from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa

from pipeline.decode import quarantined_key
from pipeline.marts import Mart, lineage
from pipeline.model import CheckResult, ControlTotal
from pipeline.tables import SourceField, Table, source_fields
from pipeline.warehouse import drift
from pipeline.warehouse.applying import Applied
from pipeline.warehouse.load import parquet
from pipeline.warehouse.text import fixed, instant
from pipeline.warehouse.values import RunParts

_TOTAL = "run_id place resource table_name column_name currency value_count total"
_DICTIONARY = "table_name column_name is_key currency_column source_fields evidence known_values"


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows that are not deleted: how many in each table, and their amounts."""

    counts: tuple[tuple[str, int], ...]
    totals: tuple[ControlTotal, ...]


def next_instant(connection: duckdb.DuckDBPyConnection, run: RunParts) -> datetime:
    """From when on a run's versions hold: its own instant, but always later than every run's before it.

    Raises:
        ValueError: the run stands in the file already.
    """
    known = connection.execute("SELECT run_id, as_at FROM meta.run").fetchall()
    if run.run_id in {run_id for run_id, _ in known}:
        raise ValueError(f"run {run.run_id} stands in the file already")
    latest = max((as_at for _, as_at in known), default=None)
    return run.as_at if latest is None else max(run.as_at, latest + timedelta(microseconds=1))


def add_run(
    connection: duckdb.DuckDBPyConnection, run: RunParts, at: datetime, applied: Sequence[Applied], rows: Rows
) -> None:
    """A run and all that is known of it stand beside the runs before it."""
    facts, run_id = run.facts, run.run_id
    insert(
        connection,
        "run",
        "run_id started_at data_as_at as_at closed_before site program_version manifest_sha256",
        [
            (
                run_id,
                facts.started_at,
                facts.data_as_at,
                at,
                facts.closed_before,
                facts.site,
                facts.program_version,
                facts.manifest_sha256,
            )
        ],
    )
    _insert_resources(connection, run, applied, rows)
    superseded = sorted(one for resource in applied for one in resource.superseded_totals)
    read = sorted(one for resource in applied for one in resource.read_totals)
    for place, totals in (
        ("pages", facts.control_totals),
        ("superseded", superseded),
        ("read", read),
        ("warehouse", rows.totals),
    ):
        insert(connection, "control_total", _TOTAL, _totals(run_id, place, totals))
    insert(connection, "schema_change", drift.COLUMNS, drift.changes(connection, run, at))
    _insert_quarantine(connection, run, at)
    insert_checks(connection, run_id, facts.checks)


def show(connection: duckdb.DuckDBPyConnection, run: RunParts, layout_sha256: str) -> None:
    """The file says that it shows this run."""
    facts = run.facts
    connection.execute("DELETE FROM meta.snapshot_info").fetchall()
    insert(
        connection,
        "snapshot_info",
        "run_id data_as_at site program_version duckdb_version source_sha256 layout_sha256",
        [
            (
                run.run_id,
                facts.data_as_at,
                facts.site,
                facts.program_version,
                duckdb.__version__,
                facts.manifest_sha256,
                layout_sha256,
            )
        ],
    )


def describe(connection: duckdb.DuckDBPyConnection, tables: Iterable[Table]) -> None:
    """`meta.data_dictionary` lists every table and column of the file but the marts; called when all of them stand."""
    tables = tuple(tables)
    sources = source_fields(tables)
    facts = []
    for table in tables:
        for column in table.columns:
            own = [source] if (source := sources.get((table.name, column.name))) else []
            is_key, values = column.name in table.key, list(column.values) or None
            facts.append((table.name, column.name, is_key, column.currency, *_sources(own), values))
    _describe(connection, ("prospend", "past", "history", "meta"), facts)


def describe_marts(connection: duckdb.DuckDBPyConnection, tables: Iterable[Table], marts: Iterable[Mart]) -> None:
    """`meta.data_dictionary` lists every mart and its columns, and no mart that is not there any more."""
    sources = source_fields(tuple(tables))
    facts = []
    for mart in marts:
        for name, _ in mart.columns:
            own = fields_behind(mart, name, sources)
            facts.append((mart.name, name, name in mart.grain, mart.currency_of.get(name), *_sources(own), None))
    _describe(connection, ("mart",), facts)


def _describe(
    connection: duckdb.DuckDBPyConnection, schemas: Sequence[str], facts: Sequence[tuple[object, ...]]
) -> None:
    """What the dictionary says of some schemas is what stands in them, and what is known of it beside."""
    texts, text = pa.list_(pa.string()), pa.string()
    types = [text, text, pa.bool_(), text, texts, text, texts]
    columns = zip(*facts, strict=True) if facts else [()] * len(types)
    arrays = [pa.array(values, kind) for values, kind in zip(columns, types, strict=True)]
    connection.execute("DELETE FROM meta.data_dictionary WHERE list_contains(?, schema_name)", [schemas]).fetchall()
    connection.register("facts", pa.table(arrays, names=_DICTIONARY.split()))
    connection.execute(fixed("data_dictionary"), {"schemas": schemas}).fetchall()
    connection.unregister("facts")


def fields_behind(mart: Mart, column: str, sources: Mapping[tuple[str, str], SourceField]) -> list[SourceField]:
    """The fields of the API that a mart's column is made of; `sources` has those of every column of `prospend`."""
    ends = lineage().get(mart.name, {}).get(column, ())
    places = ((table, end) for table, _, end in (name.partition(".") for name in ends))
    return [sources[place] for place in places if place in sources]


def _sources(fields: Sequence[SourceField]) -> tuple[list[str], str | None]:
    """Their names, each once, and what a value made of all of them rests on."""
    evidence = "documented" if all(field.is_documented for field in fields) else "inferred"
    return list(dict.fromkeys(field.name for field in fields)), evidence if fields else None


def insert_checks(connection: duckdb.DuckDBPyConnection, run_id: str, checks: Sequence[CheckResult]) -> None:
    """Every verdict stands in `meta.check_result`, the rows to blame in `meta.check_failure`."""
    insert(
        connection,
        "check_result",
        "run_id position name required passed detail numbers blamed_count",
        [
            (
                run_id,
                at,
                one.name,
                one.required,
                one.passed,
                one.detail,
                json.dumps(dict(one.numbers)),
                one.blamed_count,
            )
            for at, one in enumerate(checks)
        ],
    )
    insert(
        connection,
        "check_failure",
        "run_id name resource key detail",
        [(run_id, one.name, row.resource, row.key, row.detail) for one in checks for row in one.blamed],
    )


def forget_failures(connection: duckdb.DuckDBPyConnection) -> None:
    """`meta.check_failure` is empty: it speaks of the newest run alone."""
    connection.execute("DELETE FROM meta.check_failure").fetchall()


def name_manifest(connection: duckdb.DuckDBPyConnection, run_id: str, sha256: str) -> None:
    """`meta` names the manifest that seals a run."""
    connection.execute("UPDATE meta.run SET manifest_sha256 = ? WHERE run_id = ?", [sha256, run_id]).fetchall()
    connection.execute("UPDATE meta.snapshot_info SET source_sha256 = ? WHERE run_id = ?", [sha256, run_id]).fetchall()


def _insert_resources(
    connection: duckdb.DuckDBPyConnection, run: RunParts, applied: Sequence[Applied], rows: Rows
) -> None:
    found, alive = {one.resource: one for one in applied}, dict(rows.counts)
    insert(
        connection,
        "run_resource",
        "run_id resource mode call_count page_count record_count quarantined_count superseded_count read_count "
        "new_count changed_count restored_count unchanged_count deleted_count row_count "
        "planned_call_count planned_row_count",
        [
            (
                run.run_id,
                one.name,
                one.mode,
                one.calls,
                one.pages,
                one.records,
                one.quarantined,
                *_counts(found[one.name]),
                alive[one.name],
                one.calls_planned,
                one.rows_planned,
            )
            for one in run.facts.resources
            if one.name in found
        ],
    )


def _counts(one: Applied) -> tuple[int, ...]:
    did = one.changes
    read = dict(one.read_rows).get(one.resource, 0)
    return one.superseded, read, did.new, did.changed, did.restored, did.unchanged, did.deleted


def _insert_quarantine(connection: duckdb.DuckDBPyConnection, run: RunParts, at: datetime) -> None:
    """What did not fit stands beside that of the runs before; whatever of all that the run proved gone is marked."""
    resources = {one.resource.name: one.resource for one in run.parts}
    insert(
        connection,
        "quarantine",
        "run_id resource context key page record field reason raw",
        [
            (
                run.run_id,
                one.resource,
                json.dumps(dict(one.context), ensure_ascii=False),
                quarantined_key(one, resources[one.resource]) if one.resource in resources else None,
                one.page,
                one.record,
                one.field,
                one.reason,
                one.raw.decode("utf-8", "backslashreplace"),
            )
            for one in run.facts.quarantined
        ],
    )
    if run.deleted is not None:
        gone = parquet([run.deleted], of_run=run.run_id)
        connection.execute(
            f"UPDATE meta.quarantine AS held SET deleted_at = {instant(at)} FROM {gone} AS gone "
            "WHERE held.deleted_at IS NULL AND held.resource = gone.resource AND held.key = gone.key"
        ).fetchall()


def _totals(run_id: str, place: str, totals: Iterable[ControlTotal]) -> list[tuple[object, ...]]:
    return [
        (run_id, place, one.resource, one.table, one.column, one.currency, one.value_count, one.total) for one in totals
    ]


def insert(connection: duckdb.DuckDBPyConnection, table: str, columns: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Rows go in through Arrow: bound values one by one would cost 100 times as much for a large quarantine."""
    if not rows:
        return
    listed = columns.split()
    arrays = [pa.array(values) for values in zip(*rows, strict=True)]
    connection.register("incoming", pa.table(arrays, names=listed))
    named = ", ".join(listed)
    connection.execute(f"INSERT INTO meta.{table} ({named}) SELECT {named} FROM incoming").fetchall()
    connection.unregister("incoming")
