"""What is counted in a loaded warehouse for the checks: planted wrong rows are found, named, and nothing else is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from warehouse_parts import AT, CHECKS, RUN_ID, run_of

from pipeline import checks, warehouse
from pipeline.checks import Figures, StateCount, Sums, UpdateTimes
from pipeline.model import Blamed, CheckResult, ColumnFill
from pipeline.resources import Catalogue, read_catalogue
from pipeline.warehouse import Built, Parts
from pipeline.warehouse.counting import counted
from pipeline.warehouse.figures import store, stored

OWN = read_catalogue()
ALL_LINES = frozenset({"include_personal", "include_omitted"})


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A file with every table of the program's own catalogue, and no rows."""
    folder = tmp_path_factory.mktemp("empty")
    return warehouse.build(folder / "w.duckdb", [run_of(*(Parts(one, ()) for one in OWN))], temp_dir=folder)


Count = Callable[..., dict[str, Sums]]


@pytest.fixture
def file(empty: Built, tmp_path: Path) -> Built:
    """A copy of the empty file for one test alone."""
    path = tmp_path / "w.duckdb"
    shutil.copy(empty.path, path)
    path.chmod(0o600)
    return replace(empty, path=path)


def planted(
    built: Built, *statements: str, catalogue: Catalogue = OWN, switches: frozenset[str] = ALL_LINES, zone: str = "UTC"
):
    """Everything counted after these rows were put into the file."""
    with duckdb.connect(str(built.path)) as connection:
        for one in statements:
            connection.execute(one)
        return counted(connection, catalogue, run_id=RUN_ID, now=AT, switches=switches, zone=zone)


def sums_of(found: warehouse.Counted) -> dict[str, Sums]:
    return {one.name: one for one in found.sums}


CLAIMS = "INSERT INTO prospend.claim (company_id, id, status, finalised_date, updated_date) VALUES "
TOTALS = (
    "INSERT INTO prospend.claim_transaction_total "
    "(company_id, claim_id, _index, gross_amount, net_amount, tax_amount, currency_code) VALUES "
)
EXPENSES = (
    "INSERT INTO prospend.expense "
    "(company_id, claim_id, id, gross_amount, net_amount, tax_amount, currency_code, is_personal, is_omitted) VALUES "
)
SPLIT = "INSERT INTO prospend.expense (company_id, claim_id, id, gross_amount, net_amount, tax_amount, currency_code, is_split) VALUES "
PARTS = (
    "INSERT INTO prospend.expense_split "
    "(company_id, claim_id, expense_id, id, gross_amount, net_amount, tax_amount, currency_code) VALUES "
)
ONE_CLAIM = CLAIMS + "('1', 'a', 'Approved', NULL, NULL)"
AMOUNTS = "amounts_add_up.claim_transaction_total"
LINES = "lines_add_up.expense.transaction_totals"


def test_a_row_whose_gross_is_not_net_plus_tax_is_named(file: Built):
    """To the last digit, in every table with such amounts; the row's record is blamed, with the amounts as stored."""
    found = sums_of(
        planted(
            file,
            TOTALS + "('1', 'a', 0, 300, 281.82, 18.18, 'AUD'), ('1', 'a', 1, 100, 90.91, 9.0899, 'NZD')",
            EXPENSES + "('1', 'a', 'x', 5, 4, 2, 'AUD', NULL, NULL)",
        )
    )
    detail = "claim_transaction_total[1]: gross_amount 100.0000 is not net_amount 90.9100 + tax_amount 9.0899, in NZD"
    assert found[AMOUNTS] == Sums(
        AMOUNTS, is_documented=True, compared=2, wrong_count=1, wrong=(Blamed("claim", ("1", "a"), detail),)
    )
    assert found["amounts_add_up.expense"].wrong[0].key == ("1", "a", "x")
    assert not found["amounts_add_up.expense"].is_documented


def test_amounts_that_are_missing_are_not_compared_but_counted(file: Built):
    """A gross amount without its net or tax is no difference, and does not pass for one compared either."""
    found = sums_of(
        planted(
            file,
            TOTALS
            + "('1', 'a', 0, 300, NULL, 18.18, 'AUD'), ('1', 'a', 1, NULL, 1, 2, 'AUD'), ('1', 'b', 0, 0, 0, 0, NULL)",
        )
    )
    assert (found[AMOUNTS].compared, found[AMOUNTS].incomplete, found[AMOUNTS].wrong_count) == (1, 1, 0)


def test_the_widest_amounts_are_added_exactly(file: Built):
    """The sum of two of the greatest amounts is no overflow and no rounding."""
    widest = "99999999999999.9999"
    found = sums_of(planted(file, TOTALS + f"('1', 'a', 0, {widest}, {widest}, {widest}, 'AUD')"))
    assert found[AMOUNTS].wrong_count == 1


def test_wrong_rows_are_named_up_to_a_limit_and_all_counted(file: Built):
    """A thousand names are enough to look into; the number is the true one."""
    many = (
        "INSERT INTO prospend.claim_transaction_total (company_id, claim_id, _index, gross_amount, net_amount, tax_amount) "
        "SELECT '1', i::VARCHAR, 0, 1, 1, 1 FROM range(1500) t(i)"
    )
    found = sums_of(planted(file, many))
    assert (found[AMOUNTS].wrong_count, len(found[AMOUNTS].wrong)) == (1500, 1000)


@pytest.mark.parametrize(
    ("lines", "compared", "incomplete", "wrong"),
    [
        ("('1', 'a', 'x', 10, 9, 1, 'AUD', NULL, NULL), ('1', 'a', 'y', 20, 18, 2, 'AUD', false, false)", 1, 0, 0),
        ("('1', 'a', 'x', 30.0001, 27, 3, 'AUD', NULL, NULL)", 1, 0, 1),
        ("('1', 'a', 'x', 30, 27, 3, 'AUD', NULL, NULL), ('1', 'a', 'p', 7, 7, 0, 'AUD', true, NULL)", 1, 0, 0),
        ("('1', 'a', 'x', 30, 27, 3, 'AUD', NULL, NULL), ('1', 'a', 'o', 7, 7, 0, 'AUD', NULL, true)", 1, 0, 0),
        ("('1', 'a', 'x', 30, 27, 3, 'AUD', NULL, NULL), ('1', 'a', 'z', 1, 1, 0, 'NZD', NULL, NULL)", 2, 0, 1),
        ("('1', 'a', 'x', 30, 27, 3, 'AUD', NULL, NULL), ('1', 'a', 'z', 0, 0, 0, 'NZD', NULL, NULL)", 2, 0, 0),
        ("('1', 'a', 'x', 30, 27, 3, 'AUD', NULL, NULL), ('1', 'a', 'z', NULL, NULL, NULL, 'AUD', NULL, NULL)", 0, 1, 0),
        ("('1', 'a', 'x', 31, NULL, NULL, 'AUD', NULL, NULL)", 1, 0, 1),
        ("('1', 'a', 'x', 30, NULL, NULL, 'AUD', NULL, NULL)", 1, 0, 0),
        ("('1', 'a', 'x', 31, 28, 3, NULL, NULL, NULL)", 0, 2, 0),
        ("('1', 'b', 'x', 30, 27, 3, 'AUD', NULL, NULL)", 1, 0, 1),
        ("('1', 'gone', 'x', 30, 27, 3, 'AUD', NULL, NULL), ('1', 'a', 'x', 30, 27, 3, 'AUD', NULL, NULL)", 1, 0, 0),
    ],
    ids=[
        "sum of two lines", "a ten-thousandth more", "personal left out", "omitted left out", "line in another currency",
        "nothing in another currency", "a line without amounts", "gross alone differs", "gross alone agrees",
        "a line without currency", "no line", "line of a claim that is not there",
    ],
)  # fmt: skip
def test_a_document_is_the_sum_of_its_lines_in_each_currency(file: Built, lines, compared, incomplete, wrong):
    """Personal and omitted lines do not count, currencies never mix, and what lacks an amount is not compared."""
    found = sums_of(planted(file, ONE_CLAIM, TOTALS + "('1', 'a', 0, 30, 27, 3, 'AUD')", EXPENSES + lines))[LINES]
    assert (found.compared, found.incomplete, found.wrong_count) == (compared, incomplete, wrong)
    assert not found.is_documented


def test_the_document_to_blame_is_named_with_both_sides(file: Built):
    """Whoever looks into it needs the claim, the currency, and what stands on either side."""
    found = sums_of(
        planted(
            file, ONE_CLAIM, TOTALS + "('1', 'a', 0, 30, 27, 3, 'AUD')",
            EXPENSES + "('1', 'a', 'x', 12, 11, 1, 'AUD', NULL, NULL)",
        )
    )[LINES]  # fmt: skip
    detail = (
        "transactionTotals in AUD against 1 of expense: grossAmount 30.0000 against 12.0000, "
        "netAmount 27.0000 against 11.0000, taxAmount 3.0000 against 1.0000"
    )
    assert found.wrong == (Blamed("claim", ("1", "a"), detail),)


def test_totals_that_include_personal_lines_are_recognized(file: Built):
    """Whether totals include them is not documented: if they do, the check says which setting of the catalogue to change."""
    found = planted(
        file, ONE_CLAIM, TOTALS + "('1', 'a', 0, 30, 27, 3, 'AUD')",
        EXPENSES + "('1', 'a', 'x', 20, 18, 2, 'AUD', NULL, NULL), ('1', 'a', 'p', 10, 9, 1, 'AUD', true, NULL)",
    )  # fmt: skip
    assert (sums_of(found)[LINES].wrong_count, sums_of(found)[LINES].tie_with_all) == (1, 1)
    (told,) = [one for one in checks.sums_right(found.sums) if one.name == LINES]
    assert "take these flags out of `without`" in told.detail


def test_lines_that_were_not_asked_for_do_not_cry_wolf(file: Built):
    """Where totals count all lines, and the setting does not ask for all, nothing is compared, and that is said."""
    counting_all = tuple(replace(tie, without=()) for tie in OWN["expense"].ties)
    site = replace(
        OWN, resources=tuple(replace(one, ties=counting_all) if one.name == "expense" else one for one in OWN)
    )
    rows = (ONE_CLAIM, TOTALS + "('1', 'a', 0, 30, 27, 3, 'AUD')")
    asked = sums_of(planted(file, *rows, catalogue=site))
    not_asked = sums_of(planted(file, catalogue=site, switches=frozenset({"include_omitted"})))
    assert (asked[LINES].wrong_count, not_asked[LINES].wrong_count) == (1, 0)
    assert "extract.include_personal is off" in not_asked[LINES].not_compared


def test_totals_that_the_source_never_sends_are_not_compared(file: Built):
    """No claim has totals: an older form of the API. With one that has, a claim without totals is a difference."""
    two = CLAIMS + "('1', 'a', NULL, NULL, NULL), ('1', 'b', NULL, NULL, NULL)"
    lines = EXPENSES + "('1', 'a', 'x', 30, 27, 3, 'AUD', NULL, NULL), ('1', 'b', 'x', 1, 1, 0, 'AUD', NULL, NULL)"
    without = sums_of(planted(file, two, lines))[LINES]
    having = sums_of(planted(file, TOTALS + "('1', 'a', 0, 30, 27, 3, 'AUD')"))[LINES]
    assert "sends no transactionTotals" in without.not_compared
    assert (without.wrong_count, [one.key for one in having.wrong]) == (0, [("1", "b")])


@pytest.mark.parametrize(
    ("expense", "parts", "wrong"),
    [
        ("true", "('1', 'a', 'x', 'x:1', 4, 3, 1, 'AUD'), ('1', 'a', 'x', 'x:2', 6, 6, 0, 'AUD')", 0),
        ("true", "('1', 'a', 'x', 'x:1', 4, 3, 1, 'AUD')", 1),
        ("NULL", "('1', 'a', 'x', 'x:1', 4, 3, 1, 'AUD')", 1),
        ("true", "('1', 'a', 'y', 'y:1', 4, 3, 1, 'AUD')", 1),
        ("false", "('1', 'a', 'y', 'y:1', 4, 3, 1, 'AUD')", 0),
    ],
    ids=["parts add up", "a part is missing", "flag missing", "flagged without parts", "not split"],
)
def test_parts_of_a_split_line_add_up_to_it(file: Built, expense, parts, wrong):
    """Only what is split is compared: by its flag, or because it has parts."""
    found = sums_of(planted(file, SPLIT + f"('1', 'a', 'x', 10, 9, 1, 'AUD', {expense})", PARTS + parts))
    assert found["lines_add_up.expense_split"].wrong_count == wrong


def test_deleted_rows_are_left_out_of_everything(file: Built):
    """A row that the source deleted stands in its table with a mark; it is in no sum and no count."""
    rows = (
        ONE_CLAIM,
        TOTALS + "('1', 'a', 0, 30, 27, 3, 'AUD'), ('1', 'gone', 0, 1, 7, 7, 'AUD')",
        EXPENSES + "('1', 'a', 'x', 30, 27, 3, 'AUD', NULL, NULL), ('1', 'a', 'gone', 7, 7, 0, 'AUD', NULL, NULL)",
        "UPDATE prospend.claim_transaction_total SET _deleted_at = now() WHERE claim_id = 'gone'",
        "UPDATE prospend.expense SET _deleted_at = now() WHERE id = 'gone'",
    )
    found = planted(file, *rows)
    assert [one.name for one in found.sums if one.wrong_count] == []
    assert dict(found.figures.rows)["expense"] == dict(found.figures.rows)["claim_transaction_total"] == 1


def test_a_night_in_numbers(file: Built):
    """Rows, filled columns and lists, states by month, and update times are what stands in the tables."""
    found = planted(
        file,
        CLAIMS
        + "('1', 'a', 'Finalised', '2026-05-31T23:30:00Z', '2026-06-02T00:00:00.123456Z'), "
        + "('1', 'b', 'Finalised', '2026-06-01T00:00:00Z', NULL), ('1', 'c', 'Sideways', NULL, '2999-01-01T00:00:00Z')",
        TOTALS + "('1', 'a', 0, 1, 1, 0, 'AUD'), ('1', 'a', 1, 2, 2, 0, NULL), ('1', 'b', 0, 3, 3, 0, 'AUD')",
    ).figures
    assert (dict(found.rows)["claim"], dict(found.rows)["claim_transaction_total"]) == (3, 3)
    for fill in (
        ColumnFill("claim", "finalised_date", 3, 2),
        ColumnFill("claim", "notes", 3, 0),
        ColumnFill("claim", "claim_transaction_total", 3, 2),
        ColumnFill("claim_transaction_total", "currency_code", 3, 2),
    ):
        assert fill in found.fills
    assert [one for one in found.states if one.table == "claim"] == [
        StateCount("claim", "status", "(other)", "", 1),
        StateCount("claim", "status", "Finalised", "2026-05", 1),
        StateCount("claim", "status", "Finalised", "2026-06", 1),
    ]
    assert UpdateTimes("claim", datetime(2999, 1, 1, tzinfo=UTC), missing=1, in_future=1) in found.updates
    assert UpdateTimes("supplier", None) in found.updates


@pytest.mark.parametrize(
    ("zone", "months"),
    [
        ("UTC", {"2026-05": 3, "2026-06": 2}),
        ("Australia/Sydney", {"2026-05": 1, "2026-06": 4}),
        ("Australia/Adelaide", {"2026-05": 2, "2026-06": 3}),
        ("Pacific/Marquesas", {"2026-05": 5}),
    ],
)
def test_months_are_those_of_the_site(file: Built, zone: str, months: dict[str, int]):
    """To the minute at which a month begins there, half-hour offsets included."""
    moments = ("05-31T13:59:59.999999Z", "05-31T14:00:00Z", "05-31T14:30:00Z", "06-01T00:00:00Z", "06-01T09:29:59Z")
    rows = ", ".join(f"('1', 'k{n}', 'Finalised', '2026-{moment}', NULL)" for n, moment in enumerate(moments))
    found = planted(file, CLAIMS + rows, zone=zone).figures
    assert found.zone == zone
    assert {one.month: one.rows for one in found.states if one.table == "claim"} == months


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_ends_of_time_have_a_month(file: Built, moment: str):
    """Where no other zone has one, that of UTC."""
    for zone in ("Pacific/Marquesas", "Pacific/Kiritimati"):
        found = planted(
            file, f"DELETE FROM prospend.claim; {CLAIMS} ('1', 'a', 'Finalised', '{moment}', NULL)", zone=zone
        )
        assert [one.month[:2] for one in found.figures.states if one.table == "claim"] == [moment[:2]]


def test_figures_are_found_again_in_the_file(file: Built):
    """What one night counted is what the next is compared with, to the microsecond; storing twice leaves one night."""
    figures = planted(
        file, CLAIMS + "('1', 'a', 'Finalised', '2026-05-31T23:30:00Z', '2026-06-02T00:00:00.123456Z')"
    ).figures
    with duckdb.connect(str(file.path)) as connection:
        assert stored(connection) is None
        store(connection, Figures("earlier", rows=(("claim", 7),)))
        store(connection, figures)
        assert stored(connection) == figures


def test_a_finished_file_keeps_figures_verdicts_and_rows_to_blame(file: Built, tmp_path: Path):
    """Readers find every verdict with its numbers, and the rows that are wrong; the next night finds the figures."""
    blamed = (Blamed("claim", ("1", "a"), "is wrong"), Blamed("claim", (), "a column"))
    told = CheckResult("x", False, False, "d", numbers=(("wrong", 2), ("share", 0.5)), blamed=blamed, blamed_count=2)
    figures = Figures(RUN_ID, rows=(("claim", 7),))
    warehouse.finish(file, (*CHECKS, told), figures=figures)
    with warehouse.connect(file.path) as connection:
        results = connection.execute(
            "SELECT name, numbers, blamed_count FROM meta.check_result ORDER BY position"
        ).fetchall()
        failures = connection.execute("SELECT run_id, name, resource, key, detail FROM meta.check_failure").fetchall()
    assert results == [("rows", "{}", 0), ("x", '{"wrong": 2, "share": 0.5}', 2)]
    assert failures == [(RUN_ID, "x", "claim", ["1", "a"], "is wrong"), (RUN_ID, "x", "claim", [], "a column")]
    assert warehouse.earlier_figures(file.path) == figures


def test_without_an_earlier_night_there_are_no_figures(file: Built, tmp_path: Path):
    """No warehouse, one from before figures were kept, or one that cannot be read: nothing to compare with."""
    with duckdb.connect(str(file.path)) as connection:
        connection.execute("DROP TABLE meta.figure")
    (tmp_path / "damaged").write_bytes(b"not a warehouse")
    for place in (tmp_path / "none", file.path, tmp_path / "damaged"):
        assert warehouse.earlier_figures(place) is None


def test_a_built_file_is_counted_before_it_is_finished(file: Built, tmp_path: Path):
    """The file is opened read-only with a build's limits, and left as it was."""
    before = file.path.read_bytes()
    found = warehouse.count(file, OWN, now=AT, switches=frozenset(), temp_dir=tmp_path)
    assert (found.figures.run_id, file.path.read_bytes() == before) == (RUN_ID, True)
