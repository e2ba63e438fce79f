"""The dictionary as JSON, and what its other forms share: how a table is told that another one is like."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from pipeline.report.dictionary.links import links_of
from pipeline.report.dictionary.values import DescribedColumn, DescribedTable, Dictionary

TITLES = {
    "mart": "Reporting tables: made anew each night, deleted rows left out",
    "prospend": "What the source holds now, a row a key; deleted rows carry `_deleted_at`",
    "history": "Every version of every row",
    "past": "The versions that no longer hold; `history` shows them with those that do",
    "meta": "What the warehouse says of itself",
}
# Told by what they have beside the table of the same name in `prospend`.
LIKE_CURRENT = ("history", "past")


def as_json(dictionary: Dictionary) -> str:
    """Everything, for programs."""
    document = {
        "site": dictionary.site,
        "run_id": dictionary.run_id,
        "tables": [
            {
                "schema": table.schema,
                "name": table.name,
                "about": table.about,
                "columns": [asdict(column) for column in table.columns],
            }
            for table in dictionary.tables
        ],
        "links": [asdict(link) for link in links_of(dictionary.tables)],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def made_from(dictionary: Dictionary) -> str:
    """What was read to write it."""
    if dictionary.run_id is None:
        return "Read from the catalogue of the source, without a warehouse."
    return f"Read from the warehouse of {dictionary.site}, run {dictionary.run_id}."


def beside(table: DescribedTable, current: Mapping[str, DescribedTable]) -> tuple[DescribedColumn, ...]:
    """The columns that the table of the same name in `prospend` does not have."""
    known = {column.name for column in current[table.name].columns} if table.name in current else set()
    return tuple(column for column in table.columns if column.name not in known)


def marks(column: DescribedColumn) -> str:
    """Whether it is part of the key, or in which column its currency stands."""
    return "key" if column.is_key else f"in {column.currency}" if column.currency else ""
