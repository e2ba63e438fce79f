"""Nights of made-up runs: parts, deletions and facts of each, in the snapshot's own schema, for the fold to be tested on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from warehouse_parts import CATALOGUE_TEXT, facts

from pipeline.decode import fingerprint, snapshot_schema
from pipeline.resources import Catalogue, parse_catalogue
from pipeline.warehouse import Parts, RunParts

LINE_TEXT = """
[resource.line]
path = "/{version}/company/{companyId}/claim/{claimId}/line"
parent = "claim"
key = "id"
order = "inferred"
evidence = "documented"
about = "A line of a claim"
[resource.line.column]
id = { type = "text", evidence = "documented", about = "key of the line" }
amount = { type = "money", evidence = "documented", about = "amount, in the currency beside it", currency = "currencyCode" }
currencyCode = { type = "text", evidence = "documented", about = "ISO 4217 currency code" }
"""
TEXT = CATALOGUE_TEXT.replace('updated = "updatedDate"', 'updated = "updatedDate"\nperiod = "spentOn"') + LINE_TEXT
CATALOGUE = parse_catalogue(TEXT, "test")
FIRST = datetime(2026, 11, 1, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Night:
    """What one run read, by resource, and the keys it proved gone. A resource without an entry was not read."""

    number: int
    records: Mapping[str, Sequence[Mapping[str, Any]]]
    deleted: Sequence[tuple[str, tuple[str, ...]]] = ()
    closed_before: datetime | None = None

    @property
    def at(self) -> datetime:
        return FIRST + timedelta(days=self.number)

    @property
    def run_id(self) -> str:
        return self.at.strftime("%Y%m%dT%H%M%SZ")


def written(folder: Path, night: Night, catalogue: Catalogue = CATALOGUE) -> RunParts:
    """The night as an accepted run with its parts below `folder`."""
    parts = []
    for resource in catalogue:
        files = ()
        if resource.name in night.records:
            path = folder / resource.name / f"run={night.run_id}" / "part-00000.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = [_placed(night, place, row) for place, row in enumerate(night.records[resource.name])]
            pq.write_table(pa.Table.from_pylist(rows, schema=snapshot_schema(resource)), path)
            files = (path,)
        parts.append(Parts(resource, files))
    run = facts(night.run_id, data_as_at=night.at, closed_before=night.closed_before, resources=())
    return RunParts(night.run_id, night.at, tuple(parts), deleted_part(folder, night), run)


def _placed(night: Night, place: int, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with where it stood; `_spelling` is anything that changes the bytes of a record but none of its values."""
    sent = repr(sorted((name, value) for name, value in row.items() if name not in ("_page", "_record")))
    values = {name: value for name, value in row.items() if name != "_spelling"}
    return {
        "_run_id": night.run_id,
        "_fetched_at": night.at,
        "_page": place // 2,
        "_record": place % 2,
        "_fingerprint": fingerprint(sent.encode()),
        **values,
    }


def deleted_part(folder: Path, night: Night) -> Path | None:
    """The part with the keys that the night proved gone."""
    if not night.deleted:
        return None
    path = folder / "_deleted" / f"run={night.run_id}" / "part-00000.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema(
        [
            ("resource", pa.string()),
            ("key", pa.list_(pa.string())),
            ("proof", pa.string()),
            ("proven_at", pa.timestamp("us", "UTC")),
            ("_run_id", pa.string()),
        ]
    )
    rows: Iterable[dict[str, Any]] = [
        {"resource": name, "key": list(key), "proof": "lookup", "proven_at": night.at, "_run_id": night.run_id}
        for name, key in night.deleted
    ]
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)
    return path
