"""A reader as BI tools are: a process that opens the published link again and again and writes down what it saw.

Run as a script: `reading.py LINK NOTES STYLE`, until its standard input ends. STYLE `holding` keeps each connection
until the next one stands, as tools with a pool do; `closing` has one at a time. One line of NOTES for each opening.
"""

from __future__ import annotations

import json
import select
import sys
from pathlib import Path

import duckdb

_PAUSE_S = 0.03
_FOOTPRINT = "SELECT count(*), bit_xor(hash(t)) FROM prospend.{} t"


def seen(connection: duckdb.DuckDBPyConnection) -> dict[str, object]:
    """The run that a file says it is of, asked before and after, and a footprint of each of its tables."""
    asked = "SELECT run_id FROM meta.snapshot_info"
    ((first,),) = connection.execute(asked).fetchall()
    tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'prospend'").fetchall()
    found = {name: connection.execute(_FOOTPRINT.format(name)).fetchall()[0] for (name,) in tables}
    ((last,),) = connection.execute(asked).fetchall()
    return {"run_id": first, "run_id_after": last, "tables": {name: list(found[name]) for name in sorted(found)}}


def opened(link: str) -> duckdb.DuckDBPyConnection:
    """A connection as a reader makes it."""
    return duckdb.connect(link, read_only=True, config={"threads": 1})


def _read_on(link: str, notes: Path, style: str) -> None:
    held: list[duckdb.DuckDBPyConnection] = []
    with notes.open("w", buffering=1) as out:
        while not select.select([sys.stdin], [], [], _PAUSE_S)[0]:
            try:
                connection = opened(link)
                held.append(connection)
                told = seen(connection)
            except duckdb.Error as error:
                told = {"error": str(error)}
            out.write(json.dumps(told) + "\n")
            while len(held) > (1 if style == "holding" else 0):
                held.pop(0).close()


if __name__ == "__main__":
    _read_on(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
