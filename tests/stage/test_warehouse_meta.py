"""What a warehouse file says of its run, its checks and its columns."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from warehouse_parts import AT, CHECKS, RUN_ID, build, catalogue, claim, facts, published, run_of, total

from pipeline import warehouse
from pipeline.errors import StoredDataDamaged
from pipeline.model import CheckResult, ControlTotal, Note, Quarantined
from pipeline.resources import read_catalogue
from pipeline.tables import all_tables
from pipeline.warehouse import Parts

ROOT = Path(__file__).parents[2]
OLD_DUCKDB = Path(os.environ.get("PROSPEND_DUCKDB14", ROOT / ".venv" / "duckdb-1.4"))


def test_every_table_and_column_has_a_comment(tmp_path: Path):
    """Nothing in the file is without its meaning, and the words are the catalogue's."""
    with warehouse.connect(published(tmp_path)) as connection:
        tables = connection.execute(
            "SELECT schema_name, table_name, comment FROM duckdb_tables() UNION ALL "
            "SELECT schema_name, view_name, comment FROM duckdb_views() WHERE NOT internal"
        ).fetchall()
        macros = connection.execute(
            "SELECT function_name, comment FROM duckdb_functions() WHERE schema_name = 'history'"
        ).fetchall()
        columns = connection.execute(
            "SELECT schema_name, table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal"
        ).fetchall()
    assert [row for row in (*tables, *columns, *macros) if not row[-1]] == []
    assert {name for name, _ in macros} == {"as_of", "diff"}
    assert {schema for schema, *_ in tables} == {"prospend", "past", "history", "meta"}
    assert {(table, about) for schema, table, about in tables if schema == "prospend"} == {
        (table.name, table.about) for table in all_tables(catalogue())
    }
    assert {tuple(row[1:]) for row in columns if row[0] == "prospend"} == {
        (table.name, column.name, column.about) for table in all_tables(catalogue()) for column in table.columns
    }


def test_the_data_dictionary_lists_every_table_and_column(tmp_path: Path):
    """One row a table and one a column, its own included, with type, currency, source, evidence and known values."""
    with warehouse.connect(published(tmp_path)) as connection:
        listed = connection.execute("SELECT schema_name, table_name, column_name FROM meta.data_dictionary").fetchall()
        found = connection.execute(
            "SELECT schema_name, table_name, NULL FROM duckdb_tables() UNION ALL "
            "SELECT schema_name, view_name, NULL FROM duckdb_views() WHERE NOT internal UNION ALL "
            "SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal"
        ).fetchall()
        described = connection.execute(
            "SELECT column_name, position, type, is_key, currency_column, source_fields, evidence, known_values "
            "FROM meta.data_dictionary WHERE schema_name = 'prospend' AND table_name IN ('claim', 'claim_total') AND column_name IN "
            "('company_id', 'status', 'original_gross_amount', 'gross_amount') ORDER BY table_name, position"
        ).fetchall()
    assert sorted(listed, key=repr) == sorted(found, key=repr)
    money, company, original = "DECIMAL(18,4)", ["company.companyId"], ["claim.original.grossAmount"]
    assert described == [
        ("company_id", 1, "VARCHAR", True, None, company, "documented", None),
        ("status", 4, "VARCHAR", False, None, ["claim.status"], "documented", ["Open", "Closed"]),
        ("original_gross_amount", 10, money, False, "original_currency_code", original, "inferred", None),
        ("company_id", 1, "VARCHAR", True, None, company, "documented", None),
        ("gross_amount", 4, money, False, "currency_code", ["claim.totals.grossAmount"], "documented", None),
    ]


def test_the_programs_own_catalogue_loads(tmp_path: Path):
    """Every resource the program knows gives its tables, empty, in a file that finishes and publishes."""
    resources = read_catalogue()
    built = warehouse.build(
        tmp_path / "w.duckdb", [run_of(*(Parts(resource, ()) for resource in resources))], temp_dir=tmp_path
    )
    warehouse.finish(built, CHECKS)
    with warehouse.connect(tmp_path / "w.duckdb") as connection:
        assert set(warehouse.table_rows(connection)) == {table.name for table in all_tables(resources)}


def test_the_file_says_which_night_it_shows(tmp_path: Path):
    """One row names run, instant, site, versions and the manifest behind the file."""
    with warehouse.connect(published(tmp_path)) as connection:
        info = warehouse.snapshot_info(connection)
        run = connection.execute("SELECT run_id, started_at, manifest_sha256 FROM meta.run").fetchall()
    assert (info.run_id, info.data_as_at, info.site, info.program_version) == (RUN_ID, AT, "test", "0.1.0")
    assert info.data_as_at.utcoffset() == timedelta(0)
    assert (info.duckdb_version, info.source_sha256) == (duckdb.__version__, "ab" * 32)
    assert run == [(RUN_ID, AT, "ab" * 32)]


def test_the_run_is_accounted_for(tmp_path: Path):
    """Counts of each resource, totals at every place, notes and quarantined records stand in `meta`."""
    page_total = ControlTotal("claim", "claim", "fee", "", 3, Decimal("4.5000"))
    built = build(
        tmp_path,
        claims=[claim("1", fee=Decimal("1.5")), claim("1", fee=Decimal("2.0")), claim("2", fee=Decimal(1))],
        run=facts(
            control_totals=(page_total,),
            notes=(Note("claim", "colour", "unknown_field", 2),),
            quarantined=(
                Quarantined("claim", (("companyId", "é'"),), 7, 8, "fee", "object, not a number", b'{"\xff"}'),
            ),
        ),
    )
    warehouse.finish(built, CHECKS)
    with warehouse.connect(built.path) as connection:
        counts = connection.execute(
            "SELECT resource, mode, call_count, page_count, record_count, quarantined_count, superseded_count, "
            "read_count, new_count, changed_count, row_count, planned_call_count, planned_row_count "
            "FROM meta.run_resource"
        ).fetchall()
        totals = connection.execute(
            "SELECT place, table_name, column_name, currency, value_count, total FROM meta.control_total ORDER BY place"
        ).fetchall()
        notes = connection.execute(
            "SELECT run_id, resource, field, kind, record_count FROM meta.schema_change ORDER BY field"
        ).fetchall()
        quarantine = connection.execute(
            "SELECT resource, context, page, record, field, reason, raw FROM meta.quarantine"
        ).fetchall()
    assert counts == [("claim", "full", 3, 2, 4, 1, 1, 2, 2, 0, 2, 5, 7)]
    assert totals == [
        ("pages", "claim", "fee", "", 3, Decimal("4.5")),
        ("read", "claim", "fee", "", 2, Decimal("3.0")),
        ("superseded", "claim", "fee", "", 1, Decimal("1.5")),
        ("warehouse", "claim", "fee", "", 2, Decimal("3.0")),
    ]
    assert notes == [(RUN_ID, "claim", "colour", "unknown_field", 2), (RUN_ID, "claim", "fee", "changed_type", 1)]
    assert quarantine == [
        ("claim", '{"companyId": "é\'"}', 7, 8, "fee", "object, not a number", '{"\\xff"}'),
    ]


def test_finishing_records_the_checks_and_closes_the_file_for_good(tmp_path: Path):
    """Every verdict is kept in order; one read-only file without a log remains."""
    built = build(tmp_path, claims=[claim("1")])
    checks = (
        CheckResult("b", required=True, passed=True, detail="it's fine"),
        CheckResult("a", required=False, passed=False, detail="not fine"),
    )
    warehouse.finish(built, checks)
    assert [path.name for path in built.path.parent.iterdir()] == [built.path.name]
    assert built.path.stat().st_mode & 0o777 == 0o440
    with warehouse.connect(built.path) as connection:
        found = connection.execute(
            "SELECT run_id, position, name, required, passed, detail FROM meta.check_result ORDER BY position"
        ).fetchall()
    assert found == [(RUN_ID, 0, "b", True, True, "it's fine"), (RUN_ID, 1, "a", False, False, "not fine")]


def test_a_file_that_lost_rows_does_not_finish(tmp_path: Path):
    """What is read back is compared with what was counted after loading."""
    built = build(tmp_path, claims=[claim("1"), claim("2")])
    with duckdb.connect(str(built.path)) as connection:
        connection.execute("DELETE FROM prospend.claim WHERE id = '2'").fetchall()
    with pytest.raises(StoredDataDamaged, match="claim: 1 rows, not 2"):
        warehouse.finish(built, CHECKS)


def test_a_file_of_another_run_does_not_finish(tmp_path: Path):
    """The file must name the run it was built by."""
    built = build(tmp_path)
    with pytest.raises(StoredDataDamaged, match="another run"):
        warehouse.finish(replace(built, run_id="20200101T000000Z"), CHECKS)


def test_leftovers_of_a_dead_build_are_removed(tmp_path: Path):
    """Files, logs and spill of builds that never finished go away; published generations stay."""
    published(tmp_path)
    left = build(tmp_path, run=facts("20261124T020000Z")).path
    left.with_name(left.name + ".wal").write_bytes(b"log")
    left.with_name(left.name + ".tmp").mkdir()
    assert len(warehouse.sweep(tmp_path / "warehouse")) == 3
    assert [path.name for path in (tmp_path / "warehouse").iterdir()] == [f"{RUN_ID}.duckdb"]
    assert warehouse.sweep(tmp_path / "warehouse") == ()


def test_discarding_what_is_not_there_is_fine(tmp_path: Path):
    """A build that never began, or was published already, leaves nothing to discard."""
    built = build(tmp_path)
    built.path.with_name(built.path.name + ".wal").write_bytes(b"log")
    warehouse.discard(built.path)
    warehouse.discard(built.path)
    assert not any((tmp_path / "warehouse").iterdir())


def test_duckdb_1_4_opens_what_is_published(tmp_path: Path):
    """Most BI drivers are on DuckDB 1.x: it reads every table, exact amounts, zoned times and comments."""
    if not OLD_DUCKDB.is_dir():
        pytest.skip(f"no DuckDB 1.4 at {OLD_DUCKDB} (make test installs it; PROSPEND_DUCKDB14 names another place)")
    amount = Decimal("99999999999999.9999")
    pointer = published(tmp_path, claims=[claim("1", fee=amount, updatedDate=AT, totals=[total(amount, "AUD")])])
    program = """
import sys, duckdb
assert duckdb.__version__.startswith("1.4."), duckdb.__version__
connection = duckdb.connect(sys.argv[1], read_only=True)
for schema, table in connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall():
    connection.execute(f'FROM {schema}."{table}"').fetchall()
print(connection.execute("SELECT fee, gross_amount, epoch_us(updated_date) FROM prospend.claim, prospend.claim_total").fetchall())
print(connection.execute("SELECT id, fee FROM history.as_of('claim', now())").fetchall())
print(connection.execute("SELECT count(*) FROM history.diff('claim', '" + sys.argv[2] + "', '" + sys.argv[2] + "')").fetchall())
print(connection.execute("SELECT count(*) FROM duckdb_columns() WHERE NOT internal AND comment IS NULL").fetchall())
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(pointer), RUN_ID],
        env={**os.environ, "PYTHONPATH": str(OLD_DUCKDB)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    instant = int(AT.timestamp()) * 10**6
    assert done.stdout.splitlines() == [
        f"[({amount!r}, {amount!r}, {instant})]",
        f"[('1', {amount!r})]",
        "[(0,)]",
        "[(0,)]",
    ]
