"""A warehouse file from its base to finished: build, finish, and the removal of what never got there.

A state is the one before it with one more run applied; an empty file is the first. The file is private until `finish`
has verified it, and no reader knows its name until `publish` has moved it.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import duckdb

from pipeline.checks import Figures
from pipeline.decode import Lost
from pipeline.durable import SEALED_MODE, storing, sync
from pipeline.errors import ConfigError, LocalAccess, StoredDataDamaged, VersionMismatch
from pipeline.model import CheckResult
from pipeline.resources import Resource
from pipeline.tables import Table, all_tables, tables_of
from pipeline.warehouse import audit, layout, meta
from pipeline.warehouse.applying import Applied, apply
from pipeline.warehouse.content import refuse_damage
from pipeline.warehouse.copying import copy_file
from pipeline.warehouse.faults import working
from pipeline.warehouse.figures import store
from pipeline.warehouse.interrupting import opened
from pipeline.warehouse.publishing import log_of
from pipeline.warehouse.read import MEMORY_LIMIT, open_file, snapshot_info, stated_size
from pipeline.warehouse.refitting import in_todays_form, with_what_fits_now
from pipeline.warehouse.restating import Period, restate
from pipeline.warehouse.spilling import MOST_SPILL_BYTES, bound_spill
from pipeline.warehouse.values import Built, RunParts

# DuckDB 2 would otherwise write files that no 1.x reader opens, and most BI drivers are on 1.x.
STORAGE_VERSION = "v1.2.0"
_PRIVATE_FILE, _PRIVATE_FOLDER = 0o600, 0o700
_BUILDING = ".building-*"


def build(
    target: Path,
    runs: Sequence[RunParts],
    *,
    base: Path | None = None,
    temp_dir: Path,
    threads: int = 2,
    memory_limit: str = MEMORY_LIMIT,
    spill_bytes: int = MOST_SPILL_BYTES,
) -> Built:
    """A DuckDB file stands at `target` with the runs applied in order, commented and counted; readers do not know it.

    Args:
        target: where the file is made; must not exist. Left behind only if the build succeeds.
        runs: accepted runs, oldest first, at least one. Their parts' hashes have been verified: DuckDB verifies none.
        base: the file of the run before the first of them, or None to begin with an empty one.
        temp_dir: where DuckDB may spill; a private folder is made inside and removed.
        threads: DuckDB's threads.
        memory_limit: DuckDB's limit, with its unit.
        spill_bytes: how much DuckDB may spill, at most.

    Shape:
        in   per run and resource n records in k parts, and the keys of what was proved gone
        out  `prospend`: one table a resource with one row a key, one a list with one row an element; `past`: the same
             for versions that no longer hold; `history`: views of both; `meta`

    Raises:
        ConfigError: values that stood in a column do not fit the type that the catalogue gives it now.
        LocalResource: disk, quota or memory ran out.
        LocalAccess: a file or folder cannot be used, or `target` exists.
        StoredDataDamaged: a part cannot be read or does not hold what the catalogue says; the base is damaged.
        VersionMismatch: the base has another layout (`layout.fits` tells before).
    """
    where = f"load · {target.name}"
    if target.exists():
        raise LocalAccess("the file to build exists already", where=where, do="remove it and run again")
    spill = temp_dir / f"{target.name}.spill"
    with storing(where):
        spill.mkdir(mode=_PRIVATE_FOLDER)
    try:
        with working(where):
            if base is not None:
                copy_file(base, target)
            with closing(open_to_write(target, spill, threads, memory_limit)) as connection:
                bound_spill(connection, spill, spill_bytes)
                target.chmod(_PRIVATE_FILE)
                return _fold(connection, target, runs, spill, is_new=base is None)
    except BaseException:
        discard(target)
        raise
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def finish(
    built: Built,
    checks: Sequence[CheckResult],
    *,
    manifest_sha256: str | None = None,
    figures: Figures | None = None,
) -> None:
    """The file at `built.path` is complete: checks recorded, one file without a log, verified, durable, read-only.

    Args:
        built: the file, and what was counted in it.
        checks: of the newest run.
        manifest_sha256: of the newest run's manifest, if its facts did not hold it.
        figures: of the newest run, for the next night to be compared with.

    Raises:
        StoredDataDamaged: what is read back is not what was loaded.
    """
    path, where = built.path, f"finish · {built.path.name}"
    with working(where):
        with closing(opened(str(path), config=_settings())) as connection:
            meta.forget_failures(connection)
            meta.insert_checks(connection, built.run_id, checks)
            if manifest_sha256 is not None:
                meta.name_manifest(connection, built.run_id, manifest_sha256)
            store(connection, figures)
            ((known,),) = connection.execute("SELECT count(*) FROM meta.check_result").fetchall()
            connection.execute("CHECKPOINT").fetchall()
        _fill_up(path)
        if log_of(path).exists():
            raise StoredDataDamaged("the new warehouse left a log behind", where=where)
        path.chmod(SEALED_MODE)
        sync(path)
        refuse_damage(path)  # most of its blocks may be copies of an older file's
        with closing(open_file(path)) as connection:
            _verify(connection, built, int(known), where)


def _fill_up(path: Path) -> None:
    """The file is as long as it says: closing, DuckDB cuts off free blocks at its end, and goes on counting them."""
    with closing(opened(str(path), read_only=True, config=_settings())) as connection:
        size = stated_size(connection)
    if path.stat().st_size < size:
        os.truncate(path, size)


def discard(path: Path) -> None:
    """Nothing of an unfinished build is left: file, log, spill."""
    with storing(f"discard · {path.name}"):
        for one in (path, log_of(path)):
            one.unlink(missing_ok=True)
        shutil.rmtree(path.with_name(f"{path.name}.tmp"), ignore_errors=True)


def sweep(warehouse_dir: Path) -> tuple[str, ...]:
    """Whatever earlier builds left unfinished is gone; its names. Called under the run lock only."""
    found = sorted(warehouse_dir.glob(_BUILDING))
    with storing(f"sweep · {warehouse_dir}"):
        for path in found:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return tuple(path.name for path in found)


_Settings = dict[str, str | bool | int | float | list[str]]


def _settings(memory_limit: str = MEMORY_LIMIT) -> _Settings:
    return {
        "storage_compatibility_version": STORAGE_VERSION,
        "memory_limit": memory_limit,
        "temp_directory": "",  # nowhere, unless a private folder is named: the default would lie beside the file
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "python_enable_replacements": False,
    }


def open_to_write(
    target: Path, spill: Path, threads: int = 2, memory_limit: str = MEMORY_LIMIT
) -> duckdb.DuckDBPyConnection:
    """A connection to a private file that is being built; what memory cannot hold goes to `spill`."""
    limits: _Settings = {
        "threads": threads,
        "temp_directory": str(spill),
        "preserve_insertion_order": True,  # costs nothing measurable; the same parts give the same rows in order
    }
    connection = opened(str(target), config=_settings(memory_limit) | limits)
    connection.execute("SET TimeZone = 'UTC'").fetchall()
    return connection


def _fold(
    connection: duckdb.DuckDBPyConnection, target: Path, runs: Sequence[RunParts], spill: Path, *, is_new: bool
) -> Built:
    """Every run in order, each in one commit: new tables go to the file once, hardly through the log."""
    resources = [one.resource for one in runs[-1].parts]
    tables = all_tables(resources)
    sha256 = layout.layout_of(resources)
    if not is_new:
        _refuse_other_layout(connection, sha256, target)
    first = None if is_new else meta.next_instant(connection, runs[0])
    applied: list[Applied] = []
    rows = meta.Rows((), ())
    connection.execute("BEGIN").fetchall()
    if is_new:
        layout.create(connection, tables)
        meta.describe(connection, tables)
    fit_now, lost = 0, Counter[str]()
    for given in runs:
        run = with_what_fits_now(given, spill)
        fit_now += len(given.facts.quarantined) - len(run.facts.quarantined)
        applied, rows = _apply_run(connection, tables, run, spill, lost)
        meta.show(connection, run, sha256)
        connection.execute("COMMIT").fetchall()
        connection.execute("BEGIN").fetchall()
    connection.execute("COMMIT").fetchall()
    _refuse_lost(lost)
    problems = audit.key_problems(connection, tables, since=first)
    return Built(
        path=target,
        run_id=runs[-1].run_id,
        rows=rows.counts,
        totals=rows.totals,
        read_rows=tuple(one for resource in applied for one in resource.read_rows),
        read_totals=tuple(sorted(one for resource in applied for one in resource.read_totals)),
        superseded=tuple((resource.resource, resource.superseded) for resource in applied),
        superseded_totals=tuple(sorted(one for resource in applied for one in resource.superseded_totals)),
        key_problems=problems,
        changes=tuple(resource.changes for resource in applied),
        fit_now=fit_now,
    )


def _apply_run(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[Table], run: RunParts, spill: Path, lost: Lost
) -> tuple[list[Applied], meta.Rows]:
    applied, at = [], meta.next_instant(connection, run)
    for one in run.parts:
        with working(f"load · {one.resource.name}"):
            files = in_todays_form(one, run, spill, lost)
            applied.append(
                apply(connection, one.resource, files, run.deleted, run_id=run.run_id, at=at, is_shared=one.is_shared)
            )
            for file in set(files) - set(one.files):
                file.unlink()
    if run.facts.closed_before is not None:
        resources = {one.resource.name: one.resource for one in run.parts}
        for done in applied:
            period = _period_of(resources, done.resource)
            if period is not None and not done.was_empty:
                for table in tables_of(resources[done.resource]):
                    restate(connection, run.run_id, table, period, at=at, closed_before=run.facts.closed_before)
    rows = meta.Rows(
        counts=audit.row_counts(connection, (table.name for table in tables)),
        totals=audit.totals(connection, tables),
    )
    meta.add_run(connection, run, at, applied, rows)
    return applied, rows


def _refuse_lost(lost: Lost) -> None:
    """No value leaves its column because the column's type became narrower: it would be NULL where readers had it."""
    if not lost:
        return
    told = [
        f"1 value of {field} does not fit its column"
        if count == 1
        else f"{count:,} values of {field} do not fit its column"
        for field, count in sorted(lost.items())
    ]
    raise ConfigError.of_many(
        told,
        where="load · the types in the resource file (api.resources)",
        do="give the column a type that holds them, `text` at the widest, or use the resource file from before",
    )


def _period_of(resources: Mapping[str, Resource], name: str) -> Period | None:
    """The resource's own, or its nearest parent's: the lines of a document belong to the document's period."""
    resource = resources[name]
    while resource.period is None:
        if resource.parent is None:
            return None
        resource = resources[resource.parent]
    return Period(tables_of(resource)[0], resource.period)


def _refuse_other_layout(connection: duckdb.DuckDBPyConnection, sha256: str, target: Path) -> None:
    try:
        ((found,),) = connection.execute("SELECT layout_sha256 FROM meta.snapshot_info").fetchall()
    except (duckdb.BinderException, duckdb.CatalogException):
        found = None
    if found != sha256:
        raise VersionMismatch("the file to build on has tables of another form", where=f"load · {target.name}")


def _verify(connection: duckdb.DuckDBPyConnection, built: Built, check_count: int, where: str) -> None:
    """The closed file, opened again as readers will, holds what was loaded."""
    found = dict(audit.row_counts(connection, (table for table, _ in built.rows)))
    wrong = [f"{table}: {found[table]} rows, not {count}" for table, count in built.rows if found[table] != count]
    ((stored,),) = connection.execute("SELECT count(*) FROM meta.check_result").fetchall()
    if stored != check_count:
        wrong.append(f"meta.check_result: {stored} rows, not {check_count}")
    if snapshot_info(connection).run_id != built.run_id:
        wrong.append("meta.snapshot_info names another run")
    if wrong:
        raise StoredDataDamaged("the new warehouse does not hold what was loaded: " + "; ".join(wrong), where=where)
