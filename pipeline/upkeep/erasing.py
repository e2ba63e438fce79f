"""Which stored rows tell of people who are to be forgotten, and what becomes of them.

A row is theirs if it says so itself, or if it hangs under one that does, in whichever run that was said: so the owners
are found first, in all files, and then what is theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pyarrow as pa

from pipeline import snapshot
from pipeline.decode import (
    Erased,
    Owners,
    erase,
    erase_quarantined,
    named,
    named_quarantined,
    owned,
    owned_quarantined,
)
from pipeline.errors import ConfigError
from pipeline.model import Quarantined
from pipeline.resources import Catalogue
from pipeline.snapshot import DELETED, PAGES, QUARANTINE, Change, NewFile, OldFile
from pipeline.upkeep.compacting import files_of

Theirs = Mapping[str, Owners]
"""By resource, the rows that belong to erased people."""


@dataclass(frozen=True, slots=True)
class ErasurePlan:
    """The files that tell of people who are to be forgotten, and how many rows of each name do."""

    files: tuple[NewFile, ...]
    rows: Mapping[str, int]
    theirs: Theirs


def plan_erasure(data_dir: Path, catalogue: Catalogue, erased: Erased) -> ErasurePlan:
    """What is to be rewritten of all sealed runs, accepted or not. Reads only.

    Raises:
        ConfigError: there are snapshots of which the catalogue says nothing: what is personal in them is not known.
        StoredDataDamaged: a file is not what was sealed.
        VersionMismatch: a newer version of this program wrote something of it.
    """
    files = _files(data_dir, catalogue)
    theirs = _theirs(data_dir, catalogue, erased, files)
    forgotten = _forgotten(catalogue, erased, theirs)
    found, rows = [], Counter[str]()
    for name in (*concerned(catalogue), QUARANTINE):
        for file in files.get(name, ()):
            count, changes = 0, False
            for table in snapshot.sound_tables(data_dir, file):
                after, touched = forgotten(name, table)
                count, changes = count + touched, changes or after is not table
            if changes:
                found.append(NewFile(name, (file,)))
                rows[name] += count
    return ErasurePlan(tuple(found), dict(rows), theirs)


def people_named(data_dir: Path, catalogue: Catalogue, erased: Erased) -> frozenset[str]:
    """Those who are to be forgotten, by made-up name, whose ids stand in any sealed run. Reads only.

    Raises:
        ConfigError, StoredDataDamaged, VersionMismatch: as `plan_erasure`.
    """
    files = _files(data_dir, catalogue)
    found: set[str] = set()
    for name in (*concerned(catalogue), QUARANTINE):
        for table in chain.from_iterable(snapshot.sound_tables(data_dir, file) for file in files.get(name, ())):
            if name == QUARANTINE:
                records = map(snapshot.quarantined_of, table.to_pylist())
                found.update(*(named_quarantined(one, catalogue, erased) for one in records))
            else:
                found |= named(table, catalogue[name], erased)
    return frozenset(found)


def concerned(catalogue: Catalogue) -> tuple[str, ...]:
    """The resources whose rows may tell of anybody: `_extra` of what hangs under a person's record may, too."""
    return tuple(one.name for one in catalogue if catalogue.owner_of(one.name) is not None or any(one.personal_columns))


def changing(catalogue: Catalogue, erased: Erased, theirs: Theirs) -> Change:
    """What rows of any name become."""
    forgotten = _forgotten(catalogue, erased, theirs)
    return lambda name, table: forgotten(name, table)[0]


def forgetting(catalogue: Catalogue, erased: Erased, theirs: Theirs) -> Callable[[Quarantined], Quarantined]:
    """What a record that did not fit becomes."""
    return lambda one: erase_quarantined(one, catalogue, erased, theirs)


def theirs_in(
    tables: Iterable[tuple[str, pa.Table]], quarantined: Iterable[Quarantined], catalogue: Catalogue, erased: Erased
) -> dict[str, dict[tuple[str, ...], str]]:
    """The rows of erased people among some: the records of resources, and those that did not fit."""
    found: dict[str, dict[tuple[str, ...], str]] = {one.name: {} for one in catalogue}
    for name, table in tables:
        found[name].update(owned(table, catalogue[name], erased))
    for one in quarantined:
        if one.resource in found:
            found[one.resource].update(owned_quarantined(one, catalogue[one.resource], erased))
    return found


def _files(data_dir: Path, catalogue: Catalogue) -> Mapping[str, Sequence[OldFile]]:
    """The files of every sealed run, by name; of all that holds rows the catalogue has to say what is personal."""
    manifests = [snapshot.manifest_of(data_dir, run_id) for run_id in snapshot.sealed_runs(data_dir)]
    files = files_of(data_dir, manifests, snapshot.rewrites(data_dir))
    if unknown := sorted(files.keys() - set(catalogue.names) - {QUARANTINE, PAGES, DELETED}):
        raise ConfigError(
            f"there are snapshots of {', '.join(unknown)}, of which the resource file says nothing",
            where=catalogue.source,
            state="what is personal in them is not known; nothing was rewritten",
            do="put these resources back into the file that api.resources names, then erase again",
        )
    return files


def _theirs(
    data_dir: Path, catalogue: Catalogue, erased: Erased, files: Mapping[str, Sequence[OldFile]]
) -> dict[str, dict[tuple[str, ...], str]]:
    def tables(name: str) -> Iterator[pa.Table]:
        return chain.from_iterable(snapshot.sound_tables(data_dir, file) for file in files.get(name, ()))

    owners = (one.name for one in catalogue if one.person is not None)
    rows = (row for table in tables(QUARANTINE) for row in table.to_pylist())
    return theirs_in(
        ((name, table) for name in owners for table in tables(name)),
        map(snapshot.quarantined_of, rows),
        catalogue,
        erased,
    )


def _forgotten(catalogue: Catalogue, erased: Erased, theirs: Theirs) -> Callable[[str, pa.Table], tuple[pa.Table, int]]:
    """What rows of any name become, and how many of them tell of erased people."""
    forget = forgetting(catalogue, erased, theirs)

    def forgotten(name: str, table: pa.Table) -> tuple[pa.Table, int]:
        if name != QUARANTINE:
            return erase(table, catalogue[name], erased, _above(catalogue, name, theirs))
        before = [snapshot.quarantined_of(row) for row in table.to_pylist()]
        after = [forget(one) for one in before]
        count = sum(one is not other for one, other in zip(before, after, strict=True))
        return (snapshot.with_raw(table, [one.raw for one in after]), count) if count else (table, 0)

    return forgotten


def _above(catalogue: Catalogue, name: str, theirs: Theirs) -> Owners:
    owner = catalogue.owner_of(name)
    return theirs.get(owner.name, {}) if owner is not None else {}
