"""The page's statements and what the warehouse answers: each figure comes from one, and can be had again by it."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import Any, Protocol

import pyarrow as pa


class _Result(Protocol):
    def to_arrow_table(self) -> pa.Table: ...


class Connection(Protocol):
    """What is needed of a DuckDB connection: this stage does not know DuckDB."""

    def sql(self, query: str, /) -> _Result | None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What one statement gave: rows by column name, the statement itself, and what it says of itself."""

    name: str
    about: str
    sql: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def value(self, row: int, column: str) -> Any:
        """One value."""
        return self.rows[row][self.columns.index(column)]

    def where(self, column: str, wanted: object) -> list[int]:
        """Positions of the rows that hold a value, in order."""
        place = self.columns.index(column)
        return [at for at, row in enumerate(self.rows) if row[place] == wanted]

    def distinct(self, column: str) -> list[Any]:
        """The values of a column, each once, in order of first appearance."""
        place = self.columns.index(column)
        return list(dict.fromkeys(row[place] for row in self.rows))


def statement(name: str, words: Mapping[str, str]) -> str:
    """One of the page's statements with its words filled in: dates as SQL literals, and how people are named."""
    text = (importlib.resources.files(__package__) / "sql" / f"{name}.sql").read_text("utf-8")
    return Template(text).substitute(words).strip()


def ask(connection: Connection, name: str, words: Mapping[str, str]) -> Answer:
    """What a statement of the page gives."""
    sql = statement(name, words)
    result = connection.sql(sql)
    assert result is not None, f"{name}.sql gives no rows"
    table = result.to_arrow_table()
    columns = [_values(column) for column in table.columns]
    return Answer(name, _about(sql), sql, tuple(table.column_names), tuple(zip(*columns, strict=True)))


def _values(column: pa.ChunkedArray[Any]) -> list[Any]:
    """The values of a column; None, too, for a day or time that Python cannot say, such as one of the year 10000."""
    try:
        return list(column.to_pylist())
    except (OverflowError, ValueError):
        return [_value(one) for one in column]


def _value(scalar: pa.Scalar[Any]) -> Any:
    try:
        return scalar.as_py()
    except (OverflowError, ValueError):
        return None


def _about(sql: str) -> str:
    """The comment on top of a statement, as one paragraph."""
    lines: list[str] = []
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return " ".join(lines)
