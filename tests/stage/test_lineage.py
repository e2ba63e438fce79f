"""Where the columns of the marts come from: what is committed is what their SQL says."""

from __future__ import annotations

import pytest

from pipeline.marts import all_marts, lineage
from pipeline.marts.reading import mart_of
from pipeline.resources import read_catalogue
from pipeline.tables import all_tables
from tests.lineage.deriving import FILE, derive, sources, text_of

HEADER = """-- One row is a line.
--
-- grain: id
-- evidence: documented
--
-- id: key
-- amount: amount
"""
SCHEMA = {
    "live_line": {"id": "VARCHAR", "gross": "DECIMAL", "other": "DECIMAL", "at": "DATE"},
    "live_part": {"id": "VARCHAR", "line_id": "VARCHAR", "gross": "DECIMAL"},
    "mart__earlier": {"id": "VARCHAR", "net": "DECIMAL"},
}
EARLIER = {"earlier": {"id": ["part.id"], "net": ["part.gross", "part.tax"]}}


def test_the_committed_lineage_is_what_the_marts_say():
    """After a change of a mart: `make lineage`."""
    assert FILE.read_text("utf-8") == text_of(derive())


def test_every_mart_column_has_its_lineage_and_every_end_is_a_column():
    """No column is missing, and nothing is named that there is not."""
    known = {f"{table.name}.{column.name}" for table in all_tables(read_catalogue()) for column in table.columns}
    assert {mart.name: [name for name, _ in mart.columns] for mart in all_marts()} == {
        mart: list(columns) for mart, columns in lineage().items()
    }
    assert {end for columns in lineage().values() for ends in columns.values() for end in ends} <= known


def test_a_spend_line_is_followed_to_every_kind_of_line():
    """An amount is an expense's, an invoice line's, or that of a part of either."""
    assert lineage()["spend_line"]["gross_amount"] == [
        "expense.gross_amount",
        "expense_split.gross_amount",
        "invoice_line.gross_amount",
        "invoice_split.gross_amount",
    ]


@pytest.mark.parametrize(
    ("sql", "amount"),
    [
        ("SELECT id, gross AS amount FROM live_line WHERE other > 0", ["line.gross"]),
        ("SELECT id, CASE WHEN other > 0 THEN gross END AS amount FROM live_line", ["line.gross", "line.other"]),
        ("SELECT id, sum(gross) AS amount FROM live_line GROUP BY id, other", ["line.gross"]),
        ("SELECT id, count(*) AS amount FROM live_line GROUP BY id", []),
        ("SELECT id, sum(gross) OVER (PARTITION BY other) AS amount FROM live_line", ["line.gross"]),
        ("SELECT id, first(gross ORDER BY at) AS amount FROM live_line GROUP BY id", ["line.at", "line.gross"]),
        ("WITH a AS (SELECT id, gross AS x FROM live_line) SELECT id, x + 1 AS amount FROM a", ["line.gross"]),
        (
            "SELECT id, gross AS amount FROM live_line UNION ALL SELECT line_id, gross FROM live_part",
            ["line.gross", "part.gross"],
        ),
        ("SELECT id, (SELECT max(gross) FROM live_part) AS amount FROM live_line", ["part.gross"]),
        (
            "SELECT l.id, e.net AS amount FROM live_line AS l JOIN mart.earlier AS e USING (id)",
            ["part.gross", "part.tax"],
        ),
        ("SELECT * FROM (SELECT id, local_on(at) AS amount FROM live_line) AS inside", ["line.at"]),
    ],
)
def test_values_are_followed_and_filters_are_not(sql, amount):
    """Through expressions, subqueries, unions and earlier marts; not into WHERE, joins and groups."""
    assert sources(mart_of("m", HEADER + sql), SCHEMA, EARLIER)["amount"] == amount
