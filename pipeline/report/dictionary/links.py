"""Which table's rows hang under which, or refer to which: read from the keys that the dictionary names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.report.dictionary.values import DescribedTable


@dataclass(frozen=True, slots=True)
class Link:
    """Rows of `child` name one row of `parent`: `columns` pairs what they hold with the parent's key.

    `is_part` tells that the child hangs under the parent and cannot be without it; else it refers to it.
    """

    child: str
    parent: str
    columns: tuple[tuple[str, str], ...]
    is_part: bool


def links_of(tables: Iterable[DescribedTable]) -> tuple[Link, ...]:
    """The links between the tables of the `prospend` schema, in order of the children."""
    current = {table.name: table for table in tables if table.schema == "prospend"}
    keys = {name: _key(table) for name, table in current.items()}
    heads = {name: key for name, key in keys.items() if key and key[-1] != "_index"}  # the others are lists of theirs
    named = {_own_name(name, key[-1]): name for name, key in heads.items()}
    return tuple(
        link
        for name in current
        for link in (*_parents(name, keys[name], named, heads), *_references(current[name], keys[name], named, heads))
    )


def _key(table: DescribedTable) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns if column.is_key)


def _own_name(table: str, key: str) -> str:
    """What other tables call the key of this one: `claim_id`."""
    return key if key.startswith(table) else f"{table}_{key}"


def _parents(name: str, key: tuple[str, ...], named: dict[str, str], heads: dict[str, tuple[str, ...]]) -> list[Link]:
    """The nearest table above, by the longest beginning of the key that is another table's key."""
    for length in range(len(key) - 1, 0, -1):
        parent = named.get(key[length - 1])
        if parent is not None and parent != name and len(heads[parent]) == length:
            return [Link(name, parent, tuple(zip(key[:length], heads[parent], strict=True)), is_part=True)]
    return []


def _references(
    table: DescribedTable, key: tuple[str, ...], named: dict[str, str], heads: dict[str, tuple[str, ...]]
) -> list[Link]:
    """Columns beside the key that hold the key of a table with the same parents as this one's outermost."""
    found = []
    for column in table.columns:
        parent = named.get(column.name)
        if column.name in key or parent is None or parent == table.name or len(heads[parent]) > len(key):
            continue
        above = key[: len(heads[parent]) - 1]
        if above == heads[parent][:-1]:
            pairs = tuple(zip((*above, column.name), heads[parent], strict=True))
            found.append(Link(table.name, parent, pairs, is_part=False))
    return found
