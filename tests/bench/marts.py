"""The marts of large books: what making and testing them costs, and how soon they answer what a dashboard asks.

A night is read from the sandbox, and its documents are put into the file again and again under other keys until there are so
many reporting lines. The marts are made in a process of its own, so that its peak memory is its own.

    python -m tests.bench.marts --lines 1000000
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipeline import nightly, warehouse
from pipeline.cli.nights import sandbox_process
from pipeline.marts import Reporting, all_marts
from pipeline.resources import read_catalogue
from pipeline.settings import Api, Settings, Site, Storage, Token
from pipeline.tables import all_tables
from pipeline.warehouse import Built

_TOKEN = "PROSPEND_BENCH_TOKEN"
_DOCUMENTS = ("claim", "expense", "invoice")  # and all tables whose names begin so
CLAIMS = 4000
LIMIT_S, LIMIT_MB, LIMIT_QUERY_MS = 20, 1024, 200
# One statement as dashboards ask them, for each mart that answers a question.
QUESTIONS = {
    "spend_month": "SELECT month_on, currency_code, sum(gross_amount) FROM mart.spend_month GROUP BY ALL",
    "spend_month, one division": "SELECT supplier_name, currency_code, sum(net_amount) AS net FROM mart.spend_month "
    "WHERE division_id = '1011' GROUP BY ALL ORDER BY net DESC LIMIT 20",
    "spend_trend": "SELECT month_on, entity_name, currency_code, sum(gross_amount), sum(last_year_gross_amount) "
    "FROM mart.spend_trend GROUP BY ALL",
    "payable_ageing": "SELECT age_bucket, currency_code, sum(gross_amount) FROM mart.payable_ageing GROUP BY ALL",
    "payable_due": "SELECT due_on, currency_code, sum(gross_amount) FROM mart.payable_due GROUP BY ALL ORDER BY 1",
    "open_item": "SELECT status, age_bucket, currency_code, count(*), sum(gross_amount) FROM mart.open_item GROUP BY ALL",
    "approval_time": "SELECT month_on, measure, max(median_hours) FROM mart.approval_time GROUP BY ALL",
    "accrual": "SELECT month_end_on, state, currency_code, sum(net_amount) FROM mart.accrual GROUP BY ALL",
    "gst_bas": "SELECT bas_quarter, tax_code_name, currency_code, sum(tax_amount) FROM mart.gst_bas GROUP BY ALL",
    "gst_departure": "SELECT tax_code_name, currency_code, sum(departure_amount) FROM mart.gst_departure GROUP BY ALL",
    "fbt_entertainment": "SELECT fbt_year, currency_code, sum(fifty_fifty_amount), sum(actual_amount) "
    "FROM mart.fbt_entertainment GROUP BY ALL",
    "duplicate_suspect": "SELECT rule, currency_code, count(*), sum(gross_amount) FROM mart.duplicate_suspect GROUP BY ALL",
    "below_threshold": "SELECT threshold_amount, currency_code, count(*) FROM mart.below_threshold GROUP BY ALL",
    "coding_gap": "SELECT gap, document_type, count(*) FROM mart.coding_gap GROUP BY ALL",
    "restatement": "SELECT run_id, kind, count(*) FROM mart.restatement GROUP BY ALL",
    "freshness": "SELECT resource, hours_since_change FROM mart.freshness",
    "spend_line": "SELECT expense_type, claim_currency_code, sum(claim_gross_amount) FROM mart.spend_line "
    "WHERE is_spend GROUP BY ALL",
    "document": "SELECT document_type, status, currency_code, count(*), sum(gross_amount) FROM mart.document GROUP BY ALL",
}


def prepare(folder: Path, lines: int) -> Path:
    """A warehouse file without marts, with at least so many reporting lines."""
    with sandbox_process(folder / "sandbox", CLAIMS) as served:
        settings = Settings(
            site=Site(name="bench", base_url=served["base_url"]),
            token=Token(env=_TOKEN),
            storage=Storage(data_dir=folder / "data"),
            api=Api(ca_file=Path(served["ca_file"])),
        )
        nightly.run(settings, environ={_TOKEN: served["token"]})
    path = folder / "large.duckdb"
    path.write_bytes((folder / "data" / "warehouse.duckdb").read_bytes())
    with duckdb.connect(str(path), config={"memory_limit": "2GB"}) as connection:
        ((once,),) = connection.execute("SELECT count(*) FROM mart.spend_line").fetchall()
        connection.execute("DROP SCHEMA mart CASCADE").fetchall()
        for table in all_tables(read_catalogue()):
            if table.resource.startswith(_DOCUMENTS):
                connection.execute(
                    _again(table.name, [column.name for column in table.columns], lines // once)
                ).fetchall()
        connection.execute("CHECKPOINT").fetchall()
    return path


def _again(table: str, columns: list[str], times: int) -> str:
    """The table's rows once more for each time, of other documents and people."""
    renamed = {"claim_id", "invoice_id", "claimant_id"} | (
        {"id"} if table in _DOCUMENTS and table != "expense" else set()
    )
    values = ", ".join(f"\"{name}\" || '-' || turn" if name in renamed else f'"{name}"' for name in columns)
    listed = ", ".join(f'"{name}"' for name in columns)
    return (
        f"INSERT INTO prospend.{table} ({listed}) SELECT {values} FROM prospend.{table}, range({times}) AS turns(turn)"
    )


def make(path: Path, folder: Path) -> Mapping[str, float]:
    """Marts made and tested in this process."""
    at = datetime.now(UTC)
    house = Reporting(at, at.date(), "Australia/Sydney", 7, 7, (1000, 5000, 10_000), 5.0, ("Entertainment",))
    built = Built(path, "bench", (), (), (), (), (), (), (), ())
    cpu, wall = time.process_time(), time.perf_counter()
    found = warehouse.make_marts(built, all_tables(read_catalogue()), house, temp_dir=folder)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    assert not [one.name for one in found if one.blamed_count]
    return {"cpu_s": cpu, "wall_s": wall, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def ask(path: Path) -> dict[str, float]:
    """Milliseconds of each question, the median of five, by two threads."""
    taken = {}
    with duckdb.connect(str(path), read_only=True, config={"threads": 2}) as connection:
        for name, sql in QUESTIONS.items():
            walls = []
            for _ in range(5):
                began = time.perf_counter()
                connection.execute(sql).fetchall()
                walls.append((time.perf_counter() - began) * 1000)
            taken[name] = statistics.median(walls)
    return taken


def show(lines: int) -> None:
    """Everything at one size, with what is aimed at."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = prepare(folder, lines)
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.marts", "--make", str(path)], check=True, capture_output=True, text=True
        )
        found = json.loads(done.stdout)
        with duckdb.connect(str(path), read_only=True) as connection:
            counts = {
                mart.name: connection.execute(f"SELECT count(*) FROM mart.{mart.name}").fetchall()[0][0]
                for mart in all_marts()
            }
        print(
            f"marts of {counts['spend_line']:,} reporting lines, {sum(counts.values()):,} rows, {path.stat().st_size / 1e6:,.0f} MB"
        )
        print(
            f"  made and tested in {found['wall_s']:.1f} s wall, {found['cpu_s']:.1f} s CPU (aim {LIMIT_S} s on two cores), "
            f"peak {found['peak_mb']:,.0f} MB (aim {LIMIT_MB})"
        )
        for question, taken_ms in ask(path).items():
            late = "" if taken_ms < LIMIT_QUERY_MS else f"   beyond the aim of {LIMIT_QUERY_MS} ms"
            print(f"  {question:<28} {taken_ms:7.1f} ms{late}")
        print()


def main() -> None:
    """Print what was measured, or measure the making alone for whoever asks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--make", type=Path)
    arguments = parser.parse_args()
    if arguments.make is None:
        show(arguments.lines)
        return
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(make(arguments.make, Path(folder))))


if __name__ == "__main__":
    main()
