"""The guides in docs/ are true where a test can tell: their code runs, their statements answer, their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pipeline

DOCS = Path(__file__).parents[2] / "docs"
ROOT = DOCS.parent
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "ARCHITECTURE.md"]
GUIDES = sorted((DOCS / "bi").glob("*.md"))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.filterwarnings("ignore:duckdb-engine doesn't yet support reflection on indices")
@pytest.mark.parametrize("page", [page for page in GUIDES if blocks(page, "python")], ids=lambda page: page.stem)
def test_the_code_of_a_guide_runs(page: Path, earlier_night: Path, monkeypatch: pytest.MonkeyPatch):
    """As it stands there, but for the place of the data; it ends with rows."""
    monkeypatch.chdir(earlier_night.parent)
    for code in blocks(page, "python"):
        names: dict[str, object] = {}
        exec(compile(code.replace("/srv/prospend/data", str(earlier_night)), str(page), "exec"), names)
        assert len(names["rows"] if "rows" in names else names["due"]) > 0


@pytest.mark.parametrize("page", [page for page in GUIDES if blocks(page, "sql")], ids=lambda page: page.stem)
def test_the_statements_of_a_guide_answer(page: Path, earlier_night: Path):
    """On the sandbox's books."""
    with pipeline.connect(earlier_night) as connection:
        for sql in blocks(page, "sql"):
            assert connection.execute(sql).fetchall()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_what_there_is(page: Path):
    """Files and headings of this repository."""
    for target, heading in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", page.read_text()):
        if "://" in target:
            continue
        led_to = page.parent / target if target else page
        assert led_to.exists(), target
        assert not heading or heading in anchors(led_to), f"{target}#{heading}"


def anchors(page: Path) -> set[str]:
    """What headings are called in links: their words in small letters, joined by hyphens."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("guide", [page for page in GUIDES if page.name != "README.md"], ids=lambda page: page.stem)
def test_every_guide_says_how_the_new_night_comes_and_what_was_tested(guide: Path):
    """And stands in the table of all of them."""
    text = guide.read_text()
    assert re.search(r"new night", text, re.IGNORECASE)
    assert re.search(r"tested|executed by a test", text, re.IGNORECASE)
    assert f"]({guide.name})" in (DOCS / "bi" / "README.md").read_text()


def test_every_page_is_in_the_index():
    """`docs/README.md` leads to each, the guides of BI tools by way of theirs."""
    index = (DOCS / "README.md").read_text()
    assert [page.name for page in DOCS.glob("*.md") if page.name != "README.md" and f"({page.name})" not in index] == []
