"""The parts of a run under way: written aside, closed to be read, sealed at their final place.

What is staged can be read before the run is sealed, part by part: what comes later goes to a further part. A part in
place is still invisible without a manifest.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.decode import Decoded, add_notes, snapshot_schema
from pipeline.durable import make_folder, storing
from pipeline.errors import SourceContractBroken
from pipeline.fills import add_fills
from pipeline.model import ControlTotal, Deletion, Note, PageProof, Quarantined
from pipeline.resources import Resource
from pipeline.snapshot.parts import SealedResource, no_elements, place, read_back, writer_options
from pipeline.snapshot.proofs import (
    DELETED,
    PAGES,
    QUARANTINE,
    SCHEMAS,
    SPECIAL,
    deleted_table,
    pages_table,
    quarantine_table,
)
from pipeline.snapshot.rewriting import Change, change_staged, tables_of_part
from pipeline.totals import add_totals

_QUARANTINE_BYTES = 64 * 1024 * 1024
# Values kept in memory before they are written; a page's proof takes about 1 kB until then.
_HELD_COUNT = 10_000

_T = TypeVar("_T")


class _Parts:
    """The part files of one name: at most one open for writing, the others complete."""

    def __init__(self, folder: Path, schema: pa.Schema, options: dict[str, Any]) -> None:
        self.folder = folder
        self.schema = schema
        self.options = options
        self.closed: list[tuple[Path, int]] = []
        self._writer: pq.ParquetWriter | None = None
        self._rows = 0

    def write(self, table: pa.Table) -> None:
        if not table.num_rows:
            return
        if self._writer is None:
            make_folder(self.folder)
            self._writer = pq.ParquetWriter(self._next(), self.schema, **self.options)
        self._writer.write_table(table, row_group_size=table.num_rows)
        self._rows += table.num_rows

    def close(self) -> None:
        """What is written is a complete file; more goes to another."""
        if self._writer is not None:
            self._writer.close()
            self.closed.append((self._next(), self._rows))
            self._writer, self._rows = None, 0

    def abandon(self) -> None:
        """No file is open any more, whatever state it is in: it is about to be removed."""
        with contextlib.suppress(OSError, pa.ArrowException):
            if self._writer is not None:
                self._writer.close()
        self._writer = None

    def _next(self) -> Path:
        return self.folder / f"part-{len(self.closed):05}.parquet"


@dataclass(slots=True)
class _Writing:
    """What has been written of one resource so far."""

    resource: Resource
    parts: _Parts
    watermark: datetime | None = None
    totals: tuple[ControlTotal, ...] = ()
    quarantined: list[Quarantined] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Held(Generic[_T]):
    """Values of a special part on their way to its file, some thousands at a time."""

    def __init__(self, parts: _Parts, table_of: Callable[[Sequence[_T], str], pa.Table], run_id: str) -> None:
        self.parts = parts
        self.table_of = table_of
        self.run_id = run_id
        self.values: list[_T] = []
        self.lock = threading.Lock()

    def add(self, values: Iterable[_T]) -> None:
        with self.lock:
            self.values += values
            if len(self.values) >= _HELD_COUNT:
                self._write()

    def close(self) -> None:
        with self.lock:
            self._write()
            self.parts.close()

    def _write(self) -> None:
        if self.values:
            self.parts.write(self.table_of(self.values, self.run_id))
            self.values = []


class Staging:
    """The parts of a run under way, below `staging/<run_id>`. Everything may be added from several threads."""

    def __init__(self, data_dir: Path, run_id: str, resources: Iterable[Resource], *, compression: str) -> None:
        self.data_dir = data_dir
        self.run_id = run_id
        self.root = data_dir / "staging" / run_id
        self.quarantined_bytes = 0
        self.writing = {
            one.name: _Writing(
                one, _Parts(self.root / one.name, snapshot_schema(one), writer_options(one, compression))
            )
            for one in resources
        }
        special = {
            name: _Parts(self.root / name, SCHEMAS[name], {"compression": compression, "write_page_checksum": True})
            for name in SPECIAL
        }
        self._quarantine = special[QUARANTINE]
        self._pages = _Held(special[PAGES], pages_table, run_id)
        self._deleted = _Held(special[DELETED], deleted_table, run_id)
        with storing(f"staging · {self.root}"):
            make_folder(self.root)

    def add(self, resource: Resource, decoded: Decoded) -> None:
        """Append decoded rows to the resource's part, and keep what did not fit."""
        writing = self.writing[resource.name]
        with writing.lock, storing(f"staging · {resource.name}"):
            writing.parts.write(decoded.table)
            writing.totals = add_totals(writing.totals, decoded.totals)
            writing.quarantined += decoded.quarantined
            self._bound_quarantine(decoded.quarantined)
            writing.notes += decoded.notes
            if resource.updated is not None:
                latest = pc.max(decoded.table.column(resource.updated)).as_py()
                writing.watermark = max(filter(None, (writing.watermark, latest)), default=None)

    def add_pages_proof(self, proofs: Iterable[PageProof]) -> None:
        """Where pages stand in their walks: rows of the part `_pages`."""
        with storing(f"staging · {PAGES}"):
            self._pages.add(proofs)

    def add_deleted(self, deletions: Iterable[Deletion]) -> None:
        """What the source no longer has: rows of the part `_deleted`."""
        with storing(f"staging · {DELETED}"):
            self._deleted.add(deletions)

    def written(self, name: str) -> tuple[Path, ...]:
        """The complete files with everything added of a resource so far; what is added later goes to a further one."""
        writing = self.writing[name]
        with writing.lock, storing(f"staging · {name}"):
            writing.parts.close()
            return tuple(path for path, _ in writing.parts.closed)

    def tables(self, name: str) -> Iterator[pa.Table]:
        """The rows staged so far of a resource, in steps."""
        for path in self.written(name):
            yield from tables_of_part(path, name)

    def pages_written(self) -> tuple[Path, ...]:
        """The complete files with the proof of every page added so far."""
        with storing(f"staging · {PAGES}"):
            self._pages.close()
            return tuple(path for path, _ in self._pages.parts.closed)

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
        return add_notes(note for writing in self.writing.values() for note in writing.notes)

    def change(
        self, names: Collection[str], change: Change, of_quarantine: Callable[[Quarantined], Quarantined]
    ) -> None:
        """Every row of these names staged so far, and every record that did not fit, is what these make of it."""
        for name, writing in self.writing.items():
            for path in self.written(name) if name in names else ():
                with storing(f"staging · {name}"):
                    change_staged(path, name, change)
            writing.quarantined = [of_quarantine(one) for one in writing.quarantined]

    def close(self) -> None:
        """All parts are complete Parquet files; none of them is synced or visible yet."""
        for name in self.writing:
            self.written(name)
        with storing(f"staging · {self.root}"):
            for held in (self._pages, self._deleted):
                held.close()

    def abandon(self) -> None:
        """Drop everything staged, and parts already in place unless a manifest has sealed them.

        Closing comes first, so that no thread writes into a removed folder.
        """
        for writing in self.writing.values():
            with writing.lock:
                writing.parts.abandon()
        for held in (self._pages, self._deleted):
            with held.lock:
                held.parts.abandon()
        for folder in self.root.glob("*/"):
            shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # kept pages may stand in it
            self.root.rmdir()
        if not (self.data_dir / "runs" / self.run_id / "manifest.json").exists():
            for name in (*self.writing, *SPECIAL):
                shutil.rmtree(self.data_dir / "snapshots" / name / f"run={self.run_id}", ignore_errors=True)

    def seal_parts(self) -> tuple[SealedResource, ...]:
        """Every part is read back, synced and in its final place; still invisible without a manifest.

        One entry a resource, in the order given at the beginning, without parts where it has no row; then what there is
        beside the records.
        """
        self.close()
        sealed = [self._seal(writing) for writing in self.writing.values()]
        with storing(f"seal · {QUARANTINE}"):
            self._quarantine.write(quarantine_table(self.quarantined(), self.run_id))
            self._quarantine.close()
        special = ((QUARANTINE, self._quarantine), (PAGES, self._pages.parts), (DELETED, self._deleted.parts))
        sealed += [self._seal_special(name, parts) for name, parts in special if parts.closed]
        return tuple(sealed)

    def _seal(self, writing: _Writing) -> SealedResource:
        resource, closed = writing.resource, writing.parts.closed
        with storing(f"seal · {resource.name}"):
            found = [read_back(path, resource) for path, _ in closed]
            counted = [(path, one.rows) for (path, _), one in zip(closed, found, strict=True)]
            parts = place(self.data_dir, self.run_id, resource.name, writing.parts.folder, counted) if closed else ()
        elements = dict(no_elements(resource))
        for table, count in (one for part in found for one in part.elements):
            elements[table] += count
        return SealedResource(
            name=resource.name,
            parts=parts,
            rows=sum(one.rows for one in found),
            totals=add_totals(*(one.totals for one in found)),
            elements=tuple(elements.items()),
            watermark=writing.watermark,
            columns=_columns(writing.parts.schema),
            fills=add_fills(*(one.fills for one in found)),
        )

    def _seal_special(self, name: str, parts: _Parts) -> SealedResource:
        with storing(f"seal · {name}"):
            placed = place(self.data_dir, self.run_id, name, parts.folder, parts.closed)
        rows = sum(one.rows for one in placed)
        return SealedResource(name, placed, rows, (), (), None, _columns(parts.schema))


def _columns(schema: pa.Schema) -> tuple[tuple[str, str], ...]:
    return tuple((column.name, str(column.type)) for column in schema)
