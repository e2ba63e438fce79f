"""The parts beside the records, with names that begin with `_`: what did not fit, every page's proof, what was deleted.

Here they are tables of plain values, written and read; when they are sealed is `snapshot.staging`'s business.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.decode import fingerprint
from pipeline.errors import StoredDataDamaged
from pipeline.model import Deletion, PageProof, Quarantined
from pipeline.tables import RUN_ID

QUARANTINE: Final = "_quarantine"
PAGES: Final = "_pages"
DELETED: Final = "_deleted"
SPECIAL: Final = (QUARANTINE, PAGES, DELETED)

_TIME: Final[pa.DataType] = pa.timestamp("us", "UTC")
_TEXTS: Final[pa.DataType] = pa.list_(pa.string())


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema([*(pa.field(name, kind) for name, kind in columns.items()), pa.field(RUN_ID, pa.string())])


SCHEMAS: Final = {
    QUARANTINE: _schema(
        resource=pa.string(),
        context=pa.string(),
        page=pa.int32(),
        record=pa.int32(),
        field=pa.string(),
        reason=pa.string(),
        fingerprint=pa.int64(),
        fetched_at=_TIME,
        raw=pa.binary(),
    ),
    PAGES: _schema(
        resource=pa.string(),
        context=_TEXTS,
        params=pa.string(),
        purpose=pa.string(),
        turn=pa.int32(),
        number=pa.int32(),
        ordinal=pa.int32(),
        cursor_in=pa.string(),
        cursor_out=pa.string(),
        record_count=pa.int32(),
        first_updated=_TIME,
        last_updated=_TIME,
        is_ascending=pa.bool_(),
        received_at=_TIME,
        body_sha256=pa.string(),
    ),
    DELETED: _schema(resource=pa.string(), key=_TEXTS, proof=pa.string(), proven_at=_TIME),
}


def quarantine_table(quarantined: Sequence[Quarantined], run_id: str) -> pa.Table:
    """One row a record that did not fit, with its bytes as sent: it can be tried again without asking the source."""
    rows = [
        {
            "resource": one.resource,
            "context": json.dumps(dict(one.context)),
            "page": one.page,
            "record": one.record,
            "field": one.field,
            "reason": one.reason,
            "fingerprint": fingerprint(one.raw),
            "fetched_at": one.fetched_at,
            "raw": bytes(one.raw),
            RUN_ID: run_id,
        }
        for one in quarantined
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMAS[QUARANTINE])


def pages_table(proofs: Sequence[PageProof], run_id: str) -> pa.Table:
    """One row a page, in the order in which they are given."""
    rows = [
        {
            **{spec.name: getattr(one, spec.name) for spec in fields(one)},
            "context": list(one.context),
            "params": json.dumps(dict(one.params)),
            RUN_ID: run_id,
        }
        for one in proofs
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMAS[PAGES])


def deleted_table(deletions: Sequence[Deletion], run_id: str) -> pa.Table:
    """One row a record that the source no longer has."""
    rows = [
        {"resource": one.resource, "key": list(one.key), "proof": one.proof, "proven_at": one.proven_at, RUN_ID: run_id}
        for one in deletions
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMAS[DELETED])


def read_quarantine(files: Iterable[Path], run_id: str) -> tuple[Quarantined, ...]:
    """The records of a run that did not fit, as they were sent.

    Raises:
        StoredDataDamaged: a part cannot be read, or a record is not the one it was stored as.
    """
    found = []
    for path, row in _rows(files, run_id):
        if fingerprint(row["raw"]) != row["fingerprint"]:
            raise StoredDataDamaged("a record in quarantine is not what was stored", where=str(path))
        found.append(quarantined_of(row))
    return tuple(found)


def quarantined_of(row: Mapping[str, Any]) -> Quarantined:
    """A record that did not fit, from its row."""
    return Quarantined(
        resource=row["resource"],
        context=tuple(json.loads(row["context"]).items()),
        page=row["page"],
        record=row["record"],
        field=row["field"],
        reason=row["reason"],
        raw=row["raw"],
        fetched_at=row["fetched_at"],
    )


def with_raw(table: pa.Table, raw: Sequence[bytes]) -> pa.Table:
    """The same rows of `_quarantine`, with other bytes of their records."""
    for name, values in (("raw", raw), ("fingerprint", [fingerprint(one) for one in raw])):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(place), pa.array(values, table.schema.field(place).type))
    return table


def read_pages(files: Iterable[Path], run_id: str) -> Iterator[PageProof]:
    """The proof of every page of a run, in the order of writing."""
    names = [spec.name for spec in fields(PageProof)]
    for _, row in _rows(files, run_id):
        values = {name: row[name] for name in names}
        yield PageProof(
            **{**values, "context": tuple(row["context"]), "params": tuple(json.loads(row["params"]).items())}
        )


def read_deleted(files: Iterable[Path], run_id: str) -> tuple[Deletion, ...]:
    """What a run proved to be deleted."""
    return tuple(
        Deletion(row["resource"], tuple(row["key"]), row["proof"], row["proven_at"]) for _, row in _rows(files, run_id)
    )


def _rows(files: Iterable[Path], run_id: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in files:
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                for block in file.iter_batches():
                    yield from ((path, row) for row in block.to_pylist() if row[RUN_ID] == run_id)
        except (pa.ArrowException, OSError) as error:
            raise StoredDataDamaged(f"a part cannot be read ({type(error).__name__})", where=str(path)) from error
