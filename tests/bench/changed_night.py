"""A night with one row in a hundred changed over a large table: the ways to get tomorrow's file, side by side.

Each way runs in a process of its own, so that its peak memory is its own.

    python -m tests.bench.changed_night --rows 100000 1000000
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from pipeline import warehouse
from pipeline.resources import parse_catalogue
from pipeline.tables import tables_of
from pipeline.warehouse import Parts, RunFacts, RunParts
from pipeline.warehouse.building import MEMORY_LIMIT, STORAGE_VERSION
from pipeline.warehouse.copying import copy_file
from pipeline.warehouse.text import equal, names

_CATALOGUE = """
format = 1
[resource.company]
path = "/{version}/company"
key = "companyId"
order = "inferred"
evidence = "documented"
about = "A company"
[resource.company.column]
companyId = { type = "text", evidence = "documented", about = "key" }
[resource.line]
path = "/{version}/company/{companyId}/line"
parent = "company"
key = "id"
updated = "updatedDate"
order = "inferred"
evidence = "documented"
about = "A line"
[resource.line.column]
""" + "\n".join(
    f'{name} = {{ type = "{kind}", evidence = "documented", about = "a value" }}'
    for name, kind in {
        "id": "text",
        "claimId": "text",
        "name": "text",
        "description": "text",
        "glCode": "text",
        "grossAmount": "money",
        "netAmount": "money",
        "taxAmount": "money",
        "currencyCode": "text",
        "exchangeRate": "decimal(18,8)",
        "isPersonal": "boolean",
        "transactionDate": "timestamp",
        "createdDate": "timestamp",
        "updatedDate": "timestamp",
    }.items()
)
LINE = parse_catalogue(
    _CATALOGUE + '\ntotals = { type = "list", table = "line_total", evidence = "documented", about = "totals", '
    'item = { name = "total", type = "money", evidence = "documented", about = "a total" } }\n',
    "bench",
)["line"]
AT = datetime(2026, 11, 1, 2, tzinfo=UTC)
WAYS = (
    "from Parquet",
    "fold 1 %",
    "fold all, none changed",
    "copy only",
    "copy, delete and insert",
    "copy, MERGE",
    "read it all",
)


@dataclass(frozen=True)
class Measured:
    """One way at one size: seconds, the peak of the process, and the file it left."""

    rows: int
    way: str
    wall_s: float
    cpu_s: float
    peak_mb: float
    file_mb: float


def write_part(path: Path, rows: int, *, run_id: str, changed: bool) -> None:
    """All lines, or every hundredth with another amount, as a snapshot part; every tenth has a list of one."""
    step, version = (100, 1) if changed else (1, 0)
    sql = f"""
    COPY (
        SELECT
            (n % 3)::VARCHAR AS "companyId", lpad(n::VARCHAR, 12, '0') AS id, (n // 7)::VARCHAR AS "claimId",
            'item ' || n % 997 AS name, 'what it was for, in a few words ' || n % 99991 AS description,
            'GL' || n % 311 AS "glCode", ((n * 7919) % 1000000 / 100 + {version})::DECIMAL(18, 4) AS "grossAmount",
            ((n * 7919) % 1000000 / 110)::DECIMAL(18, 4) AS "netAmount",
            ((n * 7919) % 1000000 / 1100)::DECIMAL(18, 4) AS "taxAmount",
            CASE WHEN n % 3 = 0 THEN 'NZD' ELSE 'AUD' END AS "currencyCode", 1.0875::DECIMAL(18, 8) AS "exchangeRate",
            n % 50 = 0 AS "isPersonal", TIMESTAMPTZ '2025-01-01 00:00:00+00' + to_seconds(n % 31536000) AS "transactionDate",
            TIMESTAMPTZ '2025-01-02 00:00:00+00' + to_seconds(n % 31536000) AS "createdDate",
            TIMESTAMPTZ '2025-02-01 00:00:00+00' + to_seconds(n % 31536000 + {version}) AS "updatedDate",
            CASE WHEN n % 10 = 0 THEN [(n % 1000)::DECIMAL(18, 4)] ELSE [] END AS totals,
            '{run_id}' AS _run_id, TIMESTAMPTZ '{AT.isoformat()}' AS _fetched_at, (n // 1000)::INTEGER AS _page,
            (n % 1000)::INTEGER AS _record, (hash(n) >> 1)::BIGINT + {version} AS _fingerprint, NULL::VARCHAR AS _extra
        FROM range(0, {rows}, {step}) AS numbers(n)
    ) TO '{path}' (FORMAT parquet, COMPRESSION zstd)"""
    with duckdb.connect(config={"memory_limit": "2GB", "threads": 2, "temp_directory": str(path.parent)}) as connection:
        connection.execute("SET TimeZone = 'UTC'").fetchall()
        connection.execute(sql).fetchall()


def run_of(part: Path, number: int) -> RunParts:
    """One run that read this part."""
    at = AT + timedelta(days=number)
    facts = RunFacts(f"run{number}", at, "bench", "0", (), (), (), (), "ab", at)
    return RunParts(f"run{number}", at, (Parts(LINE, (part,)),), None, facts)


def prepare(folder: Path, rows: int) -> None:
    """The parts of a full night and of a changed one, and the file of the first."""
    write_part(folder / "all.parquet", rows, run_id="run0", changed=False)
    write_part(folder / "changed.parquet", rows, run_id="run1", changed=True)
    warehouse.build(folder / "base.duckdb", [run_of(folder / "all.parquet", 0)], temp_dir=folder)


def measure(folder: Path, rows: int, way: str) -> Measured:
    """Go one way from what `prepare` made, in this process."""
    target, base = folder / "target.duckdb", folder / "base.duckdb"
    ways: dict[str, Callable[[], object]] = {
        "from Parquet": lambda: warehouse.build(target, [run_of(folder / "all.parquet", 0)], temp_dir=folder),
        "fold 1 %": lambda: warehouse.build(
            target, [run_of(folder / "changed.parquet", 1)], base=base, temp_dir=folder
        ),
        "fold all, none changed": lambda: warehouse.build(
            target, [run_of(folder / "all.parquet", 1)], base=base, temp_dir=folder
        ),
        "copy only": lambda: copy_file(base, target),
        "copy, delete and insert": lambda: _bare(base, target, folder, _DELETE_AND_INSERT),
        "copy, MERGE": lambda: _bare(base, target, folder, _MERGE),
        "read it all": lambda: warehouse.refuse_damage(base),
    }
    cpu, wall = time.process_time(), time.perf_counter()
    ways[way]()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(rows, way, wall, cpu, peak, target.stat().st_size / 1e6 if target.exists() else 0)


_MAIN = tables_of(LINE)[0]
_VALUES = ", ".join(
    {"_valid_from": f"TIMESTAMPTZ '{AT.isoformat()}'", "_deleted_at": "NULL"}.get(c.name, f'"{c.source[0]}"')
    for c in _MAIN.columns
)
_DELETE_AND_INSERT = (
    "CREATE TEMP TABLE coming AS SELECT {values} FROM '{part}'; DELETE FROM prospend.line AS held USING coming WHERE {same}; "
    "INSERT INTO prospend.line SELECT {listed} FROM coming"
)
_MERGE = (
    "CREATE TEMP TABLE coming AS SELECT {values} FROM '{part}'; MERGE INTO prospend.line AS held USING coming ON {same} "
    "WHEN MATCHED THEN UPDATE SET {sets} WHEN NOT MATCHED THEN INSERT ({listed}) VALUES ({coming})"
)


def _bare(base: Path, target: Path, folder: Path, sql: str) -> None:
    """Only the table of the rows itself, without history, totals or checks."""
    copy_file(base, target)
    columns = [f'"{column.name}"' for column in _MAIN.columns]
    values = ", ".join(f"{value} AS {name}" for value, name in zip(_VALUES.split(", "), columns, strict=True))
    settings = {"storage_compatibility_version": STORAGE_VERSION, "memory_limit": MEMORY_LIMIT, "threads": 2}
    with duckdb.connect(str(target), config=settings | {"temp_directory": str(folder / "spill")}) as connection:
        for statement in sql.format(
            values=values,
            part=folder / "changed.parquet",
            same=equal("held", _MAIN.key, "coming", _MAIN.key),
            listed=names(column.name for column in _MAIN.columns),
            coming=", ".join(f"coming.{name}" for name in columns),
            sets=", ".join(f"{name} = coming.{name}" for name in columns),
        ).split("; "):
            connection.execute(statement).fetchall()
        connection.execute("CHECKPOINT").fetchall()


def compare(rows: int) -> list[Measured]:
    """Every way at one size, each in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _alone(folder, rows, "prepare")
        found = []
        for way in WAYS:
            found.append(Measured(**json.loads(_alone(folder, rows, way))))
            (folder / "target.duckdb").unlink(missing_ok=True)
            shutil.rmtree(folder / "spill", ignore_errors=True)
        return found


def _alone(folder: Path, rows: int, way: str) -> str:
    command = [sys.executable, "-m", __name__ if __name__ != "__main__" else "tests.bench.changed_night"]
    done = subprocess.run(
        [*command, "--folder", str(folder), "--rows", str(rows), "--way", way],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def show(sizes: list[int]) -> None:
    """Print a table for each size."""
    for rows in sizes:
        print(f"one row in a hundred changed, of {rows:,}")
        for one in compare(rows):
            print(
                f"  {one.way:<24} {one.wall_s:7.2f} s wall {one.cpu_s:7.2f} s CPU {one.peak_mb:7,.0f} MB peak "
                f"{one.file_mb:7,.0f} MB file"
            )
        print()


def main() -> None:
    """All ways at some sizes; with `--way`, one of them in this process, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--way")
    arguments = parser.parse_args()
    if arguments.way == "prepare":
        prepare(arguments.folder, arguments.rows[0])
    elif arguments.way:
        print(json.dumps(asdict(measure(arguments.folder, arguments.rows[0], arguments.way))))
    else:
        show(arguments.rows)


if __name__ == "__main__":
    main()
