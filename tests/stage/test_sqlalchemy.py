"""What any tool on SQLAlchemy sees of a published file: tables, comments, exact amounts, and the new night."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from warehouse_parts import AT, claim, published, total

import pipeline
from pipeline.ops.runs import pointer_of

pytestmark = [
    pytest.mark.filterwarnings("ignore:duckdb-engine doesn't yet support reflection on indices"),
    pytest.mark.filterwarnings("ignore:Did not recognize type 'list'"),  # lists come as they are, without a type
]
AMOUNT = Decimal("99999999999999.9999")


def engine_of(pointer: Path, pool: type[sa.Pool] = sa.NullPool) -> sa.Engine:
    """As docs/bi/superset.md says: read-only, no connection kept after its use, decimals taken as they come."""
    engine = sa.create_engine(f"duckdb:///{pointer}", connect_args={"read_only": True}, poolclass=pool)
    engine.dialect.supports_native_decimal = True
    return engine


@pytest.mark.parametrize("schema", ["mart", "prospend", "history", "meta"])
def test_reflection_shows_every_table_with_its_comments(earlier_night: Path, schema: str):
    """Tables and views, each column in order, with the words of the data dictionary."""
    engine = engine_of(pointer_of(earlier_night))
    found = sa.MetaData()
    found.reflect(engine, schema=schema, views=True)
    told = [
        (table.name, column.name, table.comment, column.comment)
        for table in sorted(found.tables.values(), key=lambda table: table.name)
        for column in table.columns
    ]
    with pipeline.connect(earlier_night) as connection:
        wanted = connection.execute(
            "SELECT c.table_name, c.column_name, t.about, c.about FROM meta.data_dictionary AS c "
            "JOIN meta.data_dictionary AS t ON (t.schema_name, t.table_name) = (c.schema_name, c.table_name) "
            "WHERE t.column_name IS NULL AND c.column_name IS NOT NULL AND c.schema_name = ? "
            "ORDER BY c.table_name, c.position",
            [schema],
        ).fetchall()
    assert told == wanted != []


def test_amounts_are_numeric_with_precision_and_scale(earlier_night: Path):
    """NUMERIC(18, 4), times, days and truth values: no amount is a float. Times come as instants in UTC."""
    engine = engine_of(pointer_of(earlier_night))
    spend = sa.Table("spend_line", sa.MetaData(), schema="mart", autoload_with=engine)
    amount = spend.c.gross_amount.type
    assert (type(amount), amount.precision, amount.scale, amount.asdecimal) == (sa.NUMERIC, 18, 4, True)
    assert isinstance(spend.c.spent_on.type, sa.Date)
    assert isinstance(spend.c.is_spend.type, sa.Boolean)
    claims = sa.Table("claim", sa.MetaData(), schema="prospend", autoload_with=engine)
    with engine.connect() as connection:
        (created,) = connection.execute(sa.select(claims.c.created_date).limit(1)).one()
    assert created.utcoffset() == timedelta(0)


def test_amounts_come_exact(tmp_path: Path):
    """To the last digit that the column holds, alone and added up.

    Left to itself the dialect says that decimals are none of DuckDB's, and SQLAlchemy makes them from floats: exact up to
    15 digits. Statements written as text give what DuckDB gives.
    """
    rows = [claim(key, fee=AMOUNT, updatedDate=AT, totals=[total(AMOUNT, "AUD")]) for key in "12"]
    engine = engine_of(published(tmp_path, claims=rows))
    totals = sa.Table("claim_total", sa.MetaData(), schema="prospend", autoload_with=engine)
    with engine.connect() as connection:
        found = connection.execute(sa.select(totals.c.gross_amount)).scalars().all()
        added = connection.execute(sa.select(sa.func.sum(totals.c.gross_amount))).scalar_one()
        written = connection.execute(sa.text("SELECT gross_amount FROM prospend.claim_total")).scalars().all()
    assert found == written == [AMOUNT, AMOUNT]
    assert added == 2 * AMOUNT


def test_nothing_can_be_written(tmp_path: Path):
    """The connection is read-only, whatever the tool tries."""
    engine = engine_of(published(tmp_path, claims=[claim("1")]))
    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="read-only"):
        connection.execute(sa.text("DELETE FROM prospend.claim"))


def test_the_new_night_is_seen_by_the_next_connection(tmp_path: Path):
    """A pool hands out the connection of the night before; without one the next query sees the new night."""
    pointer = published(tmp_path, claims=[claim("1")])
    count = sa.text("SELECT count(*) FROM prospend.claim")
    kept, fresh = engine_of(pointer, sa.QueuePool), engine_of(pointer)

    def seen(engine: sa.Engine) -> int:
        with engine.connect() as connection:
            return connection.execute(count).scalar_one()

    assert (seen(kept), seen(fresh)) == (1, 1)
    published(tmp_path, "20261124T020000Z", claims=[claim("1"), claim("2")])
    assert (seen(kept), seen(fresh)) == (1, 2)
    kept.dispose()
    assert seen(kept) == 2
