"""The dictionary as Markdown, with a Mermaid diagram."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pipeline.report.dictionary.links import links_of
from pipeline.report.dictionary.text import LIKE_CURRENT, TITLES, beside, made_from, marks
from pipeline.report.dictionary.values import DescribedColumn, DescribedTable, Dictionary

_HEADER = ("column", "type", "", "meaning", "source", "evidence")


def as_markdown(dictionary: Dictionary) -> str:
    """Headings, one table of columns a table, and the diagram, which many viewers of Markdown draw."""
    return "\n".join(_lines(dictionary)) + "\n"


def _lines(dictionary: Dictionary) -> Iterator[str]:
    current = {table.name: table for table in dictionary.of_schema("prospend")}
    yield "# Data dictionary"
    yield ""
    yield made_from(dictionary)
    yield "`source` names the API's fields that a value is made of; what only joins or filters rows is not counted."
    yield "`inferred` fields are named by no page of the vendor and may be missing."
    yield ""
    yield "## How the tables hang together"
    yield ""
    yield from _diagram(dictionary)
    for schema, title in TITLES.items():
        tables = dictionary.of_schema(schema)
        if not tables:
            continue
        yield ""
        yield f"## Schema `{schema}`"
        yield ""
        yield f"{title}."
        if schema in LIKE_CURRENT:
            yield from _like_current(tables, current)
            continue
        for table in tables:
            yield ""
            yield f"### {table.full_name}"
            yield ""
            yield _text(table.about)
            yield ""
            yield from _columns(table.columns)


def _columns(columns: Iterable[DescribedColumn]) -> Iterator[str]:
    yield _row(_HEADER)
    yield _row("---" for _ in _HEADER)
    for column in columns:
        values = f" One of: {', '.join(column.known_values)}." if column.known_values else ""
        about = _text(column.about + values)
        sources = ", ".join(f"`{source}`" for source in column.sources)
        yield _row((f"`{column.name}`", column.type, _text(marks(column)), about, sources, column.evidence or ""))


def _like_current(tables: Iterable[DescribedTable], current: dict[str, DescribedTable]) -> Iterator[str]:
    yield "Each has the columns of the table of the same name in `prospend`, and those named here."
    yield ""
    yield _row(("table", "what a row is", "columns besides"))
    yield _row(("---", "---", "---"))
    for table in tables:
        more = "; ".join(f"`{column.name}` {column.type}: {_text(column.about)}" for column in beside(table, current))
        yield _row((f"`{table.full_name}`", _text(table.about), more))


def _diagram(dictionary: Dictionary) -> Iterator[str]:
    """Keys and references alone: with every column nobody would see how the tables hang together."""
    links = links_of(dictionary.tables)
    held = {(link.child, column) for link in links for column, _ in link.columns}
    yield "```mermaid"
    yield "erDiagram"
    for link in links:
        arrow = "||--o{" if link.is_part else "|o..o{"
        yield f'    {link.parent} {arrow} {link.child} : "{link.columns[-1][0]}"'
    for table in dictionary.of_schema("prospend"):
        yield f"    {table.name} {{"
        for column in table.columns:
            told = [mark for mark, holds in (("PK", column.is_key), ("FK", (table.name, column.name) in held)) if holds]
            if told:
                yield f"        {re.sub('[^A-Za-z0-9]', '_', column.type)} {column.name} {','.join(told)}"
        yield "    }"
    yield "```"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Text that is neither markup nor the end of a cell."""
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", " ".join(text.split())).replace("<", "&lt;")
