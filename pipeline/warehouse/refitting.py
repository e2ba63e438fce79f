"""What an earlier catalogue has typed, or could not: written again in today's form, aside, for one load."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from pipeline.decode import DecodedAgain, Lost, add_notes, decode_again, is_todays, lacks_columns, refit
from pipeline.durable import storing
from pipeline.errors import StoredDataDamaged
from pipeline.model import Quarantined
from pipeline.resources import Resource
from pipeline.tables import RUN_ID
from pipeline.totals import add_totals
from pipeline.warehouse.values import Parts, RunFacts, RunParts

# The package's stubs take no plain values for scalars.
pc: Any = pyarrow.compute

_ROWS = 65_536  # of one step; bounds memory whatever the row groups' size


def with_what_fits_now(run: RunParts, folder: Path) -> RunParts:
    """A run with the records of its quarantine that fit today's catalogue among its parts, as if they had fit then.

    The others stay in quarantine, with the reason why they do not fit today. Nothing is asked of the source: the bytes
    are those that were kept.
    """
    if not run.is_typed_otherwise or not run.facts.quarantined:
        return run
    facts, resources = run.facts, [one.resource for one in run.parts]
    fit, rest = decode_again(facts.quarantined, resources, run_id=run.run_id, read_at=facts.data_as_at)
    files = {one.resource.name: _written(one, run.run_id, folder) for one in fit}
    parts = [
        replace(one, files=(*one.files, files[one.resource.name])) if one.resource.name in files else one
        for one in run.parts
    ]
    return replace(run, parts=tuple(parts), facts=_told_again(facts, fit, rest))


def _written(again: DecodedAgain, run_id: str, folder: Path) -> Path:
    target = folder / f"{again.resource.name}-{run_id}-again.parquet"
    with storing(f"load · {again.resource.name}"):
        pq.write_table(again.decoded.table, target, store_schema=False)
    return target


def _told_again(facts: RunFacts, fit: Sequence[DecodedAgain], rest: Sequence[Quarantined]) -> RunFacts:
    """What the warehouse says of a run after its quarantine was tried again."""
    left = Counter(one.resource for one in rest)
    return replace(
        facts,
        resources=tuple(replace(one, quarantined=left[one.name]) for one in facts.resources),
        control_totals=add_totals(facts.control_totals, *(one.decoded.totals for one in fit)),
        quarantined=tuple(rest),
        notes=add_notes((*facts.notes, *(note for one in fit for note in one.decoded.notes))),
    )


def in_todays_form(parts: Parts, run: RunParts, folder: Path, lost: Lost) -> tuple[Path, ...]:
    """A run's parts with every column of the catalogue: each as it is, or in `folder` with the missing ones filled.

    A column of another type is typed anew, and one that is gone set aside, if another catalogue typed the run; if not,
    another type is damage, and the load says so. What does not fit a column that took over from another is added to
    `lost`, by resource and field.

    Raises:
        StoredDataDamaged: a part cannot be read.
    """
    ready, resource = [], parts.resource
    only = run.run_id if parts.is_shared else None
    for file in parts.files:
        try:
            schema = pq.read_schema(file)
            if not set(resource.identity) <= set(schema.names):
                raise StoredDataDamaged(f"a part lacks the key of {resource.name}", where=str(file))
            is_other = lacks_columns(schema, resource) or (run.is_typed_otherwise and not is_todays(schema, resource))
            ready.append(_refitted(file, resource, folder, only, lost) if is_other else file)
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise StoredDataDamaged(f"a part cannot be read ({type(error).__name__})", where=str(file)) from error
    return tuple(ready)


def _refitted(file: Path, resource: Resource, folder: Path, only: str | None, lost: Lost) -> Path:
    """The rows of the file, or only those of one run, written anew."""
    target = folder / f"{resource.name}-{file.parent.name}-{file.name}"
    writer: pq.ParquetWriter | None = None
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            steps = opened.iter_batches(_ROWS)
            tables = (pa.Table.from_batches([step]) for step in steps)
            for table in tables if opened.metadata.num_rows else [opened.schema_arrow.empty_table()]:
                wanted = table if only is None else table.filter(pc.equal(table.column(RUN_ID), only))
                filled, unfit = refit(wanted, resource)
                lost.update({f"{resource.name}.{field}": count for field, count in unfit.items()})
                writer = writer or pq.ParquetWriter(target, filled.schema, store_schema=False)
                writer.write_table(filled)
    finally:
        if writer is not None:
            writer.close()
    return target
