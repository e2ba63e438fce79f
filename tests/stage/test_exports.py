"""Tables as CSV and Parquet: exact, whole or not there, and never over something that was not an export."""

from __future__ import annotations

import csv
import json
import os
import stat
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mart_books import AWKWARD, EXACT, HOSTILE, made, opened

from pipeline.errors import ConfigError, LocalAccess
from pipeline.report.exports import export
from pipeline.report.reading import chosen, tables

FACTS = {"run_id": "20261123T020000Z"}


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("books") / "marts.duckdb")


def written(books: Path, folder: Path, form: str, *names: str, **how: bool) -> dict[str, int]:
    with opened(books) as connection:
        wanted = chosen(connection, names) if names else tables(connection, ("mart",))
        return {one.name: one.row_count for one in export(connection, wanted, folder, form, FACTS, **how)}


def rows_of(path: Path, encoding: str = "utf-8") -> list[list[str]]:
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.reader(file, strict=True))


def test_csv_has_every_value_as_it_is(books, tmp_path):
    """Decimals to the last digit, ISO days and instants, JSON lists, quotes where they are needed."""
    assert written(books, tmp_path / "out", "csv") == {
        "mart.spend_line": 2,
        "mart.supplier": len(HOSTILE) + len(AWKWARD),
    }
    header, first, second = rows_of(tmp_path / "out" / "mart.spend_line.csv")
    assert header[:3] == ["line_id", "claimant_id", "claimant_name"]
    assert first[2:] == [
        'Mia, "MJ"', "2026-06-30", "2026-06-30T14:00:00.123456Z", "true", EXACT, "AUD", "3", "1.5", '["a","b\\"c"]',
    ]  # fmt: skip
    assert second == ["2", "4008", "", "", "", "false", "-0.1000", "NZD", "", "", ""]
    texts = [text for _, text in rows_of(tmp_path / "out" / "mart.supplier.csv")[1:]]
    assert texts == [*HOSTILE, *AWKWARD]


def test_csv_ends_lines_as_the_standard_says_and_tells_missing_from_empty(books, tmp_path):
    """CR LF after each record; a missing value has no quotes, an empty text has."""
    written(books, tmp_path / "out", "csv")
    content = (tmp_path / "out" / "mart.spend_line.csv").read_bytes()
    assert content.count(b"\r\n") == content.count(b"\n") == 3
    assert b"\r\n2,4008,,,,false," in content
    empty = HOSTILE.__len__() + AWKWARD.index("")
    assert f'\r\n{empty},""\r\n'.encode() in (tmp_path / "out" / "mart.supplier.csv").read_bytes()


def test_for_spreadsheets_no_text_is_a_formula(books, tmp_path):
    """Text that would be evaluated has an apostrophe in front; amounts below zero stay numbers."""
    written(books, tmp_path / "out", "csv", for_spreadsheets=True)
    path = tmp_path / "out" / "mart.supplier.csv"
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    texts = [text for _, text in rows_of(path, "utf-8-sig")[1:]]
    assert texts == [*(f"'{text}" for text in HOSTILE), *AWKWARD]
    assert rows_of(tmp_path / "out" / "mart.spend_line.csv", "utf-8-sig")[2][6] == "-0.1000"


def test_for_spreadsheets_numbers_below_zero_stay_numbers(tmp_path):
    """Whatever type of number it is: a share that fell is no text."""
    kinds = ("DECIMAL(9, 4)", "DOUBLE", "FLOAT", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
    columns = ", ".join(f"(-3)::{kind} AS n{at}" for at, kind in enumerate(kinds))
    path = made(tmp_path / "m.duckdb", f"CREATE TABLE mart.share AS SELECT {columns}, '-3' AS text")
    written(path, tmp_path / "out", "csv", for_spreadsheets=True)
    *numbers, text = rows_of(tmp_path / "out" / "mart.share.csv", "utf-8-sig")[1]
    assert [float(one) for one in numbers] == [-3.0] * len(kinds)
    assert text == "'-3"


def test_parquet_keeps_types_and_meaning(books, tmp_path):
    """Decimals as decimals, instants in UTC; table and columns say what they mean."""
    written(books, tmp_path / "out", "parquet")
    found = pq.read_table(tmp_path / "out" / "mart.spend_line.parquet")
    assert found.schema.field("gross_amount").type == pa.decimal128(18, 4)
    assert found.schema.field("gross_amount").metadata == {b"description": b"gross, in currency_code"}
    assert found.schema.metadata[b"description"] == b'One row a line; "gross" counts'
    assert found.schema.metadata[b"run_id"] == FACTS["run_id"].encode()
    row = found.to_pylist()[0]
    assert row["gross_amount"] == Decimal(EXACT)
    assert row["spent_on"] == date(2026, 6, 30)
    assert row["approved_at"] == datetime(2026, 6, 30, 14, 0, 0, 123456, UTC)
    names = pq.read_table(tmp_path / "out" / "mart.supplier.parquet").column("supplier_name").to_pylist()
    assert names == [*HOSTILE, *AWKWARD]


def test_the_folder_says_which_night_it_shows(books, tmp_path):
    """`export.json` has the run, the files and their rows; nobody but owner and group reads any of it."""
    written(books, tmp_path / "out", "csv", "prospend.claim", "prospend.claim")
    note = json.loads((tmp_path / "out" / "export.json").read_text())
    assert note["run_id"] == FACTS["run_id"]
    assert note["tables"] == [{"name": "prospend.claim", "file": "prospend.claim.csv", "rows": 2}]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").iterdir()}
    assert modes == {"prospend.claim.csv": 0o640, "export.json": 0o640}
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o750


def test_an_export_is_replaced_only_if_asked_for(books, tmp_path):
    """--force takes the place of an earlier export as a whole: no file of it is left."""
    written(books, tmp_path / "out", "csv")
    with pytest.raises(ConfigError, match="not empty"):
        written(books, tmp_path / "out", "csv")
    written(books, tmp_path / "out", "parquet", "mart.supplier", force=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["export.json", "mart.supplier.parquet"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_nothing_else_is_ever_replaced(books, tmp_path):
    """A folder with somebody's files, a file, a link: refused with or without --force, and left alone."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    written(books, tmp_path / "mixed", "csv")
    (tmp_path / "mixed" / "letter.txt").write_text("dear")
    (tmp_path / "file").write_text("dear")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for name in ("mine", "mixed", "file", "link"):
        with pytest.raises(ConfigError):
            written(books, tmp_path / name, "csv", force=True)
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
    assert (tmp_path / "mixed" / "letter.txt").exists()
    with pytest.raises(ConfigError, match="parent"):
        written(books, tmp_path / "nowhere" / "out", "csv")


def test_an_export_that_fails_leaves_nothing(books, tmp_path, monkeypatch):
    """A table that cannot be written: no folder, and nothing beside it; one that was killed is swept by the next."""
    (tmp_path / ".out.part").mkdir()
    (tmp_path / ".out.part" / "mart.supplier.csv").write_text("half")
    written(books, tmp_path / "out", "csv", "prospend.claim")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def full(path: Path) -> None:
        raise OSError(13, "no")

    monkeypatch.setattr("pipeline.report.exports.sync", full)
    with pytest.raises(LocalAccess):
        written(books, tmp_path / "other", "csv")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_table_that_is_not_there_is_told_with_its_nearest_name(books, tmp_path):
    """A slip of the finger is met with the right name."""
    with opened(books) as connection, pytest.raises(ConfigError) as caught:
        chosen(connection, ["mart.spend_lines"])
    assert "mart.spend_line?" in caught.value.do


_MEASURED = """
import resource, sys
from pathlib import Path
from mart_books import opened
from pipeline.report.exports import export
from pipeline.report.reading import chosen

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def write(name, into):
    for form in ("csv", "parquet"):
        export(connection, chosen(connection, [name]), Path(sys.argv[2]) / f"{into}-{form}", form, {"run_id": "x"})

with opened(Path(sys.argv[1])) as connection:
    write("mart.small", "small")
    before = peak_mb()
    write("mart.large", "large")
    print(peak_mb() - before)
"""


def test_a_large_table_takes_little_memory(tmp_path):
    """Rows are written as they come: two million take little more than some."""
    large = (
        "SELECT range::VARCHAR AS id, (range / 7)::DECIMAL(18, 4) AS amount, repeat('x', 100) AS text FROM range({})"
    )
    path = made(
        tmp_path / "large.duckdb",
        f"CREATE TABLE mart.small AS {large.format(400_000)}; CREATE TABLE mart.large AS {large.format(2_000_000)}",
    )
    script = tmp_path / "measured.py"  # a file: DuckDB shows its progress where it takes the program for interactive
    script.write_text(_MEASURED)
    code = [sys.executable, str(script), str(path), str(tmp_path)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run(code, capture_output=True, text=True, check=True, env=environ).stdout
    assert float(told) < 100
    assert (tmp_path / "large-csv" / "mart.large.csv").stat().st_size > 200_000_000
