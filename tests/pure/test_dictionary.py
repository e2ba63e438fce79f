"""The data dictionary as people read it: links from keys, forms that no text can break, a diagram without overlaps."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from pipeline.report.dictionary import (
    DescribedColumn,
    DescribedTable,
    Dictionary,
    Link,
    as_html,
    as_json,
    as_markdown,
    links_of,
)


def key(name: str) -> DescribedColumn:
    return DescribedColumn(name, "VARCHAR", f"key {name}", is_key=True)


def plain(name: str, about: str = "a value", **more) -> DescribedColumn:
    return DescribedColumn(name, "VARCHAR", about, **more)


def table(name: str, *columns: DescribedColumn, schema: str = "prospend") -> DescribedTable:
    return DescribedTable(schema, name, f"about {name}", columns)


COMPANY = table("company", key("company_id"), plain("name"))
ENTITY = table("entity", key("company_id"), key("id"))
CLAIM = table("claim", key("company_id"), key("id"), plain("entity_id"), plain("fee", currency="currency"))
TOTAL = table("claim_total", key("company_id"), key("claim_id"), key("_index"), plain("entity_id"))
LINE = table("line", key("company_id"), key("claim_id"), key("id"), plain("line_id"))
BOOKS = Dictionary((COMPANY, ENTITY, CLAIM, TOTAL, LINE))

PIPE, TAG = "either | or", "<img src=x onerror=alert(1)> & `code` *bold* [x](y)"


def test_what_hangs_under_what_follows_from_the_keys():
    """The nearest parent by the key; other columns that hold a key are references; a list's element is no parent."""
    company_id = ("company_id", "company_id")
    assert links_of(BOOKS.tables) == (
        Link("entity", "company", (company_id,), is_part=True),
        Link("claim", "company", (company_id,), is_part=True),
        Link("claim", "entity", (company_id, ("entity_id", "id")), is_part=False),
        Link("claim_total", "claim", (company_id, ("claim_id", "id")), is_part=True),
        Link("claim_total", "entity", (company_id, ("entity_id", "id")), is_part=False),
        Link("line", "claim", (company_id, ("claim_id", "id")), is_part=True),
    )


def test_json_holds_everything():
    """Every table and column with all that is said of it, and the links."""
    document = json.loads(as_json(replace(BOOKS, site="books", run_id="20261123T020000Z")))
    assert (document["site"], document["run_id"]) == ("books", "20261123T020000Z")
    assert [found["name"] for found in document["tables"]] == [found.name for found in BOOKS.tables]
    assert document["tables"][2]["columns"][3] == {
        "name": "fee",
        "type": "VARCHAR",
        "about": "a value",
        "is_key": False,
        "currency": "currency",
        "sources": [],
        "evidence": None,
        "known_values": [],
    }
    assert len(document["links"]) == 6


def test_markdown_has_a_row_a_column():
    """Meaning, key or currency, known values, fields and evidence stand in one row each."""
    told = plain(
        "status", "where it stands", sources=("claim.status",), evidence="documented", known_values=("Open", "Shut")
    )
    text = as_markdown(Dictionary((table("claim", key("id"), told, plain("fee", currency="currency_code")),)))
    assert "| `status` | VARCHAR |  | where it stands One of: Open, Shut. | `claim.status` | documented |" in text
    assert "| `id` | VARCHAR | key | key id |  |  |" in text
    assert "| `fee` | VARCHAR | in currency\\_code | a value |  |  |" in text
    assert '    claim ||--o{ line : "claim_id"' in as_markdown(BOOKS)
    assert "        VARCHAR entity_id FK" in as_markdown(BOOKS)


def test_history_is_told_by_what_it_has_besides():
    """Its columns are those of the table of the same name; only what it has more is listed."""
    history = table("company", *COMPANY.columns, plain("_valid_to", "until then"), schema="history")
    for text in (as_markdown(Dictionary((COMPANY, history))), as_html(Dictionary((COMPANY, history)))):
        assert text.count("until then") == 1
        assert text.count("key company") == 1


@pytest.mark.parametrize("text", [PIPE, TAG, "two\nlines", "back\\slash"])
def test_no_text_breaks_the_markdown(text):
    """What a catalogue says stays in its cell, and is no markup."""
    found = as_markdown(Dictionary((table("claim", plain("status", text)),)))
    (row,) = [line for line in found.splitlines() if line.startswith("| `status`")]
    assert len(re.findall(r"(?<!\\)\|", row)) == 7
    assert "<img" not in row
    assert not re.search(r"(?<!\\)[\[\]*]", row)


def test_no_text_becomes_html():
    """Tables, columns and meanings are text, whatever they hold, and nothing is fetched from elsewhere."""
    hostile = DescribedTable(
        "prospend", "<b>claim", TAG, (plain("<i>x", TAG, sources=("<s>",), known_values=("<u>",)),)
    )
    page = as_html(Dictionary((hostile,), site="<script>", run_id="1"))
    for tag in ("<b>", "<img", "<i>x", "<s>", "<u>"):
        assert tag not in page
    assert page.count("<script>") == 1
    assert not re.search(r"<[^>]*\b(?:src|href)=(?!\"#)", page)
    assert "url(" not in page


def test_boxes_of_the_diagram_do_not_overlap():
    """Each table has its place, whatever hangs under whatever."""
    rects = [
        tuple(map(int, found))
        for found in re.findall(r'<rect x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"', as_html(BOOKS))
    ]
    assert len(rects) == len(BOOKS.tables)
    for at, (x, y, width, height) in enumerate(rects):
        for other_x, other_y, other_width, other_height in rects[:at]:
            assert (
                x >= other_x + other_width
                or other_x >= x + width
                or y >= other_y + other_height
                or other_y >= y + height
            )
