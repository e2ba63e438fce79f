"""SQL as text: quoting of names and strings, and the fixed statements in `sql/`. Nothing is executed here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from pipeline.tables import Table

CURRENT, PAST, HISTORY, MART = "prospend", "past", "history", "mart"
# Where records stand that are being compared, while a build lasts: temporary tables, never in the file.
ASIDE = "temp.main"


def quoted(name: str) -> str:
    """A name as an identifier, whatever it holds."""
    if not name or "\0" in name:
        raise ValueError("a name is empty or holds NUL")
    return '"' + name.replace('"', '""') + '"'


def names(columns: Iterable[str]) -> str:
    """A comma-separated list of identifiers."""
    return ", ".join(quoted(column) for column in columns)


def literal(text: str) -> str:
    """A text as a string literal. Values from payloads never come this way: they are bound or read from files."""
    if "\0" in text:
        raise ValueError("a text holds NUL")
    return "'" + text.replace("'", "''") + "'"


def literal_path(path: Path) -> str:
    """A file as a string literal that names this file only: DuckDB reads `*`, `?` and `[` in paths as patterns."""
    return literal("".join(f"[{char}]" if char in "*?[" else char for char in str(path.absolute())))


def instant(at: datetime) -> str:
    """An instant as a literal, to the microsecond."""
    return f"TIMESTAMPTZ {literal(at.astimezone(UTC).isoformat(sep=' '))}"


def home(table: Table, schema: str = CURRENT) -> str:
    """The full name of a table."""
    return f"{schema}.{quoted(table.name)}"


def equal(left: str, lefts: Iterable[str], right: str, rights: Iterable[str]) -> str:
    """True where the columns of one relation equal those of another, pair by pair; never of NULLs."""
    pairs = zip(lefts, rights, strict=True)
    return " AND ".join(f"{left}.{quoted(one)} = {right}.{quoted(other)}" for one, other in pairs)


def differ(left: str, right: str, columns: Iterable[str]) -> str:
    """True where two rows have another value in one of the columns at least; NULL is a value here."""
    return " OR ".join(f"{left}.{name} IS DISTINCT FROM {right}.{name}" for name in map(quoted, columns)) or "false"


def fixed(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text("utf-8")


def present(expression: str) -> str:
    """True where a key value is there: neither NULL nor an empty text."""
    return f"coalesce({expression}::VARCHAR, '') <> ''"
