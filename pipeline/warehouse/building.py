"""A new warehouse file, from nothing to finished: build, finish, and the removal of what never got there.

The file is private until `finish` has verified it, and no reader knows its name until `publish` has moved it.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb

from pipeline.durable import SEALED_MODE, storing, sync
from pipeline.errors import LocalAccess, StoredDataDamaged
from pipeline.model import CheckResult
from pipeline.tables import Table, all_tables, tables_of
from pipeline.warehouse import audit, meta
from pipeline.warehouse.faults import working
from pipeline.warehouse.load import ASIDE, SCHEMA, comment_tables, create_tables, load
from pipeline.warehouse.publishing import log_of
from pipeline.warehouse.read import open_file, snapshot_info
from pipeline.warehouse.values import Built, Changes, Parts, RunFacts, RunParts

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
    memory_limit: str = "1GB",
) -> Built:
    """A new DuckDB file stands at `target` with every table loaded, commented and counted; readers do not know it.

    Args:
        target: where the file is made; must not exist. Left behind only if the build succeeds.
        runs: accepted runs, oldest first, at least one. Their parts' hashes have been verified: DuckDB verifies none.
        base: the file to build on, or None to begin with an empty one.
        temp_dir: where DuckDB may spill; a private folder is made inside and removed.
        threads: DuckDB's threads.
        memory_limit: DuckDB's limit, with its unit.

    Shape:
        in   per resource n records in k parts
        out  `prospend`: one table a resource with one row a key, one a list with one row an element; `meta`

    Raises:
        LocalResource: disk, quota or memory ran out.
        LocalAccess: a file or folder cannot be used, or `target` exists.
        StoredDataDamaged: a part cannot be read or does not hold what the catalogue says.
    """
    where = f"load · {target.name}"
    if base is not None or len(runs) != 1:
        raise ValueError("one run into an empty file is all there is yet")
    newest = runs[-1]
    if target.exists():
        raise LocalAccess("the file to build exists already", where=where, do="remove it and run again")
    spill = temp_dir / f"{target.name}.spill"
    with storing(where):
        spill.mkdir(mode=_PRIVATE_FOLDER)
    try:
        with working(where), closing(_create(target, spill, threads, memory_limit)) as connection:
            target.chmod(_PRIVATE_FILE)
            return _fill(connection, target, newest.parts, newest.facts)
    except BaseException:
        discard(target)
        raise
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def finish(built: Built, checks: Sequence[CheckResult], *, manifest_sha256: str | None = None) -> None:
    """The file at `built.path` is complete: checks recorded, one file without a log, verified, durable, read-only.

    Args:
        built: the file, and what was counted in it.
        checks: of the newest run.
        manifest_sha256: of the newest run's manifest, if its facts did not hold it.

    Raises:
        StoredDataDamaged: what is read back is not what was loaded.
    """
    path, where = built.path, f"finish · {built.path.name}"
    with working(where):
        with closing(duckdb.connect(str(path), config=_settings())) as connection:
            meta.insert_checks(connection, built.run_id, checks)
            if manifest_sha256 is not None:
                meta.name_manifest(connection, built.run_id, manifest_sha256)
            connection.execute("CHECKPOINT").fetchall()
        if log_of(path).exists():
            raise StoredDataDamaged("the new warehouse left a log behind", where=where)
        path.chmod(SEALED_MODE)
        sync(path)
        with closing(open_file(path)) as connection:
            _verify(connection, built, checks, where)


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


def _settings() -> dict[str, str | bool | int | float | list[str]]:
    return {
        "storage_compatibility_version": STORAGE_VERSION,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "python_enable_replacements": False,
    }


def _create(target: Path, spill: Path, threads: int, memory_limit: str) -> duckdb.DuckDBPyConnection:
    limits: dict[str, str | bool | int | float | list[str]] = {
        "threads": threads,
        "memory_limit": memory_limit,
        "temp_directory": str(spill),
        "preserve_insertion_order": True,  # costs nothing measurable; the same parts give the same rows in order
    }
    return duckdb.connect(str(target), config=_settings() | limits)


def _fill(connection: duckdb.DuckDBPyConnection, target: Path, parts: Sequence[Parts], run: RunFacts) -> Built:
    tables = all_tables(one.resource for one in parts)
    connection.execute("BEGIN").fetchall()  # one commit: the tables go to the file once, hardly through the log
    connection.execute(f"CREATE SCHEMA {SCHEMA}").fetchall()
    create_tables(connection, tables)
    superseded = tuple((one.resource.name, _load(connection, one)) for one in parts)
    built = _counted(connection, target, tables, run.run_id)
    replaced = [one.resource for one, (_, count) in zip(parts, superseded, strict=True) if count]
    older = [table for resource in replaced for table in tables_of(resource)]
    built = replace(built, superseded=superseded, superseded_totals=audit.totals(connection, older, schema=ASIDE))
    comment_tables(connection, tables)
    meta.fill(connection, run, built)
    meta.describe(connection, tables)
    connection.execute("COMMIT").fetchall()
    return built


def _load(connection: duckdb.DuckDBPyConnection, parts: Parts) -> int:
    with working(f"load · {parts.resource.name}"):
        return load(connection, parts)


def _counted(connection: duckdb.DuckDBPyConnection, target: Path, tables: Sequence[Table], run_id: str) -> Built:
    rows = audit.row_counts(connection, (table.name for table in tables))
    totals = audit.totals(connection, tables)
    counts = dict(rows)
    return Built(
        path=target,
        run_id=run_id,
        rows=rows,
        totals=totals,
        read_rows=rows,
        read_totals=totals,
        superseded=(),
        superseded_totals=(),
        key_problems=audit.key_problems(connection, tables),
        changes=tuple(Changes(table.name, new=counts[table.name]) for table in tables if table.list_field is None),
    )


def _verify(connection: duckdb.DuckDBPyConnection, built: Built, checks: Sequence[CheckResult], where: str) -> None:
    """The closed file, opened again as readers will, holds what was loaded."""
    found = dict(audit.row_counts(connection, (table for table, _ in built.rows)))
    wrong = [f"{table}: {found[table]} rows, not {count}" for table, count in built.rows if found[table] != count]
    ((stored,),) = connection.execute("SELECT count(*) FROM meta.check_result").fetchall()
    if stored != len(checks):
        wrong.append(f"meta.check_result: {stored} rows, not {len(checks)}")
    if snapshot_info(connection).run_id != built.run_id:
        wrong.append("meta.snapshot_info names another run")
    if wrong:
        raise StoredDataDamaged("the new warehouse does not hold what was loaded: " + "; ".join(wrong), where=where)
