"""What a night changes in closed accounting periods is listed, value by value, and stays listed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pipeline
from pipeline.sandbox import Running

LAST_DAY = "2030-06-30"  # after all documents of the books


def restated(data_dir: Path) -> list[tuple[object, ...]]:
    with pipeline.connect(data_dir) as connection:
        return connection.execute(
            "SELECT run_id, table_name, key, column_name, before, after, kind FROM meta.restatement ORDER BY ALL"
        ).fetchall()


def counted(data_dir: Path) -> list[tuple[object, ...]]:
    with pipeline.connect(data_dir) as connection:
        return connection.execute(
            "SELECT kind, table_name, state, month, row_count FROM meta.figure WHERE kind IN ('state', 'zone') ORDER BY ALL"
        ).fetchall()


def test_a_period_is_closed_for_one_run(
    sandbox: Running, site_file: Path, tmp_path: Path, prospend: Callable[..., object]
):
    """`run --closed-until` lists what that run restates; a run without it lists nothing; a rebuild tells the same."""
    data_dir = tmp_path / "data"
    assert prospend("run", "--config", site_file).code == 0
    sandbox.advance(5)
    assert prospend("run", "--closed-until", LAST_DAY, "--config", site_file).code == 0
    found = restated(data_dir)
    closing = (data_dir / "warehouse.duckdb").resolve().stem
    assert {run_id for run_id, *_ in found} == {closing}
    assert {"claim", "invoice"} <= {table for _, table, *_ in found}
    assert all(before != after for _, _, _, column, before, after, _ in found if column)
    sandbox.advance(5)
    assert prospend("run", "--config", site_file).code == 0
    assert restated(data_dir) == found
    by_month = counted(data_dir)
    assert ("zone", None, "Australia/Sydney", None, None) in by_month  # months are those that periods are closed by
    rebuilt = prospend("rebuild", "--config", site_file)
    assert (rebuilt.code, restated(data_dir), counted(data_dir)) == (0, found, by_month), rebuilt.err
    assert "every table is as it was" in rebuilt.out


def test_a_day_that_is_none_is_refused(site_file: Path, prospend: Callable[..., object]):
    """No request was made."""
    refused = prospend("run", "--closed-until", "June", "--config", site_file)
    assert refused.code == 10
    assert "--closed-until" in refused.err
