"""The workbook as a file: what stands in its cells, and what is said where that is not what the warehouse has."""

from __future__ import annotations

import re
import stat
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from mart_books import AWKWARD, EXACT, HOSTILE, RUN_ID, made, opened
from openpyxl import load_workbook

from pipeline.marts import all_marts, for_readers
from pipeline.report.values import ReportFacts
from pipeline.report.workbook import asking, write_workbook

FACTS = ReportFacts(
    "acme", "Australia/Sydney", RUN_ID, datetime(2026, 11, 22, 17, 30, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)
)
PICTURES = {
    "\t=1+1": "\t=1+1",
    "\r=1+1": "\u240d=1+1",
    "two\r\nlines": "two\nlines",
    "a\x00b\x07c\x1fd": "a\u2400b\u2407c\u241fd",
}


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("books") / "marts.duckdb")


def written(books: Path, folder: Path, facts: ReportFacts = FACTS, **how):
    path = folder / "prospend.xlsx"
    with opened(books) as connection:
        write_workbook(connection, path, facts, **how)
    return load_workbook(path)


def cover_texts(book) -> list[str]:
    return [str(cell.value) for row in book["Cover"].iter_rows() for cell in row if cell.value is not None]


def body(page) -> list[list[object]]:
    return [[cell.value for cell in row] for row in page.iter_rows(min_row=6)]


def test_there_is_a_cover_and_one_sheet_a_mart(books, tmp_path):
    """Sheets stand in the order asked for, the others after them; nothing else is in the workbook."""
    assert written(books, tmp_path).sheetnames == ["Cover", "Spend line", "Supplier"]
    assert written(books, tmp_path, order=["supplier"]).sheetnames == ["Cover", "Supplier", "Spend line"]
    assert stat.S_IMODE((tmp_path / "prospend.xlsx").stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["prospend.xlsx"]


def test_values_are_numbers_days_and_times_by_the_clock_of_the_site(books, tmp_path):
    """Amounts carry their currency in the format, days are days, instants are Sydney's, lists are text."""
    page = written(books, tmp_path)["Spend line"]
    first, second = page[6], page[7]
    assert [cell.value for cell in page[5]][:4] == ["Line ID", "Claimant ID", "Claimant name", "Spent on"]
    assert (first[2].value, first[3].value) == ('Mia, "MJ"', datetime.fromisoformat("2026-06-30"))
    assert first[3].is_date
    assert first[4].value == pytest.approx(
        datetime.fromisoformat("2026-07-01T00:00:00.123"), abs=datetime.resolution * 1000
    )
    assert (first[5].value, first[8].value, first[9].value, first[10].value) == ("yes", 3, 1.5, 'a, b"c')
    assert (second[6].value, second[6].data_type) == (-0.1, "n")
    assert second[6].number_format.startswith("[$NZD]")
    assert [second[place].value for place in (2, 3, 4, 8, 9, 10)] == [None] * 6


def test_an_amount_of_more_than_fifteen_digits_stands_as_text_and_is_told(books, tmp_path):
    """Not one digit is lost in silence: the cell is exact and yellow, and the cover counts it."""
    book = written(books, tmp_path)
    cell = book["Spend line"]["G6"]
    assert (cell.value, cell.data_type, cell.fill.fgColor.rgb) == (EXACT, "s", "FFFFF2CC")
    assert any("more digits than the 15" in text and text.endswith(": 1.") for text in cover_texts(book))


def test_amounts_reach_the_file_as_the_decimals_they_are(tmp_path):
    """What stands in the XML is the text of the decimal, for every amount that a cell holds."""
    amounts = ["0.1000", "-0.0001", "99999999999.9999", "1000000000000.0000", "0.3000", "70368744177.6641"]
    values = ", ".join(f"({amount}::DECIMAL(18, 4))" for amount in amounts)
    path = made(tmp_path / "m.duckdb", f"CREATE TABLE mart.figures AS SELECT * FROM (VALUES {values}) AS t(amount)")
    written(path, tmp_path)
    with zipfile.ZipFile(tmp_path / "prospend.xlsx") as file:
        sheet = file.read("xl/worksheets/sheet2.xml").decode()
    assert sorted(re.findall(r' s="\d+"><v>([^<]*)</v>', sheet.split('<row r="6">')[1])) == sorted(amounts)
    assert all(Decimal(repr(float(amount))) == Decimal(amount) for amount in amounts)


def test_no_text_is_a_formula(books, tmp_path):
    """Text that begins like a formula is text, and stays text when somebody edits the cell."""
    book = written(books, tmp_path)
    rows = {int(row[0].value): row[1] for row in book["Supplier"].iter_rows(min_row=6)}
    for at, text in enumerate(HOSTILE):
        assert (rows[at].value, rows[at].data_type) == (PICTURES.get(text, text), "s")
        assert rows[at].quotePrefix
    with zipfile.ZipFile(tmp_path / "prospend.xlsx") as file:
        assert not [name for name in file.namelist() if b"<f>" in file.read(name) or b"<f " in file.read(name)]
        assert not [name for name in file.namelist() if "externalLink" in name]


def test_no_text_breaks_the_file_or_changes_its_meaning(tmp_path):
    """Markup, control characters, what looks like an escape of the format: all of it is read back as text."""
    hostile = [
        "<r><t>x</t></r>",
        "</t></is></c>",
        "&amp;",
        "]]>",
        "_x0041_",
        "_x000A_ and _xZZ_",
        "\ufffe",
        "''",
        "{=1}",
    ]
    values = ", ".join("('" + text.replace("'", "''") + "')" for text in hostile)
    path = made(tmp_path / "m.duckdb", f"CREATE TABLE mart.alpha AS SELECT * FROM (VALUES {values}) AS t(said)")
    found = [row[0] for row in body(written(path, tmp_path)["Alpha"])]
    assert sorted(text.replace("_x005F_", "_") for text in found) == sorted(
        text.replace("\ufffe", "\ufffd") for text in hostile
    )
    texts = {int(row[0]): row[1] for row in body(written(path, tmp_path)["Supplier"])}
    for at, text in enumerate(AWKWARD, len(HOSTILE)):
        if len(text) < 100:
            assert (texts[at] or "").replace("_x005F_", "_") == PICTURES.get(text, text)


def test_a_text_that_is_too_long_says_how_much_is_missing(books, tmp_path):
    """A cell holds 32,767 UTF-16 units: the rest is counted at its end and on the cover."""
    book = written(books, tmp_path)
    (found,) = [row[1] for row in body(book["Supplier"]) if len(row[1] or "") > 1000]
    assert len(found) <= 32_767
    kept, more = found.split(" … [")
    assert len(kept) + int(more.removesuffix(" more characters]").replace(",", "")) == 40_000
    assert any("longer than a cell can be" in text and text.endswith(": 1.") for text in cover_texts(book))


def test_days_that_a_spreadsheet_cannot_show_stand_as_text(tmp_path):
    """Excel's calendar begins in 1900: days before it are told and counted."""
    path = made(
        tmp_path / "m.duckdb",
        "CREATE TABLE mart.days AS SELECT DATE '0001-01-01' AS day, TIMESTAMPTZ '1899-01-01 00:00:00+00' AS at "
        "UNION ALL SELECT DATE '1900-03-01', TIMESTAMPTZ '2026-10-03 16:30:00+00'",
    )
    book = written(path, tmp_path)
    rows = body(book["Days"])
    assert rows[0] == [
        datetime.fromisoformat("1900-03-01"),
        datetime.fromisoformat("2026-10-04T03:30"),
    ]  # daylight saving began in between
    assert (rows[1][0], rows[1][1][:10]) == ("0001-01-01", "1899-01-01")
    assert any(text.startswith("Days") and text.endswith(": 2.") for text in cover_texts(book))


def test_the_cover_says_whose_data_how_old_and_what_it_comes_to(books, tmp_path):
    """Site, age, run and token; exact totals, each in its currency; a link to every sheet and what its rows are."""
    book = written(books, tmp_path)
    texts = cover_texts(book)
    assert "acme" in texts
    assert "Monday, 23 November 2026, 02:30 AEDT, 2.0 hours old when this was written" in texts
    assert {RUN_ID, "by the clock of Australia/Sydney", "01/03/2027, 98 days left"} <= set(texts)
    assert {"Claim currency total", f"NZD {EXACT}"} <= set(texts)
    page = book["Cover"]
    amounts = {c.value: c.number_format for row in page.iter_rows() for c in row if isinstance(c.value, float | int)}
    assert amounts[1234.56].startswith("[$AUD]")
    assert 99 not in amounts
    links = {cell.hyperlink.location for row in page.iter_rows() for cell in row if cell.hyperlink}
    assert links == {"'Spend line'!A1", "'Supplier'!A1"}
    assert 'One row a line; "gross" counts' in texts


def test_sheets_are_made_to_be_read(books, tmp_path):
    """Headings stay in sight and filter, columns have widths and notes with their meaning."""
    page = written(books, tmp_path)["Spend line"]
    assert page.freeze_panes == "A6"
    assert page.auto_filter.ref == "A5:K7"
    assert page.dimensions == "A1:K7"
    assert page["G5"].comment.text.endswith("gross_amount: gross, in currency_code")
    assert "Australia/Sydney" in page["E5"].comment.text
    assert all(9 <= page.column_dimensions[letter].width <= 46 for letter in "ABCDEFGHIJK")
    assert page["A4"].hyperlink.location == "'Cover'!A1"
    assert page["A3"].value == "2 rows: all of them"


def test_a_mart_beyond_the_limit_says_what_is_shown_and_where_the_rest_is(tmp_path, monkeypatch):
    """The newest rows, so many as the rule says; sheet and cover tell how many there are and where."""
    monkeypatch.setattr(asking, "ROWS_A_SHEET", 50)
    path = made(
        tmp_path / "m.duckdb",
        "CREATE TABLE mart.large AS SELECT range AS number, DATE '2026-01-01' + range::INTEGER AS spent_on "
        "FROM range(120)",
    )
    book = written(path, tmp_path)
    page = book["Large"]
    assert page.max_row == 5 + 50
    assert page["A6"].value == 119
    assert page["A3"].value.startswith("50 of 120 rows: the newest by spent on. All of them are in mart.large of")
    assert any("large (50 of 120 rows)" in text for text in cover_texts(book))
    monkeypatch.setattr(asking, "CELLS_A_SHEET", 40)
    assert written(path, tmp_path)["Large"].max_row == 5 + 20


def test_an_empty_mart_and_no_mart_at_all(tmp_path):
    """A sheet without rows is a sheet; a warehouse without marts gives a cover that says so."""
    path = made(tmp_path / "m.duckdb", "DELETE FROM mart.supplier")
    page = written(path, tmp_path)["Supplier"]
    assert (page.max_row, page["A3"].value) == (5, "0 rows: all of them")
    path = made(tmp_path / "none.duckdb", "DROP SCHEMA mart CASCADE")
    assert any("no marts" in text for text in cover_texts(written(path, tmp_path)))


def test_people_are_masked_alike_everywhere(tmp_path):
    """No name, id or word of anybody; the same made-up name in every column and sheet, and on another night."""
    statements = """
        CREATE TABLE mart.claimant AS SELECT '1' AS company_id, '4007' AS claimant_id, 'Mia, "MJ"' AS claimant_name,
            'E-77' AS employee_number, 'X-77' AS external_code;
        CREATE TABLE mart.approval AS SELECT '4009' AS approver_id, 'Noah Tan' AS approver_name;
        CREATE TABLE mart.restatement AS SELECT * FROM (VALUES
            ('claimant_name', 'Mia, "MJ"', 'Noah Tan'), ('description', 'lunch with Mia', NULL), ('status', 'Open', 'Closed')
        ) AS t(column_name, value_before, value_after);
        CREATE TABLE mart.note AS SELECT 'Noah Tan' AS said_of, 'lunch with Mia' AS description, ['Noah Tan'] AS recipients
    """
    path = made(tmp_path / "m.duckdb", statements)
    book = written(path, tmp_path, ReportFacts(**{**_fields(FACTS), "mask_people": True}))
    everything = " ".join(str(c.value) for page in book for row in page.iter_rows() for c in row if c.value)
    for told in ("Mia", "4007", "4008", "Noah", "4009", "E-77", "X-77", "lunch"):
        assert told not in everything, told
    ((_, mia, *rest),) = body(book["Claimant"])
    assert re.fullmatch("Person [0-9A-F]{10}", mia)
    assert rest == [mia] * 3
    assert next(row[1:3] for row in body(book["Spend line"]) if row[0] == "1") == [mia, mia]
    ((noah, also_noah),) = body(book["Approval"])
    assert noah == also_noah != mia
    assert sorted(body(book["Restatement"])) == [
        ["claimant_name", mia, noah], ["description", "(hidden)", None], ["status", "Open", "Closed"],
    ]  # fmt: skip
    assert body(book["Note"]) == [[noah, "(hidden)", "(hidden)"]]
    later = made(tmp_path / "later.duckdb", f"{statements}; INSERT INTO meta.run VALUES ('x', now(), 'newer')")
    masked = ReportFacts(**{**_fields(FACTS), "mask_people": True})
    assert body(written(later, tmp_path, masked)["Claimant"])[0][1] == mia


def _fields(facts: ReportFacts) -> dict[str, object]:
    return {name: getattr(facts, name) for name in facts.__slots__}


def test_a_workbook_that_fails_leaves_the_one_before(books, tmp_path, monkeypatch):
    """Written aside and renamed: a failure changes nothing, and leaves nothing."""
    (tmp_path / "prospend.xlsx").write_text("the one before")

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("pipeline.report.workbook.writing.with_counts", broken)
    with pytest.raises(RuntimeError):
        written(books, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["prospend.xlsx"]
    assert (tmp_path / "prospend.xlsx").read_text() == "the one before"


def test_answers_come_before_facts_and_what_these_point_to():
    """Every mart is named once, in the order in which people read them."""
    order = for_readers()
    assert sorted(order) == sorted(mart.name for mart in all_marts())
    assert order.index("spend_month") < order.index("spend_line") < order.index("calendar")
