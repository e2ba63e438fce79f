"""One Parquet part: how it is written, read back with its checksums, and sealed at its final place.

A part in its final place is still invisible: only a manifest (`snapshot.manifest`) makes it a snapshot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.durable import SEALED_MODE, make_folder, move, sha256_of, storing, sync
from pipeline.errors import StoredDataDamaged
from pipeline.fills import add_fills, table_fills
from pipeline.model import ColumnFill, ControlTotal
from pipeline.resources import Resource
from pipeline.tables import RUN_ID
from pipeline.totals import add_totals, table_totals

# Rows of one read-back step; bounds memory whatever the row groups' size.
_READ_BACK_ROWS = 65_536
DAMAGED_DO = "run `prospend verify`, restore the file from a backup, and check the disk"

Elements = tuple[tuple[str, int], ...]
"""The number of elements of each list, under the name of its child table."""


@dataclass(frozen=True, slots=True)
class Part:
    """One sealed Parquet file: its path below the data folder, size, hash and rows."""

    path: str
    size_bytes: int
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class SealedResource:
    """What stands in place of one resource in one run, or of what stands beside the records (`is_special`).

    `totals`, `elements` and `fills` are read back from the parts; `columns` are names and types of the parts' columns.
    """

    name: str
    parts: tuple[Part, ...]
    rows: int
    totals: tuple[ControlTotal, ...]
    elements: Elements
    watermark: datetime | None
    columns: tuple[tuple[str, str], ...] = ()
    fills: tuple[ColumnFill, ...] = ()

    @property
    def is_special(self) -> bool:
        """Whether these are no records of a resource, but what stands beside them."""
        return self.name.startswith("_")


def place(data_dir: Path, run_id: str, name: str, folder: Path, rows: Sequence[tuple[Path, int]]) -> tuple[Part, ...]:
    """The parts in `folder`, given with their rows, stand in their final place, synced and read-only."""
    target = data_dir / "snapshots" / name / f"run={run_id}"
    parts = []
    for path, count in rows:
        path.chmod(SEALED_MODE)
        sync(path)
        place_below = str((target / path.name).relative_to(data_dir))
        parts.append(Part(place_below, path.stat().st_size, sha256_of(path), count))
    sync(folder)
    make_folder(target.parent)
    move(folder, target)
    return tuple(parts)


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What was counted in a part as it lies on disk; `fills` tells how many rows hold a value, by column."""

    rows: int
    totals: tuple[ControlTotal, ...]
    elements: Elements
    fills: tuple[ColumnFill, ...]


def read_back(path: Path, resource: Resource, *, of_run: str | None = None) -> ReadBack:
    """A part as it lies on disk, every page's checksum verified; `of_run`, only that run's rows of it.

    Raises:
        StoredDataDamaged: a checksum or the format does not hold.
    """
    rows, totals = 0, []
    fills: tuple[ColumnFill, ...] = ()
    elements = dict(no_elements(resource))
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for table in _tables(file, of_run):
                rows += table.num_rows
                totals.append(table_totals(table, resource))
                fills = add_fills(fills, table_fills(table, resource))
                for column in resource.columns:
                    if column.table is not None:
                        lengths = pc.list_value_length(table.column(column.name))
                        elements[column.table] += pc.sum(lengths).as_py() or 0
    except (pa.ArrowException, OSError) as error:
        raise StoredDataDamaged(
            f"a part cannot be read back ({type(error).__name__})", where=f"seal · {resource.name} · {path.name}"
        ) from error
    return ReadBack(rows, add_totals(*totals), tuple(elements.items()), fills)


def blocks(file: pq.ParquetFile, groups: Iterable[int]) -> Iterator[pa.RecordBatch]:
    """The rows of some row groups in steps; asked for all groups at once, Arrow would hold nearly all of them."""
    for group in groups:
        yield from file.iter_batches(_READ_BACK_ROWS, row_groups=[group])


def _tables(file: pq.ParquetFile, of_run: str | None) -> Iterator[pa.Table]:
    """The rows in steps; of one run, only from those row groups that may hold some."""
    groups = range(file.num_row_groups) if of_run is None else _groups_with(file, of_run)
    for block in blocks(file, groups):
        table = pa.Table.from_batches([block])
        yield table if of_run is None else table.filter(pc.equal(table.column(RUN_ID), pa.scalar(of_run)))


def _groups_with(file: pq.ParquetFile, run_id: str) -> list[int]:
    """The row groups that may hold rows of a run."""
    metadata: Any = file.metadata
    place = [metadata.schema.column(n).path for n in range(metadata.num_columns)].index(RUN_ID)
    bounds = [metadata.row_group(n).column(place).statistics for n in range(metadata.num_row_groups)]
    return [n for n, one in enumerate(bounds) if one is None or not one.has_min_max or one.min <= run_id <= one.max]


def rows_by_run(path: Path) -> Counter[str]:
    """How many rows of each run stand in a part, every page of every column read and its checksum verified.

    Raises:
        StoredDataDamaged: a checksum or the format does not hold.
    """
    rows: Counter[str] = Counter()
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for block in blocks(file, range(file.num_row_groups)):
                found: Any = pc.value_counts(block.column(RUN_ID))  # the stubs know no structs
                rows.update({pair["values"]: pair["counts"] for pair in found.to_pylist()})
    except (pa.ArrowException, OSError, KeyError) as error:
        raise StoredDataDamaged(f"a part cannot be read ({type(error).__name__})", where=str(path)) from error
    return rows


def refuse_changed(data_dir: Path, below: str, sha256: str) -> None:
    """A part is read to its end before use: neither Arrow nor DuckDB would notice every changed byte.

    Raises:
        StoredDataDamaged: it is gone, or not what was sealed.
    """
    path = data_dir / below
    with storing(f"snapshot · {below}"):
        if not path.is_file() or sha256_of(path) != sha256:
            raise StoredDataDamaged("a part is gone, or not what was sealed", where=below, do=DAMAGED_DO)


def no_elements(resource: Resource) -> Elements:
    """Each list of a resource without any row."""
    return tuple((column.table, 0) for column in resource.columns if column.table is not None)


def writer_options(resource: Resource, compression: str) -> dict[str, Any]:
    """Page checksums always; dictionaries only where values repeat: elsewhere they cost more than they save."""
    repeating = [column.name for column in resource.columns if column.values]
    return {
        "compression": compression,
        "write_page_checksum": True,
        "use_dictionary": [*resource.context_names, RUN_ID, *repeating],
        "version": "2.6",
        "coerce_timestamps": None,
        "store_schema": False,
    }
