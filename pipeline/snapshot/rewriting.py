"""Parts written anew: the rows of some files in one other file, as they are or with other values.

The bytes come first, synced and read back; then the document that says so; then the old files go. Until the document
stands, what was written is a left-over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.durable import SEALED_MODE, make_folder, sha256_of, storing, sync
from pipeline.errors import StoredDataDamaged
from pipeline.snapshot.parts import DAMAGED_DO, blocks, refuse_changed, rows_by_run
from pipeline.snapshot.rewrites import record_rewrite, remove_left_over, rewrites
from pipeline.tables import RUN_ID

_ROWS = 65_536  # of one row group; bounds memory


@dataclass(frozen=True, slots=True)
class OldFile:
    """A file with rows that are to stand in another: where, what it is, and how many rows of each run it holds."""

    path: str
    size_bytes: int
    sha256: str
    runs: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class NewFile:
    """The files of one name, all with the same columns, whose rows come to stand in one file, in this order."""

    name: str
    of: tuple[OldFile, ...]


Change = Callable[[str, pa.Table], pa.Table]
"""Given the name and some rows: as many rows, with the same columns; the very table where nothing changes."""


def rewrite(
    data_dir: Path, files: Sequence[NewFile], facts: Mapping[str, Any], *, change: Change | None = None
) -> dict[str, Any]:
    """The rows stand in new files, the old ones are gone. Returns the document that says so.

    Called under the run lock. A kill at any instant leaves either the old files or the new ones in force; what is in
    force no more is swept by the next run.

    Args:
        data_dir: the data folder.
        files: what is to be written.
        facts: what the document says beside the files: `reason` at least.
        change: makes other values of the rows; none leaves them as they are.

    Raises:
        StoredDataDamaged: an old file is not what was sealed, or a new one not what was written.
    """
    documents = rewrites(data_dir)
    with storing(f"rewrite · {data_dir}"):
        remove_left_over(data_dir, documents)
        written, replaced = [], []
        places: Counter[str] = Counter()
        for file in files:
            path = f"snapshots/{file.name}/rewrite={len(documents) + 1}/part-{places[file.name]:05}.parquet"
            places[file.name] += 1
            written.append(_written(data_dir, path, file, change))
            replaced += [{"path": one.path, "sha256": one.sha256, "into": path} for one in file.of]
        document = record_rewrite(data_dir, {**facts, "replaced": replaced, "files": written})
        remove_left_over(data_dir, (*documents, document))
    return document


def change_staged(path: Path, name: str, change: Change) -> None:
    """A complete file that is not sealed yet holds the changed rows; untouched if none changes."""
    if all(change(name, table) is table for table in tables_of_part(path, name)):
        return
    aside = path.with_name(f".{path.name}.changed")
    with ExitStack() as closing:
        writer: pq.ParquetWriter | None = None
        for table in tables_of_part(path, name):
            if writer is None:
                writer = closing.enter_context(pq.ParquetWriter(aside, table.schema, **_options_of(path)))
            writer.write_table(change(name, table), row_group_size=_ROWS)
    aside.replace(path)


def columns_of(path: Path) -> pa.Schema:
    """The columns of a part: files with equal ones can be put together.

    Raises:
        StoredDataDamaged: it cannot be read.
    """
    try:
        return pq.read_schema(path).remove_metadata()
    except (pa.ArrowException, OSError) as error:
        raise StoredDataDamaged(f"a part cannot be read ({type(error).__name__})", where=str(path)) from error


def sound_tables(data_dir: Path, file: OldFile) -> Iterator[pa.Table]:
    """The rows of a sealed file in steps, each of one row group, so that rows of several runs stay apart.

    Raises:
        StoredDataDamaged: it is not what was sealed.
    """
    refuse_changed(data_dir, file.path, file.sha256)
    yield from tables_of_part(data_dir / file.path, file.path)


def tables_of_part(path: Path, where: str) -> Iterator[pa.Table]:
    """The rows of a complete part in steps; `where` names it in messages."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as opened:
            for block in blocks(opened, range(opened.num_row_groups)):
                yield pa.Table.from_batches([block])
    except (pa.ArrowException, OSError) as error:
        raise StoredDataDamaged(f"a part cannot be read ({type(error).__name__})", where=where) from error


def _written(data_dir: Path, below: str, file: NewFile, change: Change | None) -> dict[str, Any]:
    path = data_dir / below
    make_folder(path.parent)
    with ExitStack() as closing:
        writer: pq.ParquetWriter | None = None
        for table in _row_groups(data_dir, file):
            changed = table if change is None else change(file.name, table)
            if writer is None:
                options = _options_of(data_dir / file.of[0].path)
                writer = closing.enter_context(pq.ParquetWriter(path, table.schema, **options))
            writer.write_table(changed, row_group_size=_ROWS)
    path.chmod(SEALED_MODE)
    sync(path)
    sync(path.parent)
    runs: Counter[str] = Counter()
    for one in file.of:
        runs.update(one.runs)
    if rows_by_run(path) != runs:
        raise StoredDataDamaged("a rewritten part does not hold what was written", where=below, do=DAMAGED_DO)
    return {
        "path": below,
        "size_bytes": path.stat().st_size,
        "sha256": sha256_of(path),
        "rows": runs.total(),
        "runs": dict(sorted(runs.items())),
    }


def _row_groups(data_dir: Path, file: NewFile) -> Iterator[pa.Table]:
    """All rows in order, in tables of a row group's size, each of one run: whoever reads one run skips the others."""
    held: list[pa.Table] = []
    for one in file.of:
        for table in sound_tables(data_dir, one):
            if held and (_first_run(table) != _first_run(held[0]) or _count(held) + table.num_rows > _ROWS):
                yield pa.concat_tables(held)
                held = []
            held.append(table)
    if held:
        yield pa.concat_tables(held)


def _count(tables: Sequence[pa.Table]) -> int:
    return sum(table.num_rows for table in tables)


def _first_run(table: pa.Table) -> object:
    return table.column(RUN_ID)[0].as_py()


def _options_of(path: Path) -> dict[str, Any]:
    """How a part was written: its compression, which columns have dictionaries, whether it names Arrow's types."""
    with pq.ParquetFile(path) as file:
        metadata: Any = file.metadata
        group = metadata.row_group(0)
        columns = [group.column(place) for place in range(group.num_columns)]
        compression = columns[0].compression.lower()
        return {
            "compression": "none" if compression == "uncompressed" else compression,
            "write_page_checksum": True,
            "use_dictionary": [one.path_in_schema for one in columns if one.has_dictionary_page],
            "version": "2.6",
            "store_schema": b"ARROW:schema" in (metadata.metadata or {}),
        }
