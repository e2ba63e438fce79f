"""Tables and query results as pandas frames. The only place where a warehouse value becomes a pandas value.

Columns keep their Arrow types: pandas' own would turn DECIMAL into objects or floats and drop the difference between
a missing number and NaN.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import ConfigError
from pipeline.report.reading import CURRENT, Connection, quoted

_TABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*){0,2}\Z")
_MOST_CATEGORIES = 1000

Value = str | int | bool | Decimal | float | date | datetime | None
Condition = str | Mapping[str, Value | Sequence[Value]]
"""What rows are wanted: SQL, or a value (or some of them) for each of some columns."""


def frame(
    connection: Connection,
    name_or_sql: str,
    *,
    where: Condition | None = None,
    columns: Sequence[str] | None = None,
    as_of: datetime | None = None,
    categories: bool = False,
) -> pd.DataFrame:
    """A table, or the result of one SELECT, as a frame.

    Args:
        connection: open, usually from `pipeline.connect`.
        name_or_sql: `"prospend.claim"`, or a statement that gives rows.
        where: rows to take; values in a mapping are bound, so they can hold anything.
        columns: names of the columns to take, in order; all by default.
        as_of: an instant, for a table of `prospend` only: its rows as they held then.
        categories: text of which few values are different becomes `category`.

    Shape:
        n rows x the columns selected, in order, every dtype a `pandas.ArrowDtype`: DECIMAL is decimal128 and never a
        float, DATE is date32, times are microseconds in UTC, missing values are `pandas.NA`. With `categories`, text
        of at most 1,000 values that stand twice each on average is `category`.

    Raises:
        ConfigError: the statement gives no rows, there is no such column, or the history does not go so far back.
    """
    wanted = name_or_sql.strip()
    is_table = is_table_name(wanted)
    values: list[object] = []
    if as_of is not None:
        source = _as_it_was(connection, wanted, as_of, values)
    else:
        source = ".".join(map(quoted, wanted.split("."))) if is_table else f"(\n{wanted.rstrip().rstrip(';')}\n)"
    if not is_table and where is None and columns is None:
        return _framed(_table(connection, wanted, []), categories=categories)
    selected = ", ".join(map(quoted, columns)) if columns is not None else "*"
    sql = f"SELECT {selected} FROM {source}"  # noqa: S608 - quoted names, bound values
    if where is not None or columns is not None:
        known = connection.execute(f"DESCRIBE SELECT * FROM {source}", values).fetchall()  # noqa: S608
        _refuse_unknown(
            [*(columns or ()), *(where if isinstance(where, Mapping) else ())], [name for name, *_ in known]
        )
    if where is not None:
        sql += f" WHERE {_condition(where, values)}"
    return _framed(_table(connection, sql, values), categories=categories)


def is_table_name(text: str) -> bool:
    """Whether this names a table rather than asks a question."""
    return bool(_TABLE.match(text.strip()))


def _table(connection: Connection, sql: str, values: Sequence[object]) -> pa.Table:
    result = connection.sql(sql, params=values) if values else connection.sql(sql)
    if result is None:
        raise ConfigError("the statement gives no rows", where="frame", do="ask with SELECT")
    return result.to_arrow_table()


def _framed(table: pa.Table, *, categories: bool) -> pd.DataFrame:
    found = table.to_pandas(types_mapper=pd.ArrowDtype)
    if categories:
        for name in _few_values(table):
            found[name] = found[name].astype("category")
    return found


def _few_values(table: pa.Table) -> Iterable[str]:
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_string(column.type) and table.num_rows:
            distinct = pc.count_distinct(column).as_py()
            if distinct <= _MOST_CATEGORIES and distinct * 2 <= table.num_rows:
                yield name


def _as_it_was(connection: Connection, name: str, as_of: datetime, values: list[object]) -> str:
    """A source with the rows of a table as they held at an instant; what was deleted later was not deleted then."""
    schema, _, table = name.rpartition(".")
    if schema != CURRENT or not is_table_name(name):
        raise ConfigError("as_of is for tables of prospend", where="frame", do="name one, such as prospend.claim")
    ((began,),) = connection.execute("SELECT min(as_at) FROM meta.run").fetchall()
    if began is None or as_of < began:
        told = f"; the first run holds from {began:%Y-%m-%d %H:%M} UTC on" if began else ""
        raise ConfigError(
            f"the history does not go back to {as_of:%Y-%m-%d %H:%M %Z}{told}",
            where=f"frame · {name}",
            do="ask for later",
        )
    names = [
        column
        for (column,) in connection.execute(
            "SELECT column_name FROM duckdb_columns() WHERE schema_name = ? AND table_name = ? ORDER BY column_index",
            [schema, table],
        ).fetchall()
    ]
    if not names:
        raise ConfigError("there is no such table", where=f"frame · {name}", do="see meta.data_dictionary")
    listed = ", ".join(
        "NULL::TIMESTAMPTZ AS _deleted_at" if column == "_deleted_at" else quoted(column) for column in names
    )
    values += [table, as_of]
    return f"(SELECT {listed} FROM history.as_of(?, ?))"  # noqa: S608 - quoted names, bound values


def _condition(where: Condition, values: list[object]) -> str:
    """SQL for what rows are wanted; values go to `values`, in order."""
    if isinstance(where, str):
        return f"(\n{where}\n)"
    parts = []
    for column, value in where.items():
        if value is None:
            parts.append(f"{quoted(column)} IS NULL")
        elif isinstance(value, str) or not isinstance(value, Iterable):
            parts.append(f"{quoted(column)} = ?")
            values.append(value)
        else:
            some = list(value)
            parts.append(f"{quoted(column)} IN ({', '.join('?' * len(some))})" if some else "false")
            values += some
    return " AND ".join(parts) or "true"


def _refuse_unknown(asked: Iterable[str], known: Sequence[str]) -> None:
    for name in asked:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
            raise ConfigError("there is no such column", where=f"frame · column {name!r:.80}", do=hint)
