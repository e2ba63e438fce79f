"""What a published warehouse says, against what the source's books say: an auditor that shares no code with the pipeline.

It knows the API's field names and how the README says they are named in DuckDB, and nothing else: no import from
`pipeline`, no catalogue, no derived tables. Every key, value and list element is compared; each difference is named.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

Key = tuple[str, ...]
Record = Mapping[str, Any]
Books = dict[str, dict[Key, Record]]
"""For each resource the records that the source shows, under their parents' keys and their own."""
Allowed = dict[str, dict[Key, list["Record | None"]]]
"""For each key the records that may stand for it, the likeliest first; None is "no row"."""


@dataclass(frozen=True)
class Kind:
    """What hangs where: the columns above a record, the field that is its key, how it is asked for, its lists.

    `lists` maps a list's field to its table, and to the column of the values where they are plain.
    """

    above: tuple[str, ...]
    key: str = "id"
    asked: tuple[Mapping[str, str], ...] = ({},)
    lists: Mapping[str, tuple[str, str]] = field(default_factory=dict)


_COMPANY = ("company_id",)
KINDS: dict[str, Kind] = {
    "company": Kind((), key="companyId"),
    "entity": Kind(_COMPANY, asked=({"IncludeInactive": "true"},)),
    "division": Kind(_COMPANY, asked=({"includeInactive": "true"},)),
    "tax_code": Kind(
        _COMPANY, asked=({"includeInactive": "true"},), lists={"entityIds": ("tax_code_entity", "entity_id")}
    ),
    "supplier": Kind(
        _COMPANY,
        asked=({"active": "true"}, {"active": "false"}),
        lists={"tradingNames": ("supplier_trading_name", "trading_name")},
    ),
    "project": Kind(
        _COMPANY, asked=({"IncludeInactive": "true"},), lists={"portfolio": ("project_portfolio", "portfolio_id")}
    ),
    "project_wbs": Kind((*_COMPANY, "project_id")),
    "portfolio": Kind(_COMPANY, asked=({"includeInactive": "true"},)),
    "claim": Kind(
        _COMPANY,
        lists={
            "claimCurrencyTotals": ("claim_currency_total", ""),
            "transactionTotals": ("claim_transaction_total", ""),
            "approvers": ("claim_approver", ""),
            "customFields": ("claim_custom_field", ""),
        },
    ),
    "expense": Kind(
        (*_COMPANY, "claim_id"),
        lists={
            "splitChildren": ("expense_split_child", "split_child_id"),
            "recipients": ("expense_recipient", ""),
            "customFields": ("expense_custom_field", ""),
        },
    ),
    "expense_split": Kind((*_COMPANY, "claim_id", "expense_id")),
    "invoice": Kind(
        _COMPANY,
        lists={
            "transactionTotals": ("invoice_transaction_total", ""),
            "approvers": ("invoice_approver", ""),
            "customFields": ("invoice_custom_field", ""),
        },
    ),
    "invoice_line": Kind(
        (*_COMPANY, "invoice_id"),
        lists={
            "splitChildren": ("invoice_line_split_child", "split_child_id"),
            "customFields": ("invoice_line_custom_field", ""),
        },
    ),
    "invoice_split": Kind((*_COMPANY, "invoice_id", "invoice_line_id")),
}
PARENT = {
    "project_wbs": "project",
    "expense": "claim",
    "expense_split": "expense",
    "invoice_line": "invoice",
    "invoice_split": "invoice_line",
}


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it should be, and where."""

    what: str
    table: str
    key: Key = ()
    place: str = ""
    expected: object = None
    found: object = None

    def __str__(self) -> str:
        where = f"{self.table}{list(self.key)} {self.place}".strip()
        return f"{self.what}: {where}: expected {self.expected!r}, found {self.found!r}"


@dataclass(frozen=True)
class Row:
    """A row of a resource's own table with the elements of its lists, by table and in order."""

    values: Mapping[str, object]
    elements: Mapping[str, tuple[Mapping[str, object], ...]] = field(default_factory=dict)


@dataclass
class Published:
    """What a warehouse file holds: rows by resource and key, and what no such form can hold."""

    run_id: str
    rows: dict[str, dict[Key, Row]]
    dead: dict[str, set[Key]]
    faults: list[Difference]


# ---- what should be there ------------------------------------------------------------------------------------------


def books_of(records: Callable[..., Iterable[tuple[Key, Record]]], resources: Iterable[str] = KINDS) -> Books:
    """The books as a source shows them now; `records(resource, None, **parameters)` is the sandbox's own oracle."""
    found: Books = {}
    for name in resources:
        kind = KINDS[name]
        shown = (one for asked in kind.asked for one in records(name, None, **asked))
        found[name] = {
            (*context, str(record[kind.key])): record
            for context, record in shown
            # What hangs under a line that no list shows (personal, left out) cannot be known of.
            if name not in PARENT or context in found[PARENT[name]]
        }
    return found


def exactly(books: Books) -> Allowed:
    """The books and nothing else."""
    return {name: {key: [record] for key, record in records.items()} for name, records in books.items()}


def any_of(states: Sequence[Books]) -> Allowed:
    """Books that moved while they were read: each row is of one of the states, the newest of them named first."""
    found: Allowed = {}
    for name in states[-1]:
        keys = {key: None for state in reversed(states) for key in state[name]}
        found[name] = {key: [state[name].get(key) for state in reversed(states)] for key in keys}
    return found


# ---- what is there -------------------------------------------------------------------------------------------------


def read(file: Path, resources: Iterable[str] = KINDS, *, at: datetime | None = None) -> Published:
    """Everything alive in a published file; or, with `at`, what its history says was known at that instant."""
    with closing(_opened(file)) as connection:
        run_id = connection.execute("SELECT run_id FROM meta.snapshot_info").fetchall()[0][0]
        published = Published(run_id, {}, {}, [])
        for name in resources:
            _read_resource(connection, name, at, published)
    return published


def has_history(file: Path) -> bool:
    """Whether the file holds versions that were replaced."""
    with closing(_opened(file)) as connection:
        return bool(connection.execute("SELECT 1 FROM duckdb_views() WHERE schema_name = 'history'").fetchall())


def _opened(file: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(file), read_only=True, config={"threads": 1, "python_enable_replacements": False})


def _read_resource(connection: duckdb.DuckDBPyConnection, name: str, at: datetime | None, published: Published) -> None:
    kind = KINDS[name]
    own = _snake(kind.key)
    keyed = own if own.startswith(name) else f"{name}_{own}"
    elements: dict[Key, dict[str, list[Mapping[str, object]]]] = {}
    for table, _ in kind.lists.values():
        for row in _alive(connection, table, at, published):
            key = tuple(str(row[column]) for column in (*kind.above, keyed))
            elements.setdefault(key, {}).setdefault(table, []).append(row)
    found: dict[Key, Row] = {}
    for row in _alive(connection, name, at, published):
        key = tuple(str(row[column]) for column in (*kind.above, own))
        if key in found:
            published.faults.append(Difference("duplicate", name, key))
        lists = {table: tuple(rows) for table, rows in elements.pop(key, {}).items()}
        found[key] = Row({column: value for column, value in row.items() if column not in kind.above}, lists)
        published.faults += _misnumbered(lists, key)
    for key, lists in elements.items():
        if key not in found:
            published.faults += [Difference("orphan", table, key, found=len(rows)) for table, rows in lists.items()]
    published.rows[name] = found
    published.dead[name] = set() if at else _dead(connection, name, (*kind.above, own))


def _alive(
    connection: duckdb.DuckDBPyConnection, table: str, at: datetime | None, published: Published
) -> Iterator[dict[str, object]]:
    schema = "prospend" if at is None else "history"
    columns = {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE {schema}.{table}").fetchall()}
    inexact = [column for column, kind in columns.items() if kind in ("DOUBLE", "FLOAT")]
    published.faults += [Difference("inexact", table, (), column, found=columns[column]) for column in inexact]
    if at is not None:
        where, values = "_valid_from <= $1 AND (_valid_to IS NULL OR _valid_to > $1)", [at]
    else:
        where, values = ("_deleted_at IS NULL" if "_deleted_at" in columns else "true"), []
    order = "ORDER BY _index" if "_index" in columns else ""
    for row in connection.execute(f"SELECT * FROM {schema}.{table} WHERE {where} {order}", values).fetchall():
        yield dict(zip(columns, row, strict=True))


def _dead(connection: duckdb.DuckDBPyConnection, table: str, key: tuple[str, ...]) -> set[Key]:
    if not any(name == "_deleted_at" for name, *_ in connection.execute(f"DESCRIBE prospend.{table}").fetchall()):
        return set()
    asked = f"SELECT {', '.join(key)} FROM prospend.{table} WHERE _deleted_at IS NOT NULL"
    return {tuple(map(str, row)) for row in connection.execute(asked).fetchall()}


def _misnumbered(lists: Mapping[str, Sequence[Mapping[str, object]]], key: Key) -> Iterator[Difference]:
    for table, rows in lists.items():
        places = [row["_index"] for row in rows]
        if places != list(range(len(places))):
            what = "duplicate" if max(Counter(places).values()) > 1 else "place"
            yield Difference(what, table, key, "_index", list(range(len(places))), places)


# ---- the comparison ------------------------------------------------------------------------------------------------


def differences(published: Published, allowed: Allowed) -> list[Difference]:
    """All that a published file says otherwise than it may; empty when it is right."""
    found = list(published.faults)
    for name, keys in allowed.items():
        rows, dead = published.rows[name], published.dead[name]
        for key, records in keys.items():
            found += of_key(name, key, records, rows.get(key), is_dead=key in dead)
        found += [Difference("not in the books", name, key) for key in rows.keys() - keys.keys()]
        found += [Difference("alive and dead", name, key) for key in rows.keys() & dead]
    return found


def of_key(
    name: str, key: Key, records: Sequence[Record | None], row: Row | None, *, is_dead: bool = False
) -> list[Difference]:
    """How a row differs from the likeliest record that may stand for it; not at all if it is one of them."""
    if row is None:
        return [] if None in records else [Difference("marked deleted" if is_dead else "lost", name, key)]
    first: list[Difference] | None = None
    for record in records:
        if record is None:
            continue
        wrong = list(_of_record(name, key, record, row))
        if not wrong:
            return []
        first = first if first is not None else wrong
    return first if first is not None else [Difference("not in the books", name, key)]


def _of_record(name: str, key: Key, record: Record, row: Row) -> Iterator[Difference]:
    kind = KINDS[name]
    given = dict(zip(kind.above, key, strict=False))
    own = {
        column: value
        for column, value in record.items()
        if column not in kind.lists and not (_snake(column) in given and str(value) == given[_snake(column)])
    }
    yield from _of_values(name, key, "", own, row.values)
    for listed, (table, plain) in kind.lists.items():
        sent = record.get(listed) or []
        stored = row.elements.get(table, ())
        if len(sent) != len(stored):
            yield Difference("elements", table, key, "", len(sent), len(stored))
            continue
        for place, (one, found) in enumerate(zip(sent, stored, strict=True)):
            above = {*kind.above, f"{name}_id", "_index"}
            values = {column: value for column, value in found.items() if column not in above}
            yield from _of_values(table, key, f"[{place}].", {plain: one} if plain else one, values)


def _of_values(table: str, key: Key, place: str, sent: Record, stored: Mapping[str, object]) -> Iterator[Difference]:
    """One object as it was sent against one row: each value in its column, unknown ones in `_extra`, the rest NULL."""
    expected, unknown = _flat(sent, stored)
    kept = json.loads(str(stored["_extra"]), parse_float=Decimal) if stored.get("_extra") is not None else {}
    if unknown != kept:
        yield Difference("unknown fields", table, key, f"{place}_extra", unknown, kept)
    for column, found in stored.items():
        if column.startswith("_"):
            continue
        value = expected.get(column)
        if not _same(value, found):
            yield Difference("value", table, key, f"{place}{column}", value, found)


def _flat(sent: Record, stored: Mapping[str, object], prefix: str = "", way: str = "") -> tuple[Record, Record]:
    """Values by column name, objects taken apart; and what has no column, by its dotted way."""
    values: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    for name, value in sent.items():
        column = prefix + _snake(name)
        if column in stored:
            values[column] = value
        elif isinstance(value, dict) and any(one.startswith(f"{column}_") for one in stored):
            inner, left = _flat(value, stored, f"{column}_", f"{way}{name}.")
            values |= inner
            unknown |= left
        elif value is None and any(one.startswith(f"{column}_") for one in stored):
            continue
        else:
            unknown[way + name] = value
    return values, unknown


def _same(sent: object, found: object) -> bool:
    """Whether a stored value is exactly the one that was sent."""
    if sent is None or found is None:
        return sent is None and found is None
    if isinstance(found, bool) or isinstance(sent, bool):
        return sent is found
    if isinstance(found, Decimal | int):
        return isinstance(sent, Decimal | int) and Decimal(sent) == Decimal(found)
    if isinstance(found, datetime):
        return isinstance(sent, str) and datetime.fromisoformat(sent).astimezone(UTC) == found.astimezone(UTC)
    return isinstance(found, str) and sent == found


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


# ---- history -------------------------------------------------------------------------------------------------------


def changed(before: Published, after: Published) -> list[Difference]:
    """All rows of two readings that differ, but for what tells when and how a row came."""
    found = []
    for name, rows in before.rows.items():
        others = after.rows[name]
        for key in rows.keys() | others.keys():
            one, other = _told(rows.get(key)), _told(others.get(key))
            if one != other:
                found.append(Difference("history", name, key, "", one, other))
    return [*found, *after.faults]


def _told(row: Row | None) -> object:
    if row is None:
        return None
    lists = {table: [_said(one) for one in rows] for table, rows in row.elements.items()}
    return _said(row.values), lists


def _said(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if not name.startswith("_") or name in ("_extra", "_index")}
