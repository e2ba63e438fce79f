"""Since when a file differs from the one it was copied from, so that only what moved has to be counted again."""

# ruff: noqa: S608 - generated SQL is the purpose here; names pass `text.quoted`
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from pipeline.checks import Figures
from pipeline.tables import DELETED_AT, VALID_FROM, VALID_TO, Table
from pipeline.warehouse.figures import stored
from pipeline.warehouse.text import PAST, home, instant, names

ALIVE = f"{DELETED_AT} IS NULL"
SIGN = "_sign"


@dataclass(frozen=True, slots=True)
class Since:
    """The instant of the first run applied after `run_id`, and what was counted when that one was the newest."""

    at: datetime
    run_id: str
    figures: Figures


def since_of(connection: duckdb.DuckDBPyConnection) -> Since | None:
    """What a file, built and not finished, began from; None if it began from nothing, or from what nobody counted."""
    figures = stored(connection)
    if figures is None:
        return None
    ((at,),) = connection.execute(
        "SELECT min(as_at) FROM meta.run WHERE as_at > (SELECT as_at FROM meta.run WHERE run_id = ?)", [figures.run_id]
    ).fetchall()
    return None if at is None else Since(at, figures.run_id, figures)


def moved(table: Table, columns: Sequence[str], since: Since) -> str:
    """The rows that are there now and were not (sign 1), and those that were and are not (sign -1), of a table."""
    at, listed = instant(since.at), names(columns)
    return (
        f"(SELECT {listed}, 1 AS {SIGN} FROM {home(table)} WHERE {VALID_FROM} >= {at} AND {ALIVE} "
        f"UNION ALL SELECT {listed}, -1 FROM {home(table)} WHERE {VALID_FROM} < {at} AND {DELETED_AT} >= {at} "
        f"UNION ALL SELECT {listed}, -1 FROM {home(table, PAST)} WHERE {VALID_FROM} < {at} AND {VALID_TO} >= {at})"
    )


def is_touched(since: Since) -> str:
    """The condition that a row came, changed or was deleted since."""
    return f"({VALID_FROM} >= {instant(since.at)} OR {DELETED_AT} >= {instant(since.at)})"


def usable(connection: duckdb.DuckDBPyConnection, since: Since | None, check: str) -> Since | None:
    """`since`, if all rows that a check found wrong before are named: no others can be wrong but what moved."""
    if since is None:
        return None
    rows = connection.execute(
        "SELECT blamed_count = (SELECT count(*) FROM meta.check_failure WHERE run_id = $run_id AND name = $name) "
        "AND coalesce(numbers::VARCHAR NOT LIKE '%\"skipped\": 1%', false) "
        "FROM meta.check_result WHERE run_id = $run_id AND name = $name",
        {"run_id": since.run_id, "name": check},
    ).fetchall()
    return since if rows == [(True,)] else None
