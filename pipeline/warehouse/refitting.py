"""Parts that an earlier catalogue has typed: written again in today's form, aside, for one load."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.decode import lacks_columns, refit
from pipeline.errors import StoredDataDamaged
from pipeline.resources import Resource

_ROWS = 65_536  # of one step; bounds memory whatever the row groups' size


def in_todays_form(files: Sequence[Path], resource: Resource, folder: Path) -> tuple[Path, ...]:
    """Parts with every column of the catalogue: each as it is, or in `folder` with the missing ones filled.

    Raises:
        StoredDataDamaged: a part cannot be read.
    """
    ready = []
    for file in files:
        try:
            schema = pq.read_schema(file)
            if not set(resource.identity) <= set(schema.names):
                raise StoredDataDamaged(f"a part lacks the key of {resource.name}", where=str(file))
            ready.append(_refitted(file, resource, folder) if lacks_columns(schema, resource) else file)
        except (pa.ArrowException, OSError, KeyError) as error:
            raise StoredDataDamaged(f"a part cannot be read ({type(error).__name__})", where=str(file)) from error
    return tuple(ready)


def _refitted(file: Path, resource: Resource, folder: Path) -> Path:
    target = folder / f"{resource.name}-{file.parent.name}-{file.name}"
    writer: pq.ParquetWriter | None = None
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            steps = opened.iter_batches(_ROWS)
            tables = (pa.Table.from_batches([step]) for step in steps)
            for table in tables if opened.metadata.num_rows else [opened.schema_arrow.empty_table()]:
                filled = refit(table, resource)
                writer = writer or pq.ParquetWriter(target, filled.schema, store_schema=False)
                writer.write_table(filled)
    finally:
        if writer is not None:
            writer.close()
    return target
