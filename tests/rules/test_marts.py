"""What is true of every mart's text: no amount is ever added to one of another currency."""

from __future__ import annotations

import pytest
from currencies import Relation, money_of

from pipeline.marts import all_marts
from pipeline.resources import read_catalogue
from pipeline.tables import all_tables

MARTS = all_marts()
# Tables of `meta` hold no amounts that a mart reads as money.
META = {
    "meta.restatement": "run_id resource table_name key column_name before after kind",
    "meta.run": "run_id data_as_at as_at",
    "meta.run_resource": "run_id resource mode row_count new_count changed_count deleted_count",
    "meta.snapshot_info": "run_id data_as_at",
    "meta.quarantine": "resource deleted_at",
}
KNOWN = (
    {
        f"live_{table.name}": Relation(
            tuple(column.name for column in table.columns),
            {
                column.name: frozenset({column.currency})
                for column in table.columns
                if column.is_money and column.currency
            },
        )
        for table in all_tables(read_catalogue())
    }
    | {
        f"mart.{mart.name}": Relation(
            tuple(name for name, _ in mart.columns),
            {amount: frozenset({currency}) for amount, currency in mart.currency_of.items()},
        )
        for mart in MARTS
    }
    | {name: Relation(tuple(columns.split())) for name, columns in META.items()}
)


@pytest.mark.parametrize("mart", MARTS, ids=lambda mart: mart.name)
def test_no_mart_adds_amounts_of_different_currencies(mart):
    """Every amount is followed from the source's columns to the result, and its currency with it."""
    given, problems = money_of(mart.sql, KNOWN)
    assert not problems
    assert given.columns == tuple(name for name, _ in mart.columns)
    assert not {amount for amount, held in given.money.items() if mart.currency_of.get(amount) not in held}


@pytest.mark.parametrize("test", [test for mart in MARTS for test in mart.tests], ids=lambda test: test.name)
def test_no_test_of_a_mart_adds_amounts_of_different_currencies(test):
    """A test that did would compare nonsense."""
    statement = f"SELECT key FROM ({test.sql}) AS found"
    assert not money_of(statement, KNOWN)[1]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT sum(gross_amount) AS total FROM mart.spend_line", "not by its currency"),
        ("SELECT month_on, sum(gross_amount) AS total FROM mart.spend_line GROUP BY month_on", "not by its currency"),
        # the other currency of the line is none
        (
            "SELECT claim_currency_code, sum(gross_amount) AS total FROM mart.spend_line GROUP BY claim_currency_code",
            "not by its currency",
        ),
        ("SELECT max(net_amount) FILTER (WHERE is_spend) AS most FROM mart.spend_line", "not by its currency"),
        (
            "WITH a AS (SELECT gross_amount * 2 AS x, currency_code AS c FROM mart.spend_line) SELECT sum(x) AS x FROM a",
            "not by its currency",
        ),
        ("SELECT sum(gross_amount) OVER (PARTITION BY company_id) AS x, currency_code FROM mart.spend_line", "not by"),
        ("SELECT gross_amount AS g FROM mart.spend_line", "without its currency"),
        ("SELECT gross_amount + claim_gross_amount AS g, currency_code FROM mart.spend_line", "mixes amounts"),
        (
            (
                "SELECT a.gross_amount - b.gross_amount AS g, a.currency_code FROM mart.document AS a "
                "INNER JOIN mart.document AS b ON a.company_id = b.company_id"
            ),
            "mixes amounts",
        ),
        (
            (
                "SELECT currency_code, claim_currency_code, gross_amount AS x FROM mart.spend_line UNION ALL "
                "SELECT currency_code, claim_currency_code, claim_gross_amount AS x FROM mart.spend_line"
            ),
            "two currencies",
        ),
        (
            "SELECT company_id FROM mart.document GROUP BY company_id HAVING sum(gross_amount) > 5",
            "not by its currency",
        ),
        ("SELECT (SELECT sum(gross_amount) FROM mart.document) AS x", "not by its currency"),
        ("SELECT quantile_cont(gross_amount, 0.5) AS x FROM mart.document", "not by its currency"),
        ("SELECT arg_max(gross_amount, created_on) AS x FROM mart.document", "not by its currency"),
        ("SELECT list(gross_amount) AS x FROM mart.document", "not by its currency"),
    ],
)
def test_a_planted_sum_over_currencies_is_noticed(sql, told):
    """Whatever it is hidden in."""
    _, problems = money_of(sql, KNOWN)
    assert any(told in one for one in problems), problems


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT currency_code, sum(gross_amount) AS x FROM mart.spend_line GROUP BY currency_code",
        "SELECT claim_currency_code AS c, sum(claim_net_amount) AS x FROM mart.spend_line GROUP BY c",
        "SELECT count(gross_amount) AS n, bool_or(gross_amount < 0) AS any_credit FROM mart.spend_line",
        "SELECT currency_code, 100 * sum(net_amount) / sum(gross_amount) AS share FROM mart.document GROUP BY currency_code",
        (
            "SELECT a.gross_amount - b.gross_amount AS g, a.currency_code FROM mart.document AS a "
            "INNER JOIN mart.document AS b ON a.currency_code = b.currency_code"
        ),
    ],
)
def test_a_sum_within_one_currency_is_none(sql):
    assert not money_of(sql, KNOWN)[1]
