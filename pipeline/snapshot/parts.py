"""Parquet parts: written aside, read back with their checksums, synced and moved to their final place.

Staging holds a run's parts until every walk has ended. A part in its final place is still invisible: only a manifest
(`snapshot.manifest`) makes it a snapshot.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.decode import Decoded, fingerprint, snapshot_schema
from pipeline.durable import SEALED_MODE, make_folder, move, sha256_of, storing, sync
from pipeline.errors import SourceContractBroken, StoredDataDamaged
from pipeline.model import ControlTotal, Note, Quarantined
from pipeline.resources import Resource
from pipeline.totals import add_totals, table_totals

QUARANTINE = "_quarantine"
# Rows of one read-back step; bounds memory whatever the row groups' size.
_READ_BACK_ROWS = 65_536
_QUARANTINE_BYTES = 64 * 1024 * 1024

_QUARANTINE_TYPES: dict[str, pa.DataType] = {
    "resource": pa.string(),
    "context": pa.string(),
    "page": pa.int32(),
    "record": pa.int32(),
    "field": pa.string(),
    "reason": pa.string(),
    "fingerprint": pa.int64(),
    "raw": pa.binary(),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One sealed Parquet file: its path below the data folder, size, hash and rows."""

    path: str
    size_bytes: int
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class SealedResource:
    """A resource's parts in one run, and the totals read back from them."""

    name: str
    parts: tuple[Part, ...]
    rows: int
    totals: tuple[ControlTotal, ...]
    elements: tuple[tuple[str, int], ...]
    watermark: datetime | None


@dataclass(slots=True)
class _Writing:
    """What has been written of one resource so far."""

    resource: Resource
    path: Path
    writer: pq.ParquetWriter
    rows: int = 0
    watermark: datetime | None = None
    totals: tuple[ControlTotal, ...] = ()
    quarantined: list[Quarantined] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Staging:
    """The parts of a run under way, below `staging/<run_id>`. `add` may be called from several threads."""

    def __init__(self, data_dir: Path, run_id: str, resources: Iterable[Resource], *, compression: str) -> None:
        self.data_dir = data_dir
        self.run_id = run_id
        self.root = data_dir / "staging" / run_id
        self.writing: dict[str, _Writing] = {}
        self.quarantined_bytes = 0
        with storing(f"staging · {self.root}"):
            for resource in resources:
                folder = self.root / resource.name
                make_folder(folder)
                path = folder / "part-00000.parquet"
                writer = pq.ParquetWriter(path, snapshot_schema(resource), **_writer_options(resource, compression))
                self.writing[resource.name] = _Writing(resource, path, writer)

    def add(self, resource: Resource, decoded: Decoded) -> None:
        """Append decoded rows to the resource's part, and keep what did not fit."""
        writing = self.writing[resource.name]
        with writing.lock, storing(f"staging · {resource.name}"):
            if decoded.table.num_rows:
                writing.writer.write_table(decoded.table, row_group_size=decoded.table.num_rows)
            writing.rows += decoded.table.num_rows
            writing.totals = add_totals(writing.totals, decoded.totals)
            writing.quarantined += decoded.quarantined
            self._bound_quarantine(decoded.quarantined)
            writing.notes += decoded.notes
            if resource.updated is not None:
                latest = pc.max(decoded.table.column(resource.updated)).as_py()
                writing.watermark = max(filter(None, (writing.watermark, latest)), default=None)

    def _bound_quarantine(self, more: Sequence[Quarantined]) -> None:
        """Misfits are kept whole until the seal: so many that they fill memory mean another source, not bad records."""
        self.quarantined_bytes += sum(len(one.raw) for one in more)
        if self.quarantined_bytes > _QUARANTINE_BYTES:
            raise SourceContractBroken(
                f"more than {_QUARANTINE_BYTES:,} bytes of records do not fit, the last ones of {more[-1].resource}, "
                f"field {more[-1].field or 'unknown'}: {more[-1].reason}",
                where="staging",
            )

    def page_totals(self) -> tuple[ControlTotal, ...]:
        """The control totals of all accepted records, computed from their JSON text."""
        return add_totals(*(writing.totals for writing in self.writing.values()))

    def quarantined(self) -> tuple[Quarantined, ...]:
        """Every record that did not fit, by resource and place."""
        found = [one for writing in self.writing.values() for one in writing.quarantined]
        return tuple(sorted(found, key=lambda one: (one.resource, one.page, one.record)))

    def notes(self) -> tuple[Note, ...]:
        """What was noticed of fields, counts added up over all parts."""
        counts: dict[tuple[str, str, Any], int] = {}
        for writing in self.writing.values():
            for note in writing.notes:
                key = (note.resource, note.field, note.kind)
                counts[key] = counts.get(key, 0) + note.record_count
        return tuple(Note(*key, count) for key, count in sorted(counts.items()))

    def close(self) -> None:
        """All parts are complete Parquet files; none of them is synced or visible yet."""
        for name, writing in self.writing.items():
            with storing(f"staging · {name}"):
                writing.writer.close()

    def abandon(self) -> None:
        """Drop everything staged, and parts already in place unless a manifest has sealed them.

        Closing comes first, so that no thread writes into a removed folder.
        """
        for writing in self.writing.values():
            with writing.lock, contextlib.suppress(OSError, pa.ArrowException):  # it is about to be removed
                writing.writer.close()
        for folder in self.root.glob("*/"):
            shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # kept pages may stand in it
            self.root.rmdir()
        if not (self.data_dir / "runs" / self.run_id / "manifest.json").exists():
            for name in (*self.writing, QUARANTINE):
                shutil.rmtree(self.data_dir / "snapshots" / name / f"run={self.run_id}", ignore_errors=True)

    def seal_parts(self) -> tuple[SealedResource, ...]:
        """Every part is read back, synced and in its final place; still invisible without a manifest."""
        self.close()
        sealed = tuple(self._seal(writing) for writing in self.writing.values())
        quarantined = self.quarantined()
        if quarantined:
            sealed = (*sealed, self._seal_quarantine(quarantined))
        return sealed

    def _seal(self, writing: _Writing) -> SealedResource:
        name = writing.resource.name
        with storing(f"seal · {name}"):
            rows, totals, elements = read_back(writing.path, writing.resource)
            part = self._place(name, writing.path, rows)
        return SealedResource(name, (part,), rows, totals, elements, writing.watermark)

    def _seal_quarantine(self, quarantined: Sequence[Quarantined]) -> SealedResource:
        values: dict[str, list[object]] = {
            "resource": [one.resource for one in quarantined],
            "context": [json.dumps(dict(one.context)) for one in quarantined],
            "page": [one.page for one in quarantined],
            "record": [one.record for one in quarantined],
            "field": [one.field for one in quarantined],
            "reason": [one.reason for one in quarantined],
            "fingerprint": [fingerprint(one.raw) for one in quarantined],
            "raw": [bytes(one.raw) for one in quarantined],
        }
        table = pa.table({name: pa.array(values[name], kind) for name, kind in _QUARANTINE_TYPES.items()})
        with storing(f"seal · {QUARANTINE}"):
            path = self.root / QUARANTINE / "part-00000.parquet"
            make_folder(path.parent)
            pq.write_table(table, path, compression="zstd", write_page_checksum=True)
            part = self._place(QUARANTINE, path, len(quarantined))
        return SealedResource(QUARANTINE, (part,), len(quarantined), (), (), None)

    def _place(self, name: str, path: Path, rows: int) -> Part:
        path.chmod(SEALED_MODE)
        sync(path)
        sync(path.parent)
        target = self.data_dir / "snapshots" / name / f"run={self.run_id}"
        make_folder(target.parent)
        part = Part(
            path=str((target / path.name).relative_to(self.data_dir)),
            size_bytes=path.stat().st_size,
            sha256=sha256_of(path),
            rows=rows,
        )
        move(path.parent, target)
        return part


def read_back(path: Path, resource: Resource) -> tuple[int, tuple[ControlTotal, ...], tuple[tuple[str, int], ...]]:
    """A part as it lies on disk, every page's checksum verified.

    Returns:
        Rows; control totals; the number of elements of each list, under the name of its child table.

    Raises:
        StoredDataDamaged: a checksum or the format does not hold.
    """
    rows, totals = 0, []
    elements = {column.table: 0 for column in resource.columns if column.table is not None}
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for block in file.iter_batches(batch_size=_READ_BACK_ROWS):
                rows += block.num_rows
                totals.append(table_totals(pa.Table.from_batches([block]), resource))
                for column in resource.columns:
                    if column.table is not None:
                        lengths = pc.list_value_length(block.column(column.name))
                        elements[column.table] += pc.sum(lengths).as_py() or 0
    except (pa.ArrowException, OSError) as error:
        raise StoredDataDamaged(
            f"a part cannot be read back ({type(error).__name__})", where=f"seal · {resource.name} · {path.name}"
        ) from error
    return rows, add_totals(*totals), tuple(elements.items())


def _writer_options(resource: Resource, compression: str) -> dict[str, Any]:
    """Page checksums always; dictionaries only where values repeat: elsewhere they cost more than they save."""
    repeating = [column.name for column in resource.columns if column.values]
    return {
        "compression": compression,
        "write_page_checksum": True,
        "use_dictionary": [*resource.context_names, "_run_id", *repeating],
        "version": "2.6",
        "coerce_timestamps": None,
        "store_schema": False,
    }
