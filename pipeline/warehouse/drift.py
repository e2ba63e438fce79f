"""What a run met that the catalogue does not say, as rows of `meta.schema_change`: since when, how often, its types."""

# ruff: noqa: S608 - generated SQL is the purpose here; names and texts pass `text.quoted` and `text.literal`
from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime

import duckdb

from pipeline.decode import described, extra_members
from pipeline.resources import Resource
from pipeline.tables import EXTRA, RUN_ID, Table, tables_of
from pipeline.warehouse.text import home, names
from pipeline.warehouse.values import RunFacts, RunParts

COLUMNS = "run_id resource field kind record_count fill_percent first_seen_run first_seen_at found proposed"
# So many rows with unknown fields are looked at for their types.
_SAMPLE_ROWS = 2_000
_Place = tuple[str, str, str]
"""Resource, field, kind."""
_Seen = tuple[str, datetime, str | None, str | None]
"""First run, its instant, what was found, what was proposed."""


def changes(connection: duckdb.DuckDBPyConnection, run: RunParts, at: datetime) -> list[tuple[object, ...]]:
    """The rows of a run that stands in the tables already.

    Args:
        connection: to a file with the run's rows, and the changes of all runs before it.
        run: what it read, noticed and set aside.
        at: the instant from which its rows hold.
    """
    counts = _counts(run.facts)
    if not counts:
        return []
    seen = _seen(connection)
    read = {one.name: one.records for one in run.facts.resources}
    undescribed = {
        (resource, field)
        for resource, field, kind in counts
        if kind == "unknown_field" and seen.get((resource, field, kind), ("", at, None, None))[2] is None
    }
    found = {
        (one.resource.name, *described_field)
        for one in run.parts
        for described_field in _described(connection, one.resource, run.run_id, undescribed)
    }
    fresh = {(resource, field): (types, proposed) for resource, field, types, proposed in found}
    rows: list[tuple[object, ...]] = []
    for (resource, field, kind), (count, why) in counts.items():
        first_run, first_at, types, proposed = seen.get((resource, field, kind), (run.run_id, at, None, None))
        if types is None:
            types, proposed = fresh.get((resource, field), (None, None))
        types = why or types
        share = round(100.0 * count / read[resource], 2) if read.get(resource) else None
        rows.append((run.run_id, resource, field, kind, count, share, first_run, first_at, types, proposed))
    return rows


def _counts(facts: RunFacts) -> dict[_Place, tuple[int, str | None]]:
    """In how many records, and for a type that does not fit why not, the most frequent reason."""
    found: dict[_Place, tuple[int, str | None]] = {
        (one.resource, one.field, one.kind): (one.record_count, None) for one in facts.notes
    }
    reasons: dict[tuple[str, str], Counter[str]] = {}
    for one in facts.quarantined:
        reasons.setdefault((one.resource, one.field), Counter())[one.reason] += 1
    for (resource, field), counted in sorted(reasons.items()):
        why = min(counted, key=lambda reason: (-counted[reason], reason))
        found[resource, field, "changed_type"] = (counted.total(), why)
    return found


def _seen(connection: duckdb.DuckDBPyConnection) -> dict[_Place, _Seen]:
    """What earlier runs said of each field."""
    rows = connection.execute(
        "SELECT resource, field, kind, first_seen_run, first_seen_at, max(found), max(proposed) "
        "FROM meta.schema_change GROUP BY ALL"
    ).fetchall()
    return {(row[0], row[1], row[2]): row[3:] for row in rows}


def _described(
    connection: duckdb.DuckDBPyConnection, resource: Resource, run_id: str, wanted: Collection[tuple[str, str]]
) -> Iterator[tuple[str, str, str | None]]:
    """(field, types, proposal) of the unknown fields that are wanted, from the first rows that the run brought."""
    if not any(name == resource.name for name, _ in wanted):
        return
    for table in tables_of(resource):
        above = f"{table.list_field}[]." if table.list_field else ""
        for name, values in extra_members(_extras(connection, table, run_id)).items():
            if (resource.name, f"{above}{name}") in wanted:
                known = described(resource, f"{above}{name}", values)
                yield f"{above}{name}", known.json_type, known.proposed


def _extras(connection: duckdb.DuckDBPyConnection, table: Table, run_id: str) -> list[str]:
    rows = connection.execute(
        f"SELECT {EXTRA} FROM {home(table)} WHERE {RUN_ID} = $run_id AND {EXTRA} IS NOT NULL "
        f"ORDER BY {names(table.key)} LIMIT {_SAMPLE_ROWS}",
        {"run_id": run_id},
    ).fetchall()
    return [text for (text,) in rows]
