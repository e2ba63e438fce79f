"""Small hand-made parts in the snapshot's own schema, and the way from them to a published warehouse."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import warehouse
from pipeline.decode import fingerprint, snapshot_schema
from pipeline.model import CheckResult, ResourceResult
from pipeline.resources import Catalogue, parse_catalogue
from pipeline.warehouse import Built, Parts, RunFacts, RunParts

RUN_ID = "20261123T020000Z"
AT = datetime(2026, 11, 23, 2, tzinfo=UTC)

CATALOGUE_TEXT = """
format = 1

[shape.total]
grossAmount = { type = "money", evidence = "documented", about = "amount, in the currency beside it" }
currencyCode = { type = "text", evidence = "documented", about = "ISO 4217 currency code" }

[resource.company]
path = "/{version}/company"
key = "companyId"
order = "inferred"
evidence = "documented"
about = "A company"
[resource.company.column]
companyId = { type = "text", evidence = "documented", about = "key of the company" }
rate = { type = "decimal(9,4)", evidence = "documented", about = "rate in percent" }

[resource.claim]
path = "/{version}/company/{companyId}/claim"
parent = "company"
key = "id"
updated = "updatedDate"
order = "inferred"
evidence = "documented"
about = "A claim; it's quoted \\"so\\""
[resource.claim.column]
id = { type = "text", evidence = "documented", about = "key of the claim" }
order = { type = "text", evidence = "documented", about = "a name that SQL reserves" }
status = { type = "text", evidence = "documented", values = ["Open", "Closed"], about = "where it stands; 'quoted'" }
pageCount = { type = "integer", evidence = "documented", about = "number of pages" }
isPersonal = { type = "boolean", evidence = "documented", about = "whether it is personal" }
spentOn = { type = "date", evidence = "documented", about = "day of the spend" }
updatedDate = { type = "timestamp", evidence = "documented", about = "when it was last changed, UTC" }
fee = { type = "money", evidence = "documented", about = "fee, in an unknown currency" }
original = { type = "object", shape = "total", evidence = "inferred", about = "the original amount" }
totals = { type = "list", shape = "total", table = "claim_total", evidence = "documented", about = "totals per currency" }
tags = { type = "list", table = "claim_tag", evidence = "documented", about = "tags", item = { name = "tag", type = "text", evidence = "documented", about = "a tag" } }
"""


def catalogue() -> Catalogue:
    return parse_catalogue(CATALOGUE_TEXT, "test")


def claim(record_id: str | None, **fields: Any) -> dict[str, Any]:
    """A claim as a snapshot row; whatever is not said is missing."""
    return {"companyId": "1", "id": record_id, **fields}


def total(gross: Any, currency: str | None, extra: str | None = None) -> dict[str, Any]:
    return {"grossAmount": gross, "currencyCode": currency, "_extra": extra}


def write_part(path: Path, resource: str, rows: Iterable[Mapping[str, Any]], row_group_rows: int = 5_000) -> Path:
    """A Parquet part of these rows; place and provenance are filled in where a row does not say them.

    Row groups are small, so that DuckDB reads them on several threads.
    """
    placed = [
        {"_run_id": RUN_ID, "_fetched_at": AT, "_page": number // 2, "_record": number % 2, **_sent(row), **row}
        for number, row in enumerate(rows)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(placed, schema=snapshot_schema(catalogue()[resource]))
    pq.write_table(table, path, row_group_size=row_group_rows)
    return path


def _sent(row: Mapping[str, Any]) -> dict[str, int]:
    """The fingerprint of a row, as of a record with just these values."""
    own = {name: value for name, value in row.items() if not name.startswith("_")}
    return {"_fingerprint": fingerprint(repr(sorted(own.items())).encode())}


def facts(run_id: str = RUN_ID, **changes: Any) -> RunFacts:
    given: dict[str, Any] = {
        "run_id": run_id,
        "started_at": AT,
        "site": "test",
        "program_version": "0.1.0",
        "resources": (
            ResourceResult(
                "claim", "full", rows=0, calls=3, pages=2, records=4, quarantined=1, calls_planned=5, rows_planned=7
            ),
        ),
        "control_totals": (),
        "quarantined": (),
        "notes": (),
        "manifest_sha256": "ab" * 32,
        "data_as_at": AT,
    }
    return RunFacts(**{**given, **changes})


def run_of(*parts: Parts, run: RunFacts | None = None, deleted: Path | None = None) -> RunParts:
    """One accepted run with these parts."""
    run = run or facts()
    return RunParts(run.run_id, run.data_as_at, parts, deleted, run)


def build(
    folder: Path, *, claims: Iterable[Mapping[str, Any]] | None = None, run: RunFacts | None = None, **options: Any
) -> Built:
    """A loaded, unfinished warehouse below `folder`, from these claims and one company."""
    run = run or facts()
    parts = folder / "parts" / run.run_id
    files = () if claims is None else (write_part(parts / "claim.parquet", "claim", claims),)
    company = write_part(parts / "company.parquet", "company", [{"companyId": "1"}])
    (folder / "warehouse").mkdir(exist_ok=True)
    (folder / "spill").mkdir(exist_ok=True)
    return warehouse.build(
        folder / "warehouse" / f".building-{run.run_id}.duckdb",
        [run_of(Parts(catalogue()["company"], (company,)), Parts(catalogue()["claim"], files), run=run)],
        temp_dir=folder / "spill",
        **options,
    )


CHECKS = (CheckResult("rows", required=True, passed=True, detail="4 records accounted for"),)


def published(folder: Path, run_id: str = RUN_ID, **options: Any) -> Path:
    """The pointer to a new generation built from `options`."""
    built = build(folder, run=facts(run_id), **options)
    warehouse.finish(built, CHECKS)
    pointer = folder / "warehouse.duckdb"
    warehouse.publish(built.path, folder / "warehouse", pointer, run_id)
    return pointer
