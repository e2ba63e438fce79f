"""What a data folder's readers see, in a form that two nights can be compared in."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pipeline
from pipeline.resources import read_catalogue
from pipeline.tables import Table, all_tables
from pipeline.warehouse.text import names

TABLES = all_tables(read_catalogue())
# What tells one night from another, or how a record was spelled: everything else of a row is its content.
_NOT_CONTENT = {"_run_id", "_fetched_at", "_page", "_valid_from", "_deleted_at", "_fingerprint"}


def contents(data_dir: Path) -> dict[str, Counter]:
    """Every row of every table, but for what tells one night from another."""
    with pipeline.connect(data_dir) as connection:
        return {
            table.name: Counter(
                connection.execute(
                    f"SELECT {names(content_columns(table))} FROM prospend.{table.name} WHERE _deleted_at IS NULL"
                ).fetchall()
            )
            for table in TABLES
        }


def content_columns(table: Table) -> list[str]:
    """Names of the columns that make the rows of `contents`, in order."""
    return [column.name for column in table.columns if column.name not in _NOT_CONTENT]
