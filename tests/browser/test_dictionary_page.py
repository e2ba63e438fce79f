"""The data dictionary's page in a real browser: everybody can read it, it loads nothing, and its search finds."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="Playwright is not installed: see `make test-browser`")
pytest.importorskip("axe_playwright_python", reason="axe is not installed: see `make test-browser`")

from playwright.sync_api import Browser, expect
from test_accessible import serious_findings

from pipeline import warehouse
from pipeline.report.dictionary import Dictionary, as_html, described
from pipeline.resources import read_catalogue

LOOKS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 360, "height": 780}, "device_scale_factor": 2},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("dictionary") / "dictionary.html"
    with warehouse.blank(read_catalogue()) as connection:
        place.write_text(as_html(Dictionary(described(connection))), encoding="utf-8")
    return place.as_uri()


@pytest.mark.parametrize("look", LOOKS)
def test_everybody_can_read_it(browser: Browser, address: str, look: str, tmp_path: Path):
    """Axe finds nothing serious, no table makes the page wider than the screen, nothing is asked for, no script fails."""
    context = browser.new_context(**LOOKS[look])
    page = context.new_page()
    told: list[str] = []
    page.on("request", lambda request: told.append(request.url))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.goto(address)
    page.screenshot(path=tmp_path / f"{look}.png")
    assert told == [address]
    assert serious_findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    context.close()


def test_the_search_leaves_what_has_every_word(browser: Browser, address: str):
    """Tables, columns and fields of the API are searched; without words all are there again."""
    page = browser.new_context().new_page()
    page.goto(address)
    every = page.locator("section:visible").count()
    page.get_by_label("Search tables and columns").fill("expense_split.grossAmount")
    found = page.locator("section:visible")
    assert 0 < found.count() < every
    expect(page.locator('section[id="mart.spend_line"]')).to_be_visible()
    expect(page.locator('section[id="mart.calendar"]')).to_be_hidden()
    page.get_by_label("Search tables and columns").fill("")
    assert page.locator("section:visible").count() == every
    page.context.close()
