"""What DuckDB may put on the disk when memory does not hold it: into a private folder of the run, and so much of it.

By default it would be nine tenths of the volume, beside the database.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import duckdb

MOST_SPILL_BYTES: Final = 32 * 10**9
_SHARE = 2  # others need the volume as well


def bound_spill(connection: duckdb.DuckDBPyConnection, folder: Path, most_bytes: int = MOST_SPILL_BYTES) -> None:
    """What this connection puts into a folder stays below `most_bytes`, and below half of what is free there.

    It is said after connecting: DuckDB 2.0.0 shows a limit that came with the connection, and does not keep it.
    """
    bound = min(most_bytes, shutil.disk_usage(folder).free // _SHARE)
    connection.execute(f"SET max_temp_directory_size = '{bound}B'").fetchall()
