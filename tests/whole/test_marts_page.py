"""docs/marts.md is true: every statement on it runs, adds no currencies, and every mart has its place there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from currencies import Relation, money_of

import pipeline
from pipeline.marts import all_marts

PAGE = (Path(__file__).parents[2] / "docs" / "marts.md").read_text("utf-8")
STATEMENTS = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
KNOWN = {
    f"mart.{mart.name}": Relation(
        tuple(name for name, _ in mart.columns),
        {amount: frozenset({currency}) for amount, currency in mart.currency_of.items()},
    )
    for mart in all_marts()
}
# Of the sandbox's books, one night old: nothing departs, nothing is suspected, no period is closed.
OFTEN_EMPTY = ("mart.gst_departure", "mart.duplicate_suspect", "mart.restatement")


def first_table(statement: str) -> str:
    return re.search(r"FROM (mart\.\w+)", statement)[1]


@pytest.mark.parametrize("statement", STATEMENTS, ids=first_table)
def test_each_statement_gives_rows(earlier_night, statement):
    with pipeline.connect(earlier_night) as connection:
        rows = connection.execute(statement).fetchall()
    assert rows or first_table(statement) in OFTEN_EMPTY


@pytest.mark.parametrize("statement", STATEMENTS, ids=first_table)
def test_no_statement_adds_amounts_of_different_currencies(statement):
    assert not money_of(statement, KNOWN)[1]


def test_every_mart_is_named_and_every_answer_shown():
    """By a question in the table on top, and by a statement for all but the tables that one joins with."""
    named = set(re.findall(r"`(mart\.\w+)`", PAGE))
    assert named == KNOWN.keys()
    joined = set(re.findall(r"`(mart\.\w+)`", re.search(r"^\| Names, codes.*$", PAGE, re.MULTILINE)[0]))
    shown = {table for statement in STATEMENTS for table in re.findall(r"mart\.\w+", statement)}
    assert KNOWN.keys() - joined <= shown
