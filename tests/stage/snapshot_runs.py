"""Small sealed runs of the shipped catalogue on a real disk, for the tests of what stands on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.decode import decode_pages
from pipeline.model import Deletion, Page, PageProof, Walk
from pipeline.resources import Catalogue, Resource, read_catalogue
from pipeline.snapshot import SealedResource, Staging, seal

AT = datetime(2026, 11, 23, 2, tzinfo=UTC)
CATALOGUE: Catalogue = read_catalogue()
NAMES = ("company", "division", "claim")
RESOURCES = [CATALOGUE[name] for name in NAMES]
Records = Mapping[str, Sequence[Mapping[str, Any]]]


def run_id(night: int) -> str:
    return f"202611{night:02}T020000Z"


def claim(key: int, **fields: Any) -> dict[str, Any]:
    totals = [{"grossAmount": 10.5 + key, "netAmount": 10 + key, "taxAmount": 0.5, "currencyCode": "AUD"}]
    given = {"id": str(key), "claimantId": str(4640 + key % 10), "claimantName": f"Person {4640 + key % 10}"}
    return {**given, "updatedDate": "2026-11-01T00:00:00Z", "claimCurrencyTotals": totals, **fields}


def page(resource: Resource, records: Sequence[Mapping[str, Any] | bytes], ordinal: int = 0) -> Page:
    raw = tuple(one if isinstance(one, bytes) else json.dumps(one).encode() for one in records)
    context = tuple((name, "1") for name in resource.context_names)
    return Page(Walk(resource.name, context), ordinal, raw, AT)


def proof(resource: str = "claim", number: int = 1) -> PageProof:
    return PageProof(
        resource=resource,
        context=("1",),
        params=(("status", "open"),),
        purpose="main",
        turn=0,
        number=number,
        ordinal=number - 1,
        cursor_in=None,
        cursor_out="ab" * 8,
        record_count=3,
        received_at=AT,
        body_sha256="cd" * 32,
        first_updated=AT,
    )


def deletion(key: str) -> Deletion:
    return Deletion("claim", ("1", key), "lookup", AT)


def staging_of(data_dir: Path, night: int) -> Staging:
    return Staging(data_dir, run_id(night), RESOURCES, compression="zstd")


def add(staging: Staging, name: str, records: Sequence[Mapping[str, Any] | bytes], ordinal: int = 0) -> None:
    resource = CATALOGUE[name]
    staging.add(resource, decode_pages([page(resource, records, ordinal)], resource, run_id=staging.run_id))


def facts(full: bool = True, **more: Any) -> dict[str, Any]:
    mode = "full" if full else "incremental"
    return {
        "started_at": AT.isoformat(),
        "catalogue_sha256": CATALOGUE.text_sha256,
        "reading_began_at": AT.isoformat(),
        "resources": {name: {"mode": mode, "walks": {"count": 1, "pages": 1, "records": 1}} for name in NAMES},
        **more,
    }


def sealed_night(
    data_dir: Path,
    night: int,
    claims: Sequence[Mapping[str, Any] | bytes],
    *,
    accepted: bool = True,
    base: int | None = None,
    full: bool = True,
    deleted: Sequence[str] = (),
) -> tuple[SealedResource, ...]:
    """A night in place: one company, these claims, one page's proof, and its manifest."""
    staging = staging_of(data_dir, night)
    add(staging, "company", [{"companyId": "1", "name": "Example Ltd"}])
    add(staging, "claim", claims)
    staging.add_pages_proof([proof()])
    staging.add_deleted(deletion(key) for key in deleted)
    sealed = staging.seal_parts()
    totals = [[t.resource, t.table, t.column, t.currency, t.value_count, f"{t.total:f}"] for t in staging.page_totals()]
    built_on = run_id(base) if base else None
    told = facts(full, control_totals=totals)
    seal(data_dir, staging.run_id, told, sealed, accepted=accepted, base=built_on)
    staging.abandon()
    return sealed
