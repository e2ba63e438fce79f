"""Frames of a site with some nights: conditions, columns, categories, and the books as they were."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from sandbox_site import TOKEN_VARIABLE, site_of

import pipeline
import pipeline.nightly
from pipeline.errors import ConfigError
from pipeline.sandbox import SandboxSettings, in_thread


@pytest.fixture(scope="module")
def nights(authority: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nights, ten days of the books between them."""
    data_dir = tmp_path_factory.mktemp("frames") / "data"
    with in_thread(SandboxSettings(state_dir=authority, claims=60)) as running:
        environ = {TOKEN_VARIABLE: running.token}
        pipeline.nightly.run(site_of(running, data_dir, marts=True), environ=environ)
        running.advance(30)
        pipeline.nightly.run(site_of(running, data_dir, marts=True), environ=environ)
    return data_dir


def test_columns_and_conditions(nights):
    """A condition in SQL, or values that are bound: one, several, none at all."""
    spend = pipeline.frame("mart.spend_line", warehouse=nights)
    some = pipeline.frame(
        "mart.spend_line",
        where="is_spend AND gross_amount > 100",
        columns=["line_id", "gross_amount"],
        warehouse=nights,
    )
    assert list(some.columns) == ["line_id", "gross_amount"]
    wanted = spend[spend["is_spend"] & (spend["gross_amount"] > Decimal(100))]
    assert 0 < len(some) == len(wanted)
    assert some["gross_amount"].dtype == pd.ArrowDtype(pa.decimal128(18, 4))
    assert some["gross_amount"].sum() == wanted["gross_amount"].sum()

    def counted(**where: object) -> int:
        return len(pipeline.frame("mart.spend_line", where=where, warehouse=nights))

    assert counted(document_type="claim", currency_code=["NZD", "AUD"]) == sum(
        (spend["document_type"] == "claim") & spend["currency_code"].isin(["NZD", "AUD"])
    )
    assert counted(split_id=None) == spend["split_id"].isna().sum()
    assert counted(currency_code=[]) == 0
    assert counted(currency_code="AUD' OR 'x' = 'x") == 0
    day = spend["spent_on"].max()
    assert counted(spent_on=day) == (spend["spent_on"] == day).sum() > 0


def test_a_statement_takes_conditions_too(nights):
    """What a SELECT gives can be narrowed like a table, whatever it ends with."""
    sql = "SELECT status, count(*) AS claims FROM prospend.claim GROUP BY status -- by status"
    everything = pipeline.frame(sql, warehouse=nights)
    assert len(pipeline.frame(sql, where={"status": "Finalised"}, warehouse=nights)) == 1 < len(everything)
    assert list(pipeline.frame(f"{sql};", columns=["claims"], warehouse=nights).columns) == ["claims"]


def test_types_are_what_they_mean(nights):
    """Days are days, times are UTC, text of few values is a category where that is wanted."""
    spend = pipeline.frame("mart.spend_line", categories=True, warehouse=nights)
    assert spend["spent_on"].dtype == pd.ArrowDtype(pa.date32())
    assert {"category"} == {str(spend[name].dtype) for name in ("document_type", "currency_code", "counts_as")}
    assert str(spend["line_id"].dtype) != "category"
    plain = pipeline.frame("mart.spend_line", warehouse=nights)
    assert plain["currency_code"].dtype == pd.ArrowDtype(pa.string())
    assert spend["currency_code"].astype("string").fillna("").tolist() == plain["currency_code"].fillna("").tolist()
    claims = pipeline.frame("prospend.claim", warehouse=nights)
    assert claims["created_date"].dtype == pd.ArrowDtype(pa.timestamp("us", "UTC"))


def instants(nights: Path) -> list[datetime]:
    with pipeline.connect(nights) as connection:
        return [at for (at,) in connection.execute("SELECT as_at FROM meta.run ORDER BY 1").fetchall()]


def test_a_table_as_it_was(nights):
    """The first night's claims from the second night's file: those rows, those values, nothing deleted."""
    first, second = instants(nights)
    files = sorted((nights / "warehouse").glob("*.duckdb"))
    before = pipeline.frame("prospend.claim", warehouse=files[0])
    now = pipeline.frame("prospend.claim", warehouse=nights)
    was = pipeline.frame("prospend.claim", as_of=first, warehouse=nights)
    assert list(was.columns) == list(now.columns)
    content = ["company_id", "id", "status", "updated_date"]

    def rows(found: pd.DataFrame) -> list[tuple]:
        return sorted(found[content].itertuples(index=False, name=None))

    assert rows(was) == rows(before) != rows(now)
    assert was["_deleted_at"].isna().all()
    assert rows(pipeline.frame("prospend.claim", as_of=second - timedelta(microseconds=1), warehouse=nights)) == rows(
        was
    )
    alive = now[now["_deleted_at"].isna()]
    assert rows(pipeline.frame("prospend.claim", as_of=second, warehouse=nights)) == rows(alive)
    finalised = pipeline.frame("prospend.claim", where={"status": "Finalised"}, as_of=first, warehouse=nights)
    assert len(finalised) == (before["status"] == "Finalised").sum() < (now["status"] == "Finalised").sum()


def test_a_mart_as_it_was(nights):
    """The newest file whose data is not younger than the instant: its mart, whole."""
    first, second = instants(nights)
    files = sorted((nights / "warehouse").glob("*.duckdb"))
    was = pipeline.frame("mart.spend_line", as_of=second - timedelta(seconds=1), warehouse=nights)
    assert was.equals(pipeline.frame("mart.spend_line", warehouse=files[0]))
    spaced = pipeline.frame(" mart.spend_line\n", as_of=second - timedelta(seconds=1), warehouse=nights)
    assert was.equals(spaced), "a name is one with spaces around it, too"
    assert not was.equals(pipeline.frame("mart.spend_line", warehouse=nights))
    tomorrow = (second + timedelta(days=1)).date()
    for warehouse in (nights, nights / "warehouse.duckdb"):
        now = pipeline.frame("mart.spend_line", as_of=tomorrow, columns=["line_id"], warehouse=warehouse)
        assert len(now) == len(pipeline.frame("mart.spend_line", warehouse=nights))
    with pytest.raises(ConfigError, match="no warehouse file that is kept") as caught:
        pipeline.frame("mart.spend_line", as_of=first - timedelta(days=1), warehouse=nights)
    assert "keep_generations" in caught.value.do


@pytest.mark.parametrize(
    ("asked", "how", "told"),
    [
        ("prospend.claim", {"as_of": datetime(2026, 1, 1)}, "time zone"),  # noqa: DTZ001 - that is the point
        ("prospend.claim", {"as_of": datetime(2001, 1, 1, tzinfo=UTC)}, "does not go back"),
        ("prospend.claim", {"as_of": date(2001, 1, 1)}, "does not go back"),
        ("prospend.claims", {"as_of": datetime.max.replace(tzinfo=UTC)}, "no such table"),
        ("meta.run", {"as_of": datetime.max.replace(tzinfo=UTC)}, "as_of is for tables of prospend"),
        ("SELECT 1", {"as_of": datetime.max.replace(tzinfo=UTC)}, "as_of is for tables of prospend"),
        ("mart.spend_line", {"columns": ["gros_amount"]}, "no such column"),
        ("mart.spend_line", {"where": {"curency_code": "AUD"}}, "no such column"),
        ("mart.spend_line", {"where": "no_such > 1"}, "DuckDB does not carry out"),
        ("mart.nothing", {}, "DuckDB does not carry out"),
    ],
)
def test_what_cannot_be_had_is_told(nights, asked, how, told):
    """A slip or a wish that cannot be met: what is wrong and what to do, as an error of ours."""
    with pytest.raises(ConfigError, match=told):
        pipeline.frame(asked, warehouse=nights, **how)
