"""A mart's file: comments that say what it is, then one SELECT. `NNN_name.test.sql` beside it holds its tests.

    -- One row is ...; this paragraph becomes the table's comment.
    --
    -- grain: company_id, month_on, currency_code
    -- evidence: inferred
    -- money: gross_amount, net_amount in currency_code
    --
    -- company_id: meaning of the column; a line that goes on
    --   is indented
    SELECT ...

A test is its name with `required` or `told`, what must hold, and a SELECT of the rows for which it does not:

    -- test: lines_once (required)
    -- Every line stands in it exactly once.
    SELECT id AS key, 'stands twice' AS detail ...
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from pipeline.marts.values import Mart, MartTest, check_name

_FOLDER = Path(__file__).parent / "sql"
_LINEAGE = Path(__file__).parent / "lineage.json"
_FILE = re.compile(r"\d{3}_([a-z][a-z0-9_]*)\.sql\Z")
_FIELD = re.compile(r"([a-z][a-z0-9_]*): (.+)\Z")
_TEST = re.compile(r"^-- test: ([a-z][a-z0-9_]*) \((required|told)\)$", re.MULTILINE)
_REMARK = "rests on fields that the source's documentation does not confirm: empty where they are missing"


@lru_cache(maxsize=1)
def all_marts() -> tuple[Mart, ...]:
    """Every mart, in the order in which they are made: a later one may read an earlier one."""
    return tuple(
        _mart(match[1], path)
        for path in sorted(_FOLDER.iterdir())
        if (match := _FILE.match(path.name)) and not path.name.endswith(".test.sql")
    )


@lru_cache(maxsize=1)
def lineage() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """For each mart and column the columns of `prospend` that its value is made of, as `table.column`.

    `make lineage` derives them from the marts' SELECTs.
    """
    found: Mapping[str, Mapping[str, Sequence[str]]] = json.loads(_LINEAGE.read_bytes())
    return found


def for_readers() -> tuple[str, ...]:
    """The marts' names in the order in which people read them: answers, then facts, then what these point to."""
    files = sorted((path.name for path in _FOLDER.iterdir() if _FILE.match(path.name)), key=_reading_order)
    return tuple(name[4:].removesuffix(".sql") for name in files if not name.endswith(".test.sql"))


def _reading_order(file: str) -> tuple[bool, bool, str]:
    return file.startswith("0"), file.startswith("1"), file


def told_tests() -> tuple[str, ...]:
    """Names of the checks that are only told of by default."""
    return tuple(check_name(mart.name, test) for mart in all_marts() for test in mart.tests if not test.is_required)


def mart_of(name: str, text: str, tests: str = "") -> Mart:
    """The mart that a file describes.

    Raises:
        ValueError: the file has not the form of one.
    """
    paragraphs, sql = _header(name, text)
    if len(paragraphs) != 3:
        raise ValueError(f"mart {name}: a description, facts and columns are wanted, with -- between them")
    about, facts, columns = paragraphs
    found = list(_fields(name, facts))
    known = {key: value for key, value in found if key != "money"}
    if known.keys() - {"grain", "evidence"} or known.get("evidence") not in {"documented", "inferred"}:
        raise ValueError(f"mart {name}: grain, evidence (documented or inferred) and money are its facts")
    is_documented = known["evidence"] == "documented"
    remark = "" if is_documented else f" ({_REMARK})"
    return Mart(
        name=name,
        about=" ".join(about) + remark,
        grain=_listed(known.get("grain", "")),
        money=tuple(pair for key, value in found if key == "money" for pair in _money(name, value)),
        columns=tuple(_fields(name, columns)),
        is_documented=is_documented,
        sql=sql.rstrip().rstrip(";"),
        tests=tuple(_tests(name, tests)),
    )


def _mart(name: str, path: Path) -> Mart:
    beside = path.with_suffix(".test.sql")
    return mart_of(name, path.read_text("utf-8"), beside.read_text("utf-8") if beside.exists() else "")


def _header(name: str, text: str) -> tuple[list[list[str]], str]:
    """The comment's paragraphs, each a list of lines, and what follows it."""
    paragraphs: list[list[str]] = [[]]
    lines = text.splitlines(keepends=True)
    for at, line in enumerate(lines):
        if not line.startswith("--"):
            return [one for one in paragraphs if one], "".join(lines[at:])
        said = line[2:].rstrip()
        if not said:
            paragraphs.append([])
        elif said.startswith("   ") and paragraphs[-1]:
            paragraphs[-1][-1] += f" {said.strip()}"
        else:
            paragraphs[-1].append(said.strip())
    raise ValueError(f"mart {name}: there is no statement")


def _fields(name: str, lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        match = _FIELD.match(line)
        if match is None:
            raise ValueError(f"mart {name}: {line!r} is no 'name: text'")
        yield match[1], match[2]


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _money(name: str, text: str) -> Iterator[tuple[str, str]]:
    amounts, told, currency = text.rpartition(" in ")
    if not told:
        raise ValueError(f"mart {name}: money {text!r} names no currency")
    for amount in _listed(amounts):
        yield amount, currency.strip()


def _tests(name: str, text: str) -> Iterator[MartTest]:
    starts = list(_TEST.finditer(text))
    if bool(text.strip()) != bool(starts):
        raise ValueError(f"mart {name}: its tests begin with '-- test: name (required|told)'")
    for at, start in enumerate(starts):
        end = starts[at + 1].start() if at + 1 < len(starts) else len(text)
        paragraphs, sql = _header(name, text[start.end() + 1 : end])
        about = " ".join(line for one in paragraphs for line in one)
        yield MartTest(start[1], about, sql.rstrip().rstrip(";"), start[2] == "required")
