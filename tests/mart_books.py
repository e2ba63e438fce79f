"""A small file with marts whose values are hard on whatever writes them elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from pipeline import warehouse

RUN_ID = "20261123T020000Z"
EXACT = "12345678901234.5678"  # more digits than a double holds
HOSTILE = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    '=HYPERLINK("http://x.invalid","y")',
    "=cmd|' /C calc'!A0",
)
AWKWARD = (
    'say "hi", twice',
    "two\r\nlines",
    "",
    " ",
    "x" * 40_000,
    "Zoë \N{SNOWMAN} 好",
    "a\x00b\x07c\x1fd",
    "_x0041_",
)


def made(path: Path, statements: str = "") -> Path:
    """A DuckDB file with `mart.spend_line`, `mart.supplier` and `prospend.claim`; more by statements."""
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            f"""
            CREATE SCHEMA mart; CREATE SCHEMA prospend; CREATE SCHEMA meta;
            CREATE TABLE meta.snapshot_info AS SELECT '{RUN_ID}' AS run_id, TIMESTAMPTZ '2026-11-22 15:30:00+00' AS data_as_at;
            CREATE TABLE meta.run AS SELECT '{RUN_ID}' AS run_id, TIMESTAMPTZ '2026-11-23 02:00:00+00' AS as_at,
                'secret' AS manifest_sha256;
            CREATE TABLE meta.control_total (
                run_id VARCHAR, place VARCHAR, table_name VARCHAR, column_name VARCHAR, currency VARCHAR,
                value_count BIGINT, total DECIMAL(38, 4)
            );
            INSERT INTO meta.control_total VALUES
                ('{RUN_ID}', 'warehouse', 'claim_currency_total', 'gross_amount', 'AUD', 7, 1234.5600),
                ('{RUN_ID}', 'warehouse', 'claim_currency_total', 'net_amount', 'AUD', 7, 1122.3300),
                ('{RUN_ID}', 'warehouse', 'claim_currency_total', 'gross_amount', 'NZD', 2, {EXACT}),
                ('{RUN_ID}', 'pages', 'claim_currency_total', 'gross_amount', 'AUD', 99, 1.0000);
            CREATE TABLE meta.data_dictionary (
                schema_name VARCHAR, table_name VARCHAR, column_name VARCHAR, position INTEGER, is_key BOOLEAN,
                currency_column VARCHAR
            );
            INSERT INTO meta.data_dictionary VALUES
                ('mart', 'spend_line', 'line_id', 1, true, NULL),
                ('mart', 'spend_line', 'gross_amount', 7, false, 'currency_code'),
                ('mart', 'supplier', 'supplier_id', 1, true, NULL);
            CREATE TABLE mart.spend_line (
                line_id VARCHAR, claimant_id VARCHAR, claimant_name VARCHAR, spent_on DATE, approved_at TIMESTAMPTZ,
                is_spend BOOLEAN, gross_amount DECIMAL(18, 4), currency_code VARCHAR, line_count BIGINT,
                median_hours DOUBLE, tags VARCHAR[]
            );
            COMMENT ON TABLE mart.spend_line IS 'One row a line; "gross" counts';
            COMMENT ON COLUMN mart.spend_line.gross_amount IS 'gross, in currency_code';
            INSERT INTO mart.spend_line VALUES
                ('1', '4007', 'Mia, "MJ"', '2026-06-30', '2026-06-30 14:00:00.123456+00', true, {EXACT}, 'AUD', 3, 1.5,
                 ['a', 'b"c']),
                ('2', '4008', NULL, NULL, NULL, false, -0.1, 'NZD', NULL, NULL, NULL);
            CREATE TABLE mart.supplier (supplier_id VARCHAR, supplier_name VARCHAR);
            CREATE TABLE prospend.claim (id VARCHAR, _deleted_at TIMESTAMPTZ);
            INSERT INTO prospend.claim VALUES ('c1', NULL), ('c2', '2026-01-01 00:00:00+00');
            """
        )
        connection.executemany(
            "INSERT INTO mart.supplier VALUES (?, ?)", [[str(i), text] for i, text in enumerate((*HOSTILE, *AWKWARD))]
        )
        if statements:
            connection.execute(statements)
    return path


@contextmanager
def opened(path: Path) -> Iterator[warehouse.DuckDB]:
    """As readers open it."""
    with closing(warehouse.connect(path)) as connection:
        yield connection
