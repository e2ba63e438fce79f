"""Reads `meta.data_dictionary`, in which a warehouse says what its tables and columns mean."""

from __future__ import annotations

from pipeline.errors import VersionMismatch
from pipeline.report.dictionary.values import DescribedColumn, DescribedTable
from pipeline.report.reading import Connection

_WANTED = "schema_name table_name column_name type about is_key currency_column source_fields evidence known_values"
SCHEMAS = ("mart", "prospend", "history", "past", "meta")


def described(connection: Connection) -> tuple[DescribedTable, ...]:
    """Every table and view of a warehouse with its columns, those that people read first.

    Raises:
        VersionMismatch: an earlier version published it, which said less.
    """
    known = connection.execute(
        "SELECT column_name FROM duckdb_columns() WHERE schema_name = 'meta' AND table_name = 'data_dictionary'"
    ).fetchall()
    if missing := set(_WANTED.split()) - {name for (name,) in known}:
        raise VersionMismatch(
            f"the published warehouse does not say {', '.join(sorted(missing))}: an earlier version made it",
            where="meta.data_dictionary",
            do="run `prospend run` or `prospend rebuild`, or ask for the catalogue alone with --catalogue-only",
        )
    about: dict[tuple[str, str], str] = {}
    columns: dict[tuple[str, str], list[DescribedColumn]] = {}
    for schema, table, column, kind, said, is_key, currency, sources, evidence, values in connection.execute(
        f"SELECT {', '.join(_WANTED.split())} FROM meta.data_dictionary ORDER BY schema_name, table_name, position"  # noqa: S608 - constants
    ).fetchall():
        if column is None:
            about[schema, table] = said or ""
            continue
        found = DescribedColumn(
            column, kind, said or "", is_key, currency, tuple(sources), evidence, tuple(values or ())
        )
        columns.setdefault((schema, table), []).append(found)
    found_tables = [DescribedTable(*place, about[place], tuple(found)) for place, found in columns.items()]
    return tuple(sorted(found_tables, key=lambda table: SCHEMAS.index(table.schema)))
