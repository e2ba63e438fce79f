"""What a data folder's readers see, in a form that two nights can be compared in."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pipeline
from pipeline.resources import read_catalogue
from pipeline.tables import all_tables

TABLES = all_tables(read_catalogue())


def contents(data_dir: Path) -> dict[str, Counter]:
    """Every row of every table, but for what tells one night from another."""
    with pipeline.connect(data_dir) as connection:
        return {
            table.name: Counter(
                connection.execute(f"SELECT * EXCLUDE (_run_id, _fetched_at) FROM prospend.{table.name}").fetchall()
            )
            for table in TABLES
        }
