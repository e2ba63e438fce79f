"""What the source sends otherwise than before or than the catalogue says, and which of it refuses a night."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.checks import (
    Figures,
    Sums,
    demanded,
    fields_sent,
    from_document,
    refuse_unknown,
    sums_right,
    switchable,
    to_document,
    types_as_declared,
)
from pipeline.errors import ConfigError
from pipeline.model import Blamed, CheckResult, ColumnFill, Note, Quarantined
from pipeline.resources import read_catalogue

OWN = read_catalogue()


def fill(rows: int, filled: int, column: str = "code", table: str = "expense") -> ColumnFill:
    return ColumnFill(table, column, rows, filled)


def sent(before: ColumnFill, read: ColumnFill, *, in_full: bool, notes: tuple[Note, ...] = ()):
    resources = ["expense"] if in_full else []
    return fields_sent(
        [read], Figures("a", fills=(before,)), resource_of={"expense": "expense"}, in_full=resources, notes=notes
    )


@pytest.mark.parametrize(
    ("before", "read", "passed"),
    [
        (fill(100, 90), fill(100, 1), True),
        (fill(100, 90), fill(100, 0), False),
        (fill(100, 50), fill(10, 0), False),
        (fill(100, 49), fill(100, 0), True),
        (fill(9, 9), fill(100, 0), True),
        (fill(100, 90), fill(9, 0), True),
        (fill(100, 0), fill(100, 0), True),
        (fill(100, 90, "other"), fill(100, 0), True),
    ],
    ids=["one left", "gone", "half was filled", "rarely filled", "few before", "few now", "never filled", "new column"],
)
def test_a_field_that_vanished_from_a_full_reading_refuses_the_night(before, read, passed):
    """Filled in half of at least ten rows, now in none of at least ten: dropped or renamed, and not by people."""
    required, advisory = sent(before, read, in_full=True)
    assert (required.name, required.required, required.passed) == ("fields_sent", True, passed)
    assert advisory.passed


@pytest.mark.parametrize(
    ("before", "read", "passed"),
    [(fill(100, 90), fill(23, 0), False), (fill(100, 90), fill(22, 0), True), (fill(1000, 10), fill(2000, 0), False)],
    ids=["20 values expected", "fewer", "rarely filled, much read"],
)
def test_a_field_missing_in_all_changes_is_told(before, read, passed):
    """Where only changes are read, at least twenty values would have been expected: told, since changes are no sample."""
    required, advisory = sent(before, read, in_full=False)
    assert required.passed
    assert (advisory.name, advisory.required, advisory.passed) == ("fields_sent_in_changes", False, passed)


def test_a_vanished_field_is_blamed_with_its_numbers_and_what_is_new_beside_it():
    """A rename is recognized where it happened, and the way to accept a loss is told."""
    note = Note("expense", "itemCode", "unknown_field", 100)
    (result, _) = sent(fill(100, 90), fill(80, 0), in_full=True, notes=(note,))
    told = "expense.code: filled in 90 of 100 rows before, in none of the 80 read now; new there: itemCode"
    assert result.blamed == (Blamed("expense", (), told),)
    assert "take the column out of the catalogue" in result.detail


def test_another_type_is_told_by_field_and_reason():
    """How many records were set aside for it is the quarantine's limit; that a field changed its type is told here."""
    one = Quarantined("claim", (("companyId", "1"),), 0, 0, "status", "text wanted, object found", b"{}")
    result = types_as_declared([one, replace(one, record=1), replace(one, field="", reason="not valid UTF-8")])
    assert (result.required, result.passed) == (False, False)
    assert result.detail == "claim.status: text wanted, object found (2 records); claim: not valid UTF-8 (1 records)"
    assert types_as_declared([]).passed


# ---- sums -----------------------------------------------------------------------------------------------------------


def test_sums_that_are_wrong_name_some_rows_and_count_all():
    """Documented amounts refuse, inferred ones are told; the rows stay with the verdict, the keys are in its words."""
    rows = tuple(Blamed("claim", ("1", str(n)), "is wrong") for n in range(9))
    found = Sums("amounts_add_up.x", is_documented=True, compared=20, incomplete=2, wrong_count=1500, wrong=rows)
    required, advisory = sums_right([found, replace(found, is_documented=False)])
    assert (required.required, advisory.required) == (True, False)
    assert (required.blamed, required.blamed_count) == (rows, 1500)
    assert required.detail == (
        "1,500 of 20 do not add up, such as claim 1/0, claim 1/1, claim 1/2, "
        "2 not compared: an amount or its currency is missing"
    )
    assert dict(required.numbers) == {"compared": 20, "incomplete": 2, "wrong": 1500}


def test_a_key_of_any_length_leaves_a_detail_readable():
    """A key comes from the source and could be as long as a page."""
    found = Sums("x", is_documented=True, compared=1, wrong_count=1, wrong=(Blamed("claim", ("k" * 10_000,), ""),))
    assert len(sums_right([found])[0].detail) < 200


def test_what_was_not_compared_passes_and_says_why():
    """Nobody takes it for compared."""
    (result,) = sums_right([Sums("x", is_documented=True, not_compared="not compared: the source sends none")])
    assert (result.passed, result.detail) == (True, "not compared: the source sends none")


# ---- what the site wants --------------------------------------------------------------------------------------------


def verdict(name: str, *, required: bool) -> CheckResult:
    return CheckResult(name, required=required, passed=False, detail="")


def test_a_site_makes_checks_required_or_advisory():
    """By name, or for all of a kind; the own name goes first; what is not named stays."""
    results = [
        verdict("lines_add_up.expense_split", required=False),
        verdict("lines_add_up.invoice_split", required=False),
        verdict("amounts_add_up.expense", required=True),
        verdict("fields_sent", required=True),
        verdict("data_fresh", required=False),
    ]
    wanted = demanded(results, ["lines_add_up", "data_fresh"], ["lines_add_up.invoice_split", "fields_sent"])
    assert [one.required for one in wanted] == [True, False, True, False, True]


@pytest.mark.parametrize(
    ("required", "advisory", "told"),
    [
        (["line_add_up"], [], "did you mean 'lines_add_up'?"),
        (["lines_add_up.expens_split"], [], "did you mean 'lines_add_up.expense_split'?"),
        ([], ["money_pages_equal_parquet"], "'money_pages_equal_parquet' is no check that can be switched"),
        ([], ["keys_unique_and_present"], "no check that can be switched"),
        (["fields_sent"], ["fields_sent"], "both required and advisory"),
    ],
)
def test_names_of_checks_are_refused_unless_they_can_be_switched(required, advisory, told):
    """A typing error would switch nothing; and no setting switches off what the promises stand on."""
    with pytest.raises(ConfigError) as caught:
        refuse_unknown(required, advisory, OWN)
    assert told in caught.value.what


def test_every_switchable_check_can_be_named():
    """Each one, and each kind."""
    names = switchable(OWN)
    assert {"lines_add_up.expense.transaction_totals", "amounts_add_up.claim_currency_total"} <= set(names)
    refuse_unknown(names, (), OWN)
    refuse_unknown(("lines_add_up",), ("amounts_add_up",), OWN)


def test_a_verdict_survives_a_manifest():
    """All but the rows themselves comes back."""
    rows = (Blamed("claim", ("1",), "is wrong"),)
    result = CheckResult("x", True, False, "d", numbers=(("n", 1), ("share", 0.5)), blamed=rows, blamed_count=7)
    assert from_document(to_document(result)) == replace(result, blamed=())
