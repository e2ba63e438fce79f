"""A Superset dashboard over the published file, in a real browser, through a night's publish."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sandbox_site import TOKEN_VARIABLE, site_of
from superset_server import USER, Superset, superset

import pipeline
import pipeline.nightly
from pipeline.ops.runs import pointer_of

pytest.importorskip("playwright", reason="Playwright is not installed: see `make test-bi`")

from playwright.sync_api import Page, expect, sync_playwright

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SPEND = "SELECT currency_code, sum(gross_amount) FROM mart.spend_month GROUP BY ALL ORDER BY ALL"
_GROSS = {
    "expressionType": "SIMPLE",
    "column": {"column_name": "gross_amount"},
    "aggregate": "SUM",
    "label": "Gross",
}


@pytest.fixture(scope="module")
def server(interpreter, books, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Superset]:
    """A Superset with the published file as a database, a dataset, two charts and a dashboard."""
    built = ("--no-deps", "--no-binary", "wtforms-json", "--no-build-isolation")
    python = interpreter("superset", "build", options=built)
    with superset(python, tmp_path_factory.mktemp("superset") / "home") as found:
        found.log_in()
        make_dashboard(found, pointer_of(books[1]))
        yield found


def make_dashboard(server: Superset, pointer: Path) -> None:
    """What docs/bi/superset.md tells to do by hand."""
    extra = {"engine_params": {"connect_args": {"read_only": True}}}
    database = {
        "database_name": "prospend",
        "sqlalchemy_uri": f"duckdb:///{pointer}",
        "extra": json.dumps(extra),
        "allow_dml": False,
    }
    database_id = server.call("database/", database)["id"]
    dataset = {"database": database_id, "schema": "mart", "table_name": "spend_month"}
    dataset_id = server.call("dataset/", dataset)["id"]
    table = {
        "viz_type": "table",
        "query_mode": "aggregate",
        "groupby": ["currency_code"],
        "metrics": [_GROSS],
        "row_limit": 100,
        "column_config": {"Gross": {"d3NumberFormat": ",.2f"}},
    }
    bars = {
        "viz_type": "echarts_timeseries_bar",
        "x_axis": "month_on",
        "time_grain_sqla": "P1M",
        "metrics": [_GROSS],
        "groupby": ["currency_code"],
        "row_limit": 10000,
        "x_axis_time_format": "%b %Y",
        "y_axis_format": ",.0f",
        "show_legend": True,
    }
    charts = [
        server.call(
            "chart/",
            {
                "slice_name": name,
                "viz_type": params["viz_type"],
                "datasource_id": dataset_id,
                "datasource_type": "table",
                "params": json.dumps({"datasource": f"{dataset_id}__table", **params}),
            },
        )["id"]
        for name, params in (("Spend by currency", table), ("Spend by month", bars))
    ]
    dashboard_id = server.call(
        "dashboard/",
        {"dashboard_title": "Spend", "slug": "spend", "published": True, "position_json": json.dumps(places(charts))},
    )["id"]
    for chart in charts:
        server.call(f"chart/{chart}", {"dashboards": [dashboard_id]}, "PUT")


def places(charts: list[int]) -> dict[str, object]:
    """One chart a row."""
    above = ["ROOT_ID", "GRID_ID"]
    found: dict[str, object] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"id": "ROOT_ID", "type": "ROOT", "children": ["GRID_ID"]},
        "GRID_ID": {
            "id": "GRID_ID",
            "type": "GRID",
            "children": [f"ROW-{chart}" for chart in charts],
            "parents": ["ROOT_ID"],
        },
    }
    for chart in charts:
        row, box = f"ROW-{chart}", f"CHART-{chart}"
        found[row] = {
            "id": row,
            "type": "ROW",
            "children": [box],
            "parents": above,
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
        }
        meta = {"chartId": chart, "width": 12, "height": 40}
        found[box] = {"id": box, "type": "CHART", "children": [], "parents": [*above, row], "meta": meta}
    return found


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A browser window of a profile of its own."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed: see `make test-bi`")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path / "profile"),
            executable_path=chromium,
            headless=True,
            args=list(FLAGS),
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
            viewport={"width": 1280, "height": 1100},
        )
        context.set_default_timeout(120_000)
        yield context.pages[0]
        context.close()


def published(data_dir: Path) -> dict[str, Decimal]:
    """Spend by currency as SQL has it."""
    with pipeline.connect(data_dir) as connection:
        return dict(connection.execute(SPEND).fetchall())


def shown(page: Page) -> dict[str, Decimal]:
    """Spend by currency as the dashboard's table shows it."""
    rows = page.locator("table tbody tr")
    expect(rows.first).to_be_visible(timeout=120_000)
    cells = [[cell.strip() for cell in row.locator("td").all_inner_texts()] for row in rows.all()]
    return {currency: Decimal(re.sub(",", "", gross)) for currency, gross in cells}


def look(page: Page, path: Path) -> None:
    """A picture of the dashboard, its chart drawn."""
    expect(page.locator("canvas").first).to_be_visible()
    page.wait_for_timeout(2000)  # bars grow into place
    page.screenshot(path=path)


def test_a_dashboard_shows_the_night_and_after_the_next_publish_the_next(server: Superset, books, page: Page, tmp_path):
    """The figures are SQL's, to the cent; while the next night is published the open page keeps, a reload shows the new."""
    running, data_dir = books
    first = published(data_dir)
    assert len(first) > 1
    page.goto(f"{server.url}/login/")
    page.locator("input#username").fill(USER)
    page.locator("input#password").fill(server.password)
    page.locator("button[type=submit], input[type=submit]").first.click()
    page.wait_for_url(re.compile("/superset/welcome"))
    page.goto(f"{server.url}/superset/dashboard/spend/")
    assert shown(page) == first
    look(page, tmp_path / "first-night.png")

    running.advance(40)
    report = pipeline.nightly.run(site_of(running, data_dir, marts=True), environ={TOKEN_VARIABLE: running.token})
    assert report.exit_code == 0
    second = published(data_dir)
    assert second != first
    assert shown(page) == first
    page.reload()
    assert shown(page) == second
    look(page, tmp_path / "second-night.png")


def test_superset_cannot_write(server: Superset, books):
    """Read-only at the connection, whatever Superset's own settings would allow."""
    before = pointer_of(books[1]).resolve().read_bytes()
    asked = {"database_id": 1, "schema": "mart", "sql": "DELETE FROM mart.spend_month", "runAsync": False}
    with pytest.raises(AssertionError, match=r"read-only|DML|not allowed"):
        server.call("sqllab/execute/", asked)
    assert pointer_of(books[1]).resolve().read_bytes() == before
