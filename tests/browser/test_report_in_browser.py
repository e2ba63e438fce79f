"""The page in a real browser: its figures equal their statements, search and sort work, and everybody can read it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="Playwright is not installed: see `make test-browser`")
pytest.importorskip("axe_playwright_python", reason="axe is not installed: see `make test-browser`")

from playwright.sync_api import Browser, Page, expect
from report_page import Cell, Read, assert_figures_are_answers, changed, page_of
from sandbox_site import TOKEN_VARIABLE, site_of
from test_accessible import serious_findings

import pipeline
from pipeline.sandbox import SandboxSettings, in_thread

HOSTILE = "<script>alert(1)</script>"
LOOKS = {
    "light": {"viewport": {"width": 1280, "height": 900}},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 780}, "device_scale_factor": 2},
    "phone, dark": {"viewport": {"width": 360, "height": 780}, "color_scheme": "dark"},
}
# What stands on the page, as a browser shows it: values with their statements, and the statements.
CELLS = """() => [...document.querySelectorAll("[data-of]")].map((one) =>
    [one.dataset.of, one.dataset.value ?? one.getAttribute("value"), one.textContent])"""
STATEMENTS = """() => Object.fromEntries([...document.querySelectorAll("code[id^=sql-]")].map((one) =>
    [one.id.replace("sql-", ""), one.textContent]))"""


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A night of books that end this week; one supplier has a hostile name."""
    place = tmp_path_factory.mktemp("reported")
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    with in_thread(SandboxSettings(state_dir=place / "sandbox", claims=400, until=yesterday)) as running:
        pipeline.nightly.run(site_of(running, place / "data", marts=True), environ={TOKEN_VARIABLE: running.token})
    return place / "data"


@pytest.fixture(scope="module")
def warehouse_file(night: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a supplier of a hostile name in everything that is shown."""
    return changed(
        night,
        tmp_path_factory.mktemp("hostile"),
        *(
            f"UPDATE mart.{mart} SET supplier_name = '{HOSTILE}' WHERE supplier_name IS NOT NULL AND hash(supplier_name) % 4 = 0"
            for mart in ("spend_line", "payable_due", "below_threshold")
        ),
    )


@pytest.fixture(scope="module")
def address(warehouse_file: Path) -> str:
    place = warehouse_file.with_name("index.html")
    place.write_text(page_of(warehouse_file), encoding="utf-8")
    return place.as_uri()


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[object]:
    """Opens the page in some look; whatever the console says against it, and every request, fails the test."""
    contexts = []
    problems: list[str] = []

    def open_page(**look: object) -> Page:
        context = browser.new_context(reduced_motion="reduce", **look)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: problems.append(f"script: {error}"))
        page.on("dialog", lambda dialog: problems.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: problems.append(request.url) if request.url != address else None)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [problem for problem in problems if not problem.startswith("data:")] == []


def test_every_figure_on_the_page_equals_its_sql(opened, warehouse_file):
    """What the browser shows is, value by value, what the statement shown beside it gives on the warehouse."""
    page = opened(**LOOKS["light"])
    cells = [
        Cell(of.split(":")[0], int(of.split(":")[1]), of.split(":")[2], exact, shown)
        for of, exact, shown in page.evaluate(CELLS)
    ]
    assert_figures_are_answers(warehouse_file, Read(cells=cells, statements=page.evaluate(STATEMENTS)), at_least=1500)


def test_labels_of_charts_are_the_figures_of_their_tables(opened):
    """The bars of a ranking carry the very text of the table below; the greatest bar is the longest."""
    page = opened(**LOOKS["light"])
    for name in ("spend-by-division", "spend-by-supplier", "spend-by-claimant"):
        figure = page.locator(f"#{name} .per.c0")
        texts = figure.locator("svg text").all_text_contents()
        names, labels = texts[: len(texts) // 2], texts[len(texts) // 2 :]
        first = figure.locator("tbody tr").all()[: len(labels)]
        assert labels == [row.locator("td").first.text_content() for row in first]
        assert [name.rstrip("…") for name in names] == [
            row.locator("th").text_content()[: len(name.rstrip("…"))] for name, row in zip(names, first, strict=True)
        ]


def test_search_finds_words_in_any_order_and_accent(opened):
    page = opened(**LOOKS["light"])
    figure = page.locator("#payable-due")
    field = figure.get_by_role("searchbox", name="Search in Open invoices by due date")
    rows = figure.locator("tbody tr")
    whole = rows.count()
    wanted = rows.nth(whole // 2).locator("td").first.text_content()
    field.fill(f"{wanted.lower()} inv")
    expect(figure.locator("tbody tr:visible")).to_have_count(1)
    expect(figure.get_by_role("status")).to_have_text(f"1 of {whole} rows")
    field.fill("nothing is called like this")
    expect(figure.locator("tbody tr:visible")).to_have_count(0)
    field.fill("")
    expect(figure.locator("tbody tr:visible")).to_have_count(whole)
    expect(figure.get_by_role("status")).to_have_text("")


def test_columns_sort_as_numbers_days_and_words(opened):
    """By the exact value, up and down, told to screen readers; with the keyboard alone."""
    page = opened(**LOOKS["light"])
    figure = page.locator("#payable-due")
    for heading, kind in (("Amount", float), ("Days left", float), ("Due", str), ("Supplier", str)):
        button = figure.get_by_role("button", name=heading, exact=True)
        head = figure.get_by_role("columnheader", name=heading, exact=True)
        place = head.evaluate("head => head.cellIndex")
        for _ in range(2):
            button.focus()
            page.keyboard.press("Enter")
            direction = head.get_attribute("aria-sort")
            cells = figure.locator("tbody tr").evaluate_all(
                "(rows, place) => rows.map(({cells}) => cells[place].dataset.value ?? cells[place].textContent.toLowerCase())",
                place,
            )
            values = [kind(cell) for cell in cells if cell != ""]
            order = sorted(values, reverse=direction == "descending")
            assert values == order
            assert figure.locator("th[aria-sort]").count() == 1


def test_one_currency_is_shown_at_a_time_and_paper_shows_all(opened):
    page = opened(**LOOKS["light"])
    switch = page.get_by_role("group", name="Currency")
    expect(switch.get_by_role("radio", name="AUD")).to_be_checked()
    shown = page.locator("#keys .per:visible")
    expect(shown).to_have_count(1)
    aud = shown.text_content()
    switch.get_by_text("NZD").click()
    expect(shown).to_have_count(1)
    assert shown.text_content() != aud
    assert "NZD" in shown.text_content()
    page.emulate_media(media="print")
    assert page.locator("#keys .per:visible").count() >= 3
    expect(page.locator(".bar")).to_be_hidden()


def test_a_hostile_name_is_text(opened):
    """A supplier that is called like a script is shown by its name, and nothing of it runs."""
    page = opened(**LOOKS["light"])
    expect(page.get_by_role("rowheader", name=HOSTILE).first).to_be_attached()
    assert page.evaluate("document.scripts.length") == 1
    assert HOSTILE in page.locator("#spend-by-supplier svg").first.text_content()


@pytest.mark.parametrize("look", LOOKS)
def test_everybody_can_read_it(opened, tmp_path, look):
    """Axe finds nothing serious with everything unfolded, and the page never scrolls sideways."""
    page = opened(**LOOKS[look])
    for unfolded in (False, True):
        if unfolded:
            page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        page.screenshot(path=tmp_path / f"{look}-{unfolded}.png", full_page=True)
        assert serious_findings(page) == []
        width, inner = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width <= inner


def test_it_is_whole_without_scripts(browser, address):
    """Figures, charts, statements and the switch of currencies are there; search and sort are not promised."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    expect(page.locator("#keys .per:visible")).to_have_count(1)
    page.get_by_role("group", name="Currency").get_by_text("NZD").click()
    expect(page.locator("#keys .per.c1")).to_be_visible()
    expect(page.locator(".find:visible")).to_have_count(0)
    page.locator("#spend-trend summary", has_text="SQL").click()
    expect(page.locator("#sql-spend_trend")).to_be_visible()
    context.close()


def test_the_keyboard_reaches_everything(opened):
    """Skip link first; every control shows its focus."""
    page = opened(**LOOKS["light"])
    seen = []
    for _ in range(30):
        page.keyboard.press("Tab")
        name, outline, width = page.evaluate(
            "() => { const one = document.activeElement;"
            " const told = one.matches('.switch input') ? one.nextElementSibling : one;"
            " const style = getComputedStyle(told); return [told.textContent, style.outlineStyle, parseFloat(style.outlineWidth)] }"
        )
        seen.append(name)
        assert outline == "solid", name
        assert width >= 2, name
    assert seen[0] == "Skip to the figures"
    assert any("SQL for spend to date" in name for name in seen)


def test_the_age_of_the_data_goes_on_while_the_page_stands_open(browser, address, warehouse_file):
    """A page that was written three days ago says so."""
    context = browser.new_context()
    page = context.new_page()
    written = re.search(r'datetime="([^"]+)"', Path(address.removeprefix("file://")).read_text())[1]
    page.clock.set_fixed_time(datetime.fromisoformat(written) + timedelta(days=3, minutes=1))
    page.goto(address)
    expect(page.locator("#age")).to_have_text("3 days old now")
    assert page.locator(".facts .is-wrong dt").all_text_contents() == ["Data as at"]
    context.close()
