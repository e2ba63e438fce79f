"""Every DuckDB that BI tools bring reads the same from a published file: marts, tables, views, macros, comments."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.ops.runs import pointer_of

ROOT = Path(__file__).parents[2]
OTHERS = {"1.4": ROOT / ".venv" / "duckdb-1.4", "1.5": ROOT / ".venv" / "duckdb-1.5"}
# A hash of each relation's rows, value by value as text: exact amounts, instants in UTC.
PROGRAM = """
import datetime, duckdb, hashlib, json, sys

connection = duckdb.connect(sys.argv[1], read_only=True)
connection.execute("SET TimeZone = 'UTC'")

def text(value):
    return value.isoformat() if isinstance(value, (datetime.datetime, datetime.date)) else str(value)

def rows(sql):
    return sorted([text(value) for value in row] for row in connection.execute(sql).fetchall())

def digest(sql):
    found = rows(sql)
    return [len(found), hashlib.sha256(json.dumps(found).encode()).hexdigest()]

places = rows(
    "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal "
    "UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal"
)
told = {f"{schema}.{table}": digest(f'FROM "{schema}"."{table}"') for schema, table in places}
(run,) = (row[0] for row in rows("SELECT run_id FROM meta.run"))
for schema, table in places:
    if schema == "prospend":
        as_of = f"FROM history.as_of('{table}', TIMESTAMPTZ '2200-01-01 00:00:00+00')"
        told[as_of] = digest(f"SELECT count(*) {as_of}")
        diff = f"FROM history.diff('{table}', '{run}', '{run}')"
        told[diff] = digest(f"SELECT change, key {diff}")
told["comments"] = digest("SELECT schema_name, table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal")
told["types"] = digest("SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal")
print(json.dumps([duckdb.__version__, told]))
"""


def read_by(version: str, data_dir: Path) -> dict[str, list]:
    """What a process with that DuckDB finds in the published file."""
    folder = OTHERS.get(version)
    if folder is not None and not folder.is_dir():
        pytest.skip(f"make test installs DuckDB {version} into {folder}")
    environ = {"PATH": os.environ["PATH"]} | ({} if folder is None else {"PYTHONPATH": str(folder)})
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(pointer_of(data_dir))],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    opened_by, told = json.loads(done.stdout)
    assert opened_by.startswith(f"{version}.")
    return told


@pytest.mark.parametrize("version", OTHERS)
def test_an_older_duckdb_reads_what_ours_reads(earlier_night, version):
    """Every row of every table, mart and view is the same, and every macro answers."""
    ours = read_by("2.0", earlier_night)
    assert len([name for name in ours if name.startswith("mart.")]) > 20
    assert ours["mart.spend_line"][0] > 100
    assert read_by(version, earlier_night) == ours
