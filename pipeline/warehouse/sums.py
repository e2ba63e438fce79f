"""Whether amounts add up in a loaded warehouse, counted by SQL: gross = net + tax, a document = the sum of its lines.

Deleted rows are left out. What a difference means is judged by `checks`.
"""

# ruff: noqa: S608 - generated SQL is the purpose here; names and texts pass `text.quoted` and `text.literal`
from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import duckdb

from pipeline.checks import Sums, amounts_check, lines_check
from pipeline.model import Blamed
from pipeline.resources import Catalogue, Resource, Tie, snake_case
from pipeline.tables import INDEX, Table, TableColumn, tables_of
from pipeline.warehouse.since import ALIVE, Since, is_touched, usable
from pipeline.warehouse.text import home, literal, quoted

# So many wrong rows of one check are named; all are counted.
BLAMED_ROWS = 1_000


def amounts(connection: duckdb.DuckDBPyConnection, table: Table, since: Since | None) -> Sums | None:
    """Every amount of a table that is the sum of others, compared with them in each row; None if it has none.

    With `since`, only in rows that came since then, or were wrong before.
    """
    totals = [column for column in table.columns if column.sum_of]
    if not totals:
        return None
    documented = {column.name: column.is_documented for column in table.columns}
    since = usable(connection, since, amounts_check(table))
    found = [_compared(connection, table, column, since) for column in totals]
    wrong = [row for one in found for row in one.wrong]
    return Sums(
        name=amounts_check(table),
        is_documented=all(documented[name] for total in totals for name in (total.name, *total.sum_of)),
        compared=sum(one.compared for one in found),
        incomplete=sum(one.incomplete for one in found),
        wrong_count=sum(one.wrong_count for one in found),
        wrong=tuple(wrong[:BLAMED_ROWS]),
        is_of_changes=since is not None,
    )


def _compared(connection: duckdb.DuckDBPyConnection, table: Table, total: TableColumn, since: Since | None) -> Sums:
    gross = quoted(total.name)
    parts = [quoted(name) for name in total.sum_of]
    complete = " AND ".join(f"{part} IS NOT NULL" for part in (gross, *parts))
    is_wrong = f"{complete} AND {gross} <> {' + '.join(parts)}"
    rows_in_question = f"{home(table)} WHERE {ALIVE} AND {_in_question(connection, table, since)}"
    ((compared, incomplete, wrong_count),) = connection.execute(
        f"SELECT count(*) FILTER ({complete}), count(*) FILTER ({gross} IS NOT NULL AND NOT ({complete})), "
        f"count(*) FILTER ({is_wrong}) FROM {rows_in_question}"
    ).fetchall()
    wrong: list[Blamed] = []
    if wrong_count:
        key = [quoted(name) for name in table.key]
        currency = quoted(total.currency) if total.currency else "''"
        rows = connection.execute(
            f"SELECT {', '.join((*key, currency, gross, *parts))} FROM {rows_in_question} "
            f"AND {is_wrong} ORDER BY {', '.join(key)} LIMIT {BLAMED_ROWS}"
        ).fetchall()
        wrong = [_blamed(table, total, row) for row in rows]
    return Sums(total.name, total.is_documented, int(compared), int(incomplete), int(wrong_count), tuple(wrong))


def _in_question(connection: duckdb.DuckDBPyConnection, table: Table, since: Since | None) -> str:
    """The condition that a row can be wrong now: it came since then, or its record was to blame."""
    if since is None:
        return "true"
    blamed, key = (
        _blamed_before(amounts_check(table), since),
        ", ".join(f"{quoted(one)}::VARCHAR" for one in table.record_key),
    )
    ((has_any,),) = connection.execute(f"SELECT count(*) > 0 FROM ({blamed})").fetchall()
    return f"({is_touched(since)} OR [{key}] IN ({blamed}))" if has_any else is_touched(since)


def _blamed_before(check: str, since: Since) -> str:
    return f"SELECT key FROM meta.check_failure WHERE run_id = {literal(since.run_id)} AND name = {literal(check)}"


def _blamed(table: Table, total: TableColumn, row: Sequence[object]) -> Blamed:
    key, (currency, gross, *parts) = row[: len(table.key)], row[len(table.key) :]
    is_child = table.key[-1] == INDEX
    place = f"{table.name}[{key[-1]}]" if is_child else table.name
    sides = " + ".join(f"{name} {part}" for name, part in zip(total.sum_of, parts, strict=True))
    detail = f"{place}: {total.name} {gross} is not {sides}, in {currency or 'an unknown currency'}"
    return Blamed(table.resource, tuple(map(str, key[:-1] if is_child else key)), detail)


# ---- lines ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Side:
    """Where one side of a comparison stands: table, columns with the document's key, amounts, currency."""

    table: Table
    key: tuple[str, ...]
    amounts: tuple[str, ...]
    currency: str

    @property
    def keys(self) -> str:
        """The key as k0, k1, ..."""
        return ", ".join(f"{quoted(name)} AS k{n}" for n, name in enumerate(self.key))

    @property
    def grouped_by(self) -> str:
        """The key and the currency, empty where it is missing."""
        return f"{self.keys}, coalesce({quoted(self.currency)}, '') AS currency"


def lines(
    connection: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    resource: Resource,
    tie: Tie,
    switches: Collection[str],
    since: Since | None,
) -> Sums:
    """The amounts of every document, in each currency, compared with the sum of its lines.

    With `since`, only of documents that came or changed since then, or a line of which did, or that were wrong before.

    Args:
        connection: to a loaded warehouse.
        catalogue: knows the parent of the lines.
        resource: the lines.
        tie: what is to be compared.
        switches: the settings that ask for more lines than the source gives by default.
        since: when the file differs from one that was counted before.
    """
    assert resource.parent is not None, "the catalogue refuses ties without a parent"
    parent, left_out = catalogue[resource.parent], dict(tie.without)
    nothing = Sums(lines_check(resource, tie), is_documented=tie.evidence == "documented")
    unread = [setting for _, setting in resource.switches if setting not in {*switches, *left_out}]
    if unread:
        why = f"not compared: extract.{unread[0]} is off, so that not all lines that count are read"
        return replace(nothing, not_compared=why)
    above, below = _above(parent, tie), _below(resource, tie)
    are_sent = f"SELECT 1 FROM {home(above.table)} WHERE {ALIVE} AND {quoted(above.amounts[0])} IS NOT NULL LIMIT 1"
    if not connection.execute(are_sent).fetchall():
        return replace(nothing, not_compared=f"not compared: the source sends no {tie.to or tie.amounts[0]}")
    flags = [quoted(snake_case(flag)) for flag in left_out.values()]
    since = usable(connection, since, nothing.name)
    judged = _judged(parent, resource, above, below, flags, _documents(parent, above, below, nothing.name, since))
    ((compared, incomplete, wrong_count, with_all),) = connection.execute(
        f"{judged} SELECT count(*) FILTER (is_complete), count(*) FILTER (NOT is_complete), "
        f"count(*) FILTER (is_wrong), count(*) FILTER (is_wrong AND ties_with_all) FROM judged"
    ).fetchall()
    wrong: list[Blamed] = []
    if wrong_count:
        keys = ", ".join(f"k{n}" for n, _ in enumerate(above.key))
        pairs = ", ".join(f"above{n}, below{n}" for n, _ in enumerate(above.amounts))
        rows = connection.execute(
            f"{judged} SELECT {keys}, currency, line_count, {pairs} FROM judged WHERE is_wrong "
            f"ORDER BY {keys}, currency LIMIT {BLAMED_ROWS}"
        ).fetchall()
        wrong = [_blamed_document(parent, resource, tie, len(above.key), row) for row in rows]
    return replace(
        nothing,
        compared=int(compared),
        incomplete=int(incomplete),
        wrong_count=int(wrong_count),
        wrong=tuple(wrong),
        tie_with_all=int(with_all) if flags else 0,
        is_of_changes=since is not None,
    )


def _documents(parent: Resource, above: _Side, below: _Side, check: str, since: Since | None) -> str | None:
    """The keys of the documents in question as k0, k1, ...; None for all."""
    if since is None:
        return None
    main = tables_of(parent)[0]
    sides = {side.table.name: side for side in (_Side(main, main.key, (), ""), above, below)}
    moved = [f"SELECT {one.keys} FROM {home(one.table)} WHERE {is_touched(since)}" for one in sides.values()]
    types = {column.name: column.type for column in main.columns}
    parts = [f"key[{n}]::{types[name]} AS k{n - 1}" for n, name in enumerate(main.key, 1)]
    blamed = f"SELECT {', '.join(parts)} FROM ({_blamed_before(check, since)})"
    return " UNION ".join((*moved, blamed))


def _above(parent: Resource, tie: Tie) -> _Side:
    main, *children = tables_of(parent)
    table = next((child for child in children if child.list_field == tie.to), main)
    key = table.key[:-1] if table.list_field else table.key
    return _side(table, key, (tie.to,) if tie.to and not table.list_field else (), tie)


def _below(resource: Resource, tie: Tie) -> _Side:
    key = tuple(snake_case(name) for name in resource.context_names)
    return _side(tables_of(resource)[0], key, (tie.part,) if tie.part else (), tie)


def _side(table: Table, key: tuple[str, ...], way: tuple[str, ...], tie: Tie) -> _Side:
    found = [next(c for c in table.columns if c.is_own and c.source == (*way, name)) for name in tie.amounts]
    return _Side(table, key, tuple(column.name for column in found), found[0].currency or "")


def _judged(
    parent: Resource,
    resource: Resource,
    above: _Side,
    below: _Side,
    flags: Sequence[str],
    in_question: str | None,
) -> str:
    """A query's beginning: `judged` has one row a document and currency, with its amounts on both sides.

    A document is compared in a currency if on both sides no amount is missing; not at all if some currency is. A line
    whose document is not there (in quarantine, say) is no difference. A row that is only read when a flag of its parent
    says so is a document if the flag says so, or if there are lines.
    """
    keys = ", ".join(f"k{n}" for n, _ in enumerate(above.key))
    counts = " AND ".join(f"NOT coalesce({flag}, false)" for flag in flags) or "true"
    sums_above, sums_below, complete, differs, with_all = [], [], [], [], []
    for n, (upper, lower) in enumerate(zip(map(quoted, above.amounts), map(quoted, below.amounts), strict=True)):
        sums_above.append(f"sum({upper}) AS above{n}, count(*) FILTER ({upper} IS NULL) AS above_missing{n}")
        sums_below.append(
            f"sum({lower}) FILTER ({counts}) AS below{n}, sum({lower}) AS all{n}, "
            f"count(*) FILTER ({counts} AND {lower} IS NULL) AS below_missing{n}"
        )
        complete.append(f"(coalesce(above_missing{n}, 0) = 0 AND coalesce(below_missing{n}, 0) = 0)")
        differs.append(f"({complete[-1]} AND coalesce(above{n}, 0) <> coalesce(below{n}, 0))")
        with_all.append(f"coalesce(above{n}, 0) = coalesce(all{n}, 0)")
    main = tables_of(parent)[0]
    only = [_only(side.key) if in_question else "" for side in (above, below)]
    known = _only(main.key) if in_question else ""
    documents = f"SELECT {', '.join(map(quoted, main.key))} FROM {home(main)} AS held {known} WHERE {ALIVE}"
    with_lines, is_document = "", "true"
    if resource.only_when and above.table.list_field is None:
        pairs = (f"held.{quoted(name)} = lined.k{n}" for n, name in enumerate(above.key))
        with_lines = (
            f"LEFT JOIN (SELECT DISTINCT {keys}, true AS has_lines FROM below) AS lined ON {' AND '.join(pairs)}"
        )
        is_document = f"({quoted(snake_case(resource.only_when))} OR has_lines)"
    touched = f"touched AS ({in_question}), " if in_question else ""
    return (
        f"WITH {touched}below AS (SELECT {below.grouped_by}, count(*) FILTER ({counts}) AS line_count, "
        f"{', '.join(sums_below)} "
        f"FROM {home(below.table)} AS held {only[1]} WHERE {ALIVE} GROUP BY ALL), "
        f"above AS (SELECT {above.grouped_by}, true AS stands, {', '.join(sums_above)} "
        f"FROM {home(above.table)} AS held {only[0]} {with_lines} WHERE {ALIVE} AND {is_document} GROUP BY ALL), "
        f"sides AS (FROM above FULL JOIN below USING ({keys}, currency) WHERE stands OR line_count > 0), "
        f"vague AS (SELECT DISTINCT {keys}, true AS is_vague FROM sides WHERE currency = ''), "
        f"judged AS (SELECT sides.*, is_vague IS NULL AND ({' OR '.join(complete)}) AS is_complete, "
        f"is_vague IS NULL AND ({' OR '.join(differs)}) AS is_wrong, {' AND '.join(with_all)} AS ties_with_all "
        f"FROM sides LEFT JOIN vague USING ({keys}) WHERE stands OR ({keys}) IN ({documents}))"
    )


def _only(key: Sequence[str]) -> str:
    """Leaves the rows of the documents in question, by the columns that hold a document's key."""
    pairs = (f"held.{quoted(name)} = touched.k{n}" for n, name in enumerate(key))
    return f"SEMI JOIN touched ON {' AND '.join(pairs)}"


def _blamed_document(parent: Resource, resource: Resource, tie: Tie, key_count: int, row: Sequence[object]) -> Blamed:
    key, (currency, line_count, *pairs) = row[:key_count], row[key_count:]
    amounts = zip(tie.amounts, pairs[::2], pairs[1::2], strict=True)
    told = ", ".join(f"{name} {upper or 0} against {lower or 0}" for name, upper, lower in amounts)
    detail = f"{tie.to or parent.name} in {currency} against {line_count or 0} of {resource.name}: {told}"
    return Blamed(parent.name, tuple(map(str, key)), detail)
