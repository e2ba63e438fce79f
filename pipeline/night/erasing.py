"""Forgetting people: in everything that is stored, with proof, and in everything that a night reads from then on.

    list them -> rewrite the snapshots -> make the warehouse from them -> remove every other generation -> prove it

Readers have a whole warehouse at any instant. After a kill the same call goes on: what is done is found done.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline import reports, snapshot, upkeep, warehouse
from pipeline.decode import Erased
from pipeline.durable import sha256_of, storing, sync
from pipeline.errors import ConfigError, PipelineError, StoredDataDamaged
from pipeline.model import ErasureEnded
from pipeline.night.rebuilding import rebuilt_in_place
from pipeline.night.standing import spill
from pipeline.night.values import Night
from pipeline.ops import runs
from pipeline.ops.lock import run_lock
from pipeline.resources import Catalogue, Kind, Resource, snake_case
from pipeline.snapshot import Staging
from pipeline.warehouse import DuckDB
from pipeline.written import shown_name

_NAME = "erase"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What an erasure came to, or would: rows by resource, files rewritten, warehouse files and kept pages removed.

    Rows and files are those of the whole erasure, also where a call that was cut off had rewritten some of them.
    `people` are made-up names. `was_done` tells that nothing of theirs was left, and that this was proven before.
    """

    people: tuple[str, ...]
    rows: Mapping[str, int]
    file_count: int
    generations: tuple[str, ...]
    kept_pages: int
    was_done: bool = False


def plan_forgetting(
    data_dir: Path, catalogue: Catalogue, person_ids: Sequence[str], now: datetime, *, new_key: Callable[[int], bytes]
) -> Forgotten:
    """What `forget` would do. Reads only.

    Raises:
        ConfigError: it cannot be done here.
        StoredDataDamaged: something stored is not what was written.
    """
    with run_lock(data_dir, _NAME, now):
        _refuse_hopeless(data_dir, catalogue)
        known = snapshot.erased_people(data_dir) or Erased(new_key(snapshot.KEY_BYTES))
        _refuse_strangers(data_dir, catalogue, person_ids, known)
        names = tuple(sorted({known.name_of(one) for one in person_ids}))
        plan = upkeep.plan_erasure(data_dir, catalogue, Erased(known.key, known.names | set(names)))
        return _told(data_dir, plan, names, was_done=known.names >= set(names) and not _is_waiting(data_dir, names))


def forget(
    data_dir: Path,
    catalogue: Catalogue,
    person_ids: Sequence[str],
    now: datetime,
    *,
    new_key: Callable[[int], bytes] = secrets.token_bytes,
) -> Forgotten:
    """Nothing below the data folder tells of these people any more, nor will what is read from now on.

    Args:
        data_dir: the data folder.
        catalogue: marks what is personal.
        person_ids: the ids of people, as the source has them.
        now: the instant.
        new_key: makes the key that ids are hashed with, once.

    Raises:
        ConfigError: an id stands nowhere, nothing is stored, the catalogue marks nothing as personal, or there is a
            warehouse that cannot be made again; nobody is listed.
        StoredDataDamaged: something stored is not what was written; it cannot be rewritten, so they are not gone.
    """
    with run_lock(data_dir, _NAME, now):
        _refuse_hopeless(data_dir, catalogue)
        known = snapshot.erased_people(data_dir) or Erased(new_key(snapshot.KEY_BYTES))
        _refuse_strangers(data_dir, catalogue, person_ids, known)
        erased, asked = snapshot.list_people(data_dir, person_ids, at=now.isoformat(), new_key=new_key)
        waiting = snapshot.pending(snapshot.erasures(data_dir))  # of an earlier call, too: one proof for all it rewrote
        names = tuple(sorted({*asked, *waiting}))
        with _unfinished_told():
            return _forgotten(data_dir, catalogue, erased, names, now)


def end_erasure(night: Night) -> None:
    """Nobody whose erasure was cut off stands in what this night builds on; the list of hashes is enough for it.

    Called under the run lock, before anything is read.

    Raises:
        ConfigError: the catalogue marks nothing as personal.
        StoredDataDamaged: the list or something else stored is not what was written; readers keep what they have.
    """
    erased = snapshot.erased_people(night.data_dir)
    names = snapshot.pending(snapshot.erasures(night.data_dir))
    if erased is None or not names:
        return
    with _unfinished_told():
        _refuse_unmarked(night.catalogue)
        # Without a snapshot there is nothing to build on, and nothing to give to readers: the next night ends it.
        if snapshot.accepted_runs(night.data_dir):
            _forgotten(night.data_dir, night.catalogue, erased, names, night.started_at)
            night.observe(ErasureEnded(len(names)))


def _forgotten(
    data_dir: Path, catalogue: Catalogue, erased: Erased, names: tuple[str, ...], now: datetime
) -> Forgotten:
    """Everything between the list and the proof, and the proof. Called under the run lock."""
    plan = upkeep.plan_erasure(data_dir, catalogue, erased)
    found = _told(data_dir, plan, names, was_done=not _is_waiting(data_dir, names))
    if found.was_done:
        return found
    snapshot.sweep(data_dir)  # the kept pages, too: the next run asks for them again
    warehouse.sweep(data_dir / "warehouse")
    if plan.files:
        facts = {"reason": "erasure", "people": list(names), "row_counts": dict(plan.rows)}
        snapshot.rewrite(data_dir, plan.files, facts, change=upkeep.changing(catalogue, erased, plan.theirs))
    manifests = snapshot.accepted_runs(data_dir)
    if manifests:
        rebuilt_in_place(data_dir, catalogue, manifests)
    _remove_others(data_dir, manifests[-1]["run_id"] if manifests else "")
    if upkeep.parquet.is_kept(data_dir):
        upkeep.parquet.follow(data_dir, is_alone=True)
    else:
        upkeep.parquet.remove(data_dir)
    reports.remove(data_dir)
    _refuse_remains(data_dir, catalogue, erased)
    proof = _proof(data_dir, names, now, found)
    snapshot.record_done(data_dir, names, proof)
    rows: Counter[str] = Counter()
    for counts in proof["row_counts"]:
        rows.update(counts)
    return replace(found, rows=dict(rows), file_count=len(proof["files"]))


@contextmanager
def _unfinished_told() -> Iterator[None]:
    """Whatever fails inside says that the people are listed, and that the same call goes on."""
    try:
        with storing("erase"):
            yield
    except PipelineError as error:
        error.state = "the erasure is not finished, and readers have a whole warehouse that may still name them"
        error.do = f"{error.do}; then run the same command again"
        raise


def forget_staged(night: Night, staging: Staging) -> None:
    """What this night has read tells of nobody who is to be forgotten; before anything of it is sealed.

    Fingerprints are of the bytes as sent, so an unchanged record stays unchanged.
    """
    erased = snapshot.erased_people(night.data_dir)
    if erased is None:
        return
    staged = ((one.name, table) for one in night.catalogue if one.person for table in staging.tables(one.name))
    theirs = upkeep.theirs_in(staged, staging.quarantined(), night.catalogue, erased)
    if night.base.path is not None:
        with warehouse.connect_for_run(night.base.path, spill(night.data_dir, night.run_id)) as known:
            for resource in night.catalogue:
                theirs[resource.name].update(_known_theirs(known, resource, erased))
    staging.change(
        upkeep.concerned(night.catalogue),
        upkeep.changing(night.catalogue, erased, theirs),
        upkeep.forgetting(night.catalogue, erased, theirs),
    )


def _known_theirs(known: DuckDB, resource: Resource, erased: Erased) -> dict[tuple[str, ...], str]:
    """The rows of erased people that the warehouse knows."""
    if resource.person is None:
        return {}
    column = snake_case(resource.person.name)
    names = {one: name for one in warehouse.distinct(known, resource.name, column) if (name := erased.listed(one))}
    return {key: names[one] for key, one in warehouse.keys_with(known, resource, column, names)}


def _refuse_unmarked(catalogue: Catalogue) -> None:
    if not any(column.personal == "id" for one in catalogue for column in one.personal_columns):
        raise ConfigError(
            "the resource file marks no column with the id of a person",
            where=catalogue.source,
            do="take over `personal` from the built-in file, or leave api.resources out",
        )


def _refuse_hopeless(data_dir: Path, catalogue: Catalogue) -> None:
    _refuse_unmarked(catalogue)
    generations = warehouse.generations(data_dir / "warehouse", runs.pointer_of(data_dir))
    if generations and not snapshot.accepted_runs(data_dir):
        raise ConfigError(
            "there is a warehouse but no snapshot of this version to make it again from",
            where=str(data_dir),
            state="nothing was changed",
            do="run `prospend run --full`, then erase",
        )
    if not snapshot.sealed_runs(data_dir):
        raise ConfigError("nothing is stored yet", where=str(data_dir), do="run `prospend run`, then erase")


def _refuse_strangers(data_dir: Path, catalogue: Catalogue, person_ids: Sequence[str], known: Erased) -> None:
    """Every id is somebody's: a mistyped one would be listed and proven gone, and the person would stay.

    Raises:
        ConfigError: some are nobody's.
    """
    asked = {known.name_of(one): one for one in person_ids}
    new = frozenset(asked) - known.names
    found = upkeep.people_named(data_dir, catalogue, Erased(known.key, new)) if new else new
    if strangers := sorted(asked[one] for one in new - found):
        raise ConfigError(
            f"no record names {len(strangers):,} of the {len(asked):,} ids given",
            where=f"ids {', '.join(repr(shown_name(one)) for one in strangers)}",
            do="give user ids as in claimant_id or claim_approver.id",
        )


def _told(data_dir: Path, plan: upkeep.ErasurePlan, names: tuple[str, ...], *, was_done: bool) -> Forgotten:
    manifests = snapshot.accepted_runs(data_dir)
    newest = manifests[-1]["run_id"] if manifests else ""
    return Forgotten(
        people=names,
        rows=plan.rows,
        file_count=len(plan.files),
        generations=tuple(path.name for path in _others(data_dir, newest)),
        kept_pages=len(list((data_dir / "staging").glob("*/pages.kept"))),
        was_done=was_done and not plan.files,
    )


def _is_waiting(data_dir: Path, names: Sequence[str]) -> bool:
    return not set(names).isdisjoint(snapshot.pending(snapshot.erasures(data_dir)))


def _others(data_dir: Path, newest: str) -> list[Path]:
    found = warehouse.generations(data_dir / "warehouse", runs.pointer_of(data_dir))
    return [one.path for one in found if one.run_id != newest]


def _remove_others(data_dir: Path, newest: str) -> None:
    """Every generation but the one just made is gone, however young: it names them."""
    with storing(f"erase · {data_dir / 'warehouse'}"):
        for path in _others(data_dir, newest):
            path.unlink()
            sync(path.parent)


def _refuse_remains(data_dir: Path, catalogue: Catalogue, erased: Erased) -> None:
    """Snapshots and warehouse, looked through once more: no row tells of anybody who is to be forgotten.

    Raises:
        StoredDataDamaged: one does.
    """
    left = upkeep.plan_erasure(data_dir, catalogue, erased)
    where = sorted({old.path for file in left.files for old in file.of})
    pointer = runs.pointer_of(data_dir)
    if pointer.is_symlink():
        with closing(warehouse.connect(pointer)) as connection:
            for table, column in _id_columns(catalogue):
                ids = warehouse.distinct(connection, table, column)
                if any(one not in erased.names and erased.listed(one) for one in ids):
                    where.append(f"{pointer.name}: {table}.{column}")
    if where:
        raise StoredDataDamaged(
            f"{len(where):,} places still tell of erased people", where=where[0], do="erase again, then report it"
        )


def _id_columns(catalogue: Catalogue) -> list[tuple[str, str]]:
    """Tables and columns of the warehouse with ids of people."""
    found = [(one.name, snake_case(one.person.name)) for one in catalogue if one.person is not None]
    for resource in catalogue:
        for column in resource.columns:
            if column.kind is Kind.LIST and column.table:
                found += [(column.table, snake_case(one.name)) for one in column.columns if one.personal == "id"]
    return found


def _proof(data_dir: Path, names: Sequence[str], now: datetime, found: Forgotten) -> dict[str, Any]:
    """What was rewritten and removed for these people, by this call or one that was cut off before it."""
    rewritten = [one for one in snapshot.rewrites(data_dir) if not set(one.get("people", ())).isdisjoint(names)]
    pointer = runs.pointer_of(data_dir)
    return {
        "at": now.isoformat(),
        "rewrites": [{"number": one["number"], "sha256": one["sha256"]} for one in rewritten],
        "row_counts": [one["row_counts"] for one in rewritten],
        "files": [
            {**old, "into_sha256": next(new["sha256"] for new in one["files"] if new["path"] == old["into"])}
            for one in rewritten
            for old in one["replaced"]
        ],
        "removed_generations": list(found.generations),
        "removed_kept_pages": found.kept_pages,
        "warehouse": {"path": str(pointer.readlink()), "sha256": sha256_of(pointer)} if pointer.is_symlink() else None,
    }
