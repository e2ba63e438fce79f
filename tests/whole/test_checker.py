"""The independent checker finds what it is there to find: each kind of fault is planted and named."""

from __future__ import annotations

import ast
import shutil
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import checker
import duckdb
import pytest
from checker import Books, any_of, books_of, differences, exactly

from pipeline.sandbox import SandboxSettings, in_thread

OLD = datetime(2000, 1, 1, tzinfo=UTC)
A_CLAIM = "company_id = '1' AND id = (SELECT min(id) FROM prospend.claim WHERE company_id = '1')"
ITS_LISTS = A_CLAIM.replace(" id =", " claim_id =")
PERSONAL = "INSERT INTO prospend.expense SELECT * REPLACE ('personal' AS id, true AS is_personal) FROM prospend.expense LIMIT 1"
UNKNOWN = """UPDATE prospend.supplier SET _extra = '{"mood":1}' WHERE id = (SELECT min(id) FROM prospend.supplier)"""
NULLED = "UPDATE prospend.supplier SET primary_address_address3 = NULL WHERE primary_address_address3 = ''"
DELETED = "UPDATE prospend.claim SET _deleted_at = now()"
PLANTED = [
    ("a lost row", f"DELETE FROM prospend.claim WHERE {A_CLAIM}", "lost", "claim", ""),
    ("elements without a row", f"DELETE FROM prospend.claim WHERE {A_CLAIM}", "orphan", "claim_approver", ""),
    ("a row twice", f"INSERT INTO prospend.claim FROM prospend.claim WHERE {A_CLAIM}", "duplicate", "claim", ""),
    ("a row nobody sent", PERSONAL, "not in the books", "expense", ""),
    ("a word", f"UPDATE prospend.claim SET summary = summary || ' ' WHERE {A_CLAIM}", "value", "claim", "summary"),
    ("a microsecond", f"UPDATE prospend.claim SET updated_date = updated_date + INTERVAL 1 MICROSECOND WHERE {A_CLAIM}", "value", "claim", "updated_date"),
    ("a date that is not yet", "UPDATE prospend.claim SET finalised_date = now() WHERE finalised_date IS NULL", "value", "claim", "finalised_date"),
    ("a hundredth of a cent", "UPDATE prospend.expense SET gross_amount = gross_amount + 0.0001", "value", "expense", "gross_amount"),
    ("the amount in the other currency", "UPDATE prospend.expense SET claim_currency_total_tax_amount = claim_currency_total_tax_amount + 1", "value", "expense", "claim_currency_total_tax_amount"),
    ("empty text for nothing", NULLED, "value", "supplier", "primary_address_address3"),
    ("a flag", "UPDATE prospend.supplier SET is_active = NOT is_active", "value", "supplier", "is_active"),
    ("an unknown field", UNKNOWN, "unknown fields", "supplier", "_extra"),
    ("a lost list", f"DELETE FROM prospend.claim_approver WHERE {ITS_LISTS}", "elements", "claim_approver", ""),
    ("an element twice", f"INSERT INTO prospend.claim_approver FROM prospend.claim_approver WHERE {ITS_LISTS}", "duplicate", "claim_approver", "_index"),
    ("a gap in a list", f"UPDATE prospend.claim_approver SET _index = _index + 1 WHERE {ITS_LISTS}", "place", "claim_approver", "_index"),
    ("an element's amount", "UPDATE prospend.claim_currency_total SET net_amount = -net_amount WHERE net_amount <> 0", "value", "claim_currency_total", "[0].net_amount"),
    ("an element of plain text", "UPDATE prospend.tax_code_entity SET entity_id = '0'", "value", "tax_code_entity", "[0].entity_id"),
    ("an inexact type", "ALTER TABLE prospend.expense ALTER gross_amount TYPE DOUBLE", "inexact", "expense", "gross_amount"),
    ("an inexact amount", "ALTER TABLE prospend.expense ALTER gross_amount TYPE DOUBLE", "value", "expense", "gross_amount"),
    ("an amount as text", "ALTER TABLE prospend.expense ALTER gross_amount TYPE VARCHAR", "value", "expense", "gross_amount"),
    ("alive rows marked deleted", DELETED, "marked deleted", "claim", ""),
    ("a row both alive and deleted", f"{DELETED} WHERE {A_CLAIM}; INSERT INTO prospend.claim SELECT * REPLACE (NULL AS _deleted_at) FROM prospend.claim WHERE {A_CLAIM}", "alive and dead", "claim", ""),
]  # fmt: skip


@pytest.fixture(scope="module")
def books(authority: Path) -> Books:
    """The books that `earlier_night` was read from."""
    with in_thread(SandboxSettings(state_dir=authority, claims=60)) as running:
        return books_of(running.records)


@pytest.fixture
def file(earlier_night: Path, tmp_path: Path) -> Path:
    """A copy of the published file that can be written to."""
    copy = tmp_path / "copy.duckdb"
    shutil.copy(earlier_night / "warehouse.duckdb", copy)
    copy.chmod(0o600)
    return copy


def plant(file: Path, sql: str) -> None:
    with closing(duckdb.connect(str(file))) as connection:
        connection.execute(sql).fetchall()


def test_a_right_warehouse_has_no_difference(file: Path, books: Books):
    """What was read and published is what the books hold: no finding in any table."""
    published = checker.read(file)
    assert differences(published, exactly(books)) == []
    assert all(published.rows.values())
    assert published.rows.keys() == books.keys()


@pytest.mark.parametrize(
    ("sql", "what", "table", "place"), [one[1:] for one in PLANTED], ids=[one[0] for one in PLANTED]
)
def test_a_planted_fault_is_named(file: Path, books: Books, sql: str, what: str, table: str, place: str):
    """Every kind of fault is found, with its kind, its table and its column."""
    plant(file, sql)
    found = {(one.what, one.table, one.place) for one in differences(checker.read(file), exactly(books))}
    assert (what, table, place) in found


def test_a_row_may_be_of_any_state_the_books_had_while_read(file: Path, books: Books):
    """Books that moved: the old and the new value are right, a third is not, nor is a row that was there throughout."""
    key = min(books["claim"])
    moved = {**books, "claim": {**books["claim"], key: {**books["claim"][key], "summary": "new"}}}
    grown = {**moved, "claim": {**moved["claim"], ("1", "unborn"): books["claim"][key]}}
    published = checker.read(file)
    assert differences(published, any_of([books, grown])) == []
    assert [str(one) for one in differences(published, any_of([grown, grown]))] == [
        f"value: claim{list(key)} summary: expected 'new', found {books['claim'][key]['summary']!r}",
        "lost: claim['1', 'unborn']: expected None, found None",
    ]


def test_a_rewritten_history_is_seen(file: Path):
    """Two readings of what was known at one instant that differ in a value, a row or an element are told apart."""
    before = checker.read(file)
    assert checker.changed(before, checker.read(file)) == []
    plant(file, f"UPDATE prospend.claim SET notes = 'never' WHERE {A_CLAIM}; DELETE FROM prospend.expense_recipient")
    plant(file, "DELETE FROM prospend.portfolio")
    found = {one.table for one in checker.changed(before, checker.read(file))}
    assert found == {"claim", "expense", "portfolio"}


def test_the_checker_shares_no_code_with_what_it_checks():
    """It imports nothing of the pipeline: one mistake in both would otherwise go unseen."""
    tree = ast.parse(Path(checker.__file__).read_text("utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [name for name in imported if name.split(".")[0] in ("pipeline", "published", "sandbox_site")]
