"""Where each field of a record lands: the warehouse's tables and columns, derived from the catalogue alone.

One resource gives one table and one child table for each of its lists. Only naming and typing live here; no SQL text
beyond type names, no data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from pipeline.resources import Column, Kind, Resource, snake_case

# Columns this program adds to every row. `_extra` holds, as JSON, the fields that the catalogue does not know.
RUN_ID, FETCHED_AT, EXTRA, INDEX = "_run_id", "_fetched_at", "_extra", "_index"
# Of records only, not of the elements of their lists.
PAGE, FINGERPRINT = "_page", "_fingerprint"
# Of rows in the warehouse: no part of a snapshot has them.
VALID_FROM, VALID_TO, DELETED_AT = "_valid_from", "_valid_to", "_deleted_at"

_TYPES = {
    Kind.TEXT: "VARCHAR",
    Kind.INTEGER: "BIGINT",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.TIMESTAMP: "TIMESTAMPTZ",
    Kind.DATE: "DATE",
}


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column of a warehouse table.

    `source` is the way to the value in a snapshot row, in API names: `("primaryAddress", "city")`; in a child table it
    starts at the list's element, and an element that is a plain value has the empty way. Columns from above the record
    (parents' keys, `_index`, `_run_id`, ...) have `is_own` False and a one-step way in the snapshot row itself.
    `currency` names the column beside a money amount that holds its currency, or is None, and `sum_of` the columns
    beside it whose sum it is. `is_documented` tells that the field and everything it stands in is.
    """

    name: str
    type: str
    source: tuple[str, ...]
    about: str
    is_own: bool = True
    is_money: bool = False
    currency: str | None = None
    values: tuple[str, ...] = ()
    sum_of: tuple[str, ...] = ()
    is_documented: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its columns in order, and the columns that identify a row.

    `list_field` is the API name of the list whose elements are the rows, or None for the resource's own table.
    """

    name: str
    resource: str
    columns: tuple[TableColumn, ...]
    key: tuple[str, ...]
    about: str
    list_field: str | None = None

    @property
    def content_columns(self) -> tuple[TableColumn, ...]:
        """What the source says of a row: two versions of a row differ in one of these."""
        return tuple(column for column in self.columns if column.is_own or column.name == EXTRA)

    @property
    def record_key(self) -> tuple[str, ...]:
        """The columns that name the record a row belongs to, in the order of the resource's identity."""
        return self.key if self.list_field is None else self.key[:-1]

    @property
    def money_columns(self) -> tuple[TableColumn, ...]:
        """The amounts that are totalled per currency."""
        return tuple(column for column in self.columns if column.is_money)


@dataclass(frozen=True, slots=True)
class SourceField:
    """A field of the API's records, `resource.field`, with the way to it through objects and lists."""

    name: str
    is_documented: bool


def own_key_name(resource: Resource) -> str:
    """The name under which other tables refer to a row of this resource: `claim_id`, `company_id`."""
    return _key_name(resource.name, snake_case(resource.key))


def _key_name(resource: str, key: str) -> str:
    return key if key.startswith(resource) else f"{resource}_{key}"


@lru_cache(maxsize=128)  # asked for hundreds of times a night
def tables_of(resource: Resource) -> tuple[Table, ...]:
    """The resource's own table first, then one for each of its lists, in declared order."""
    context = [_given(name, f"key of the {_words(name)} above") for name in resource.context_names]
    scalars = [column for column in resource.columns if column.kind is not Kind.LIST]
    main = Table(
        name=resource.name,
        resource=resource.name,
        columns=(*context, *_flatten(scalars), *_provenance(of_records=True)),
        key=tuple(snake_case(name) for name in resource.identity),
        about=resource.about,
    )
    lists = [column for column in resource.columns if column.kind is Kind.LIST]
    return (main, *(_child(resource, column, context) for column in lists))


def all_tables(resources: Iterable[Resource]) -> tuple[Table, ...]:
    """Every table of the warehouse's `prospend` schema, in catalogue order."""
    return tuple(table for resource in resources for table in tables_of(resource))


def source_fields(tables: Iterable[Table]) -> dict[tuple[str, str], SourceField]:
    """The field that each column is filled from, by table and column; none for columns that this program adds.

    A parent's key is the parent's own field, wherever it stands.
    """
    tables = tuple(tables)
    keys = {}
    for table in tables:
        if table.list_field is None:
            (key,) = (column for column in table.columns if column.name == table.key[-1])
            keys[_key_name(table.name, key.name)] = _field(table, key)
    return {
        (table.name, column.name): field
        for table in tables
        for column in table.columns
        if (field := _field(table, column) if column.is_own else keys.get(column.name)) is not None
    }


def _field(table: Table, column: TableColumn) -> SourceField:
    way = (table.resource, *((table.list_field,) if table.list_field else ()), *column.source)
    return SourceField(".".join(way), column.is_documented)


def _child(resource: Resource, column: Column, context: list[TableColumn]) -> Table:
    key = TableColumn(own_key_name(resource), "VARCHAR", (resource.key,), f"{resource.name} of the row", is_own=False)
    index = TableColumn(INDEX, "INTEGER", (INDEX,), "position in the list as sent, from 0", is_own=False)
    if column.item is not None:
        item = column.item
        documented = column.evidence == item.evidence == "documented"
        plain = TableColumn(snake_case(item.name), _type(item), (), item.about, is_documented=documented)
        own: Iterable[TableColumn] = [plain]
    else:
        own = _flatten(column.columns, is_documented=column.evidence == "documented")
    return Table(
        name=column.table or "",
        resource=resource.name,
        columns=(*context, key, index, *own, *_provenance(of_records=False)),
        key=(*(c.name for c in context), key.name, INDEX),
        about=f"{column.about[0].upper()}{column.about[1:]}: one row an element of {resource.name}.{column.name}",
        list_field=column.name,
    )


def _flatten(
    columns: Iterable[Column], above: tuple[str, ...] = (), *, is_documented: bool = True
) -> Iterator[TableColumn]:
    def beside(name: str) -> str:
        return "_".join(snake_case(step) for step in (*above, name))

    for column in columns:
        way = (*above, column.name)
        documented = is_documented and column.evidence == "documented"
        if column.kind is Kind.OBJECT:
            yield from _flatten(column.columns, way, is_documented=documented)
            continue
        yield TableColumn(
            name=beside(column.name),
            type=_type(column),
            source=way,
            about=column.about + ("" if column.evidence == "documented" else " (inferred field: may be missing)"),
            is_money=column.is_money,
            currency=beside(column.currency) if column.currency else None,
            values=column.values,
            sum_of=tuple(beside(name) for name in column.sum_of),
            is_documented=documented,
        )


def _provenance(*, of_records: bool) -> Iterator[TableColumn]:
    yield _given(RUN_ID, "run that brought this version of the row")
    yield _added(FETCHED_AT, "TIMESTAMPTZ", "when the page with the row was received, UTC")
    if of_records:
        yield _added(PAGE, "INTEGER", "page of the resource in that run, from 0: the row stands on it as sent")
    yield _added(
        VALID_FROM, "TIMESTAMPTZ", "instant from which this version holds: that of the run that brought it, UTC"
    )
    yield _added(DELETED_AT, "TIMESTAMPTZ", "instant of the run that proved the row gone at the source, UTC; else NULL")
    if of_records:
        yield _added(FINGERPRINT, "BIGINT", "hash of the record's bytes as last sent")
    yield _added(EXTRA, "VARCHAR", "JSON of the fields the catalogue does not know, as sent; else NULL")


def _added(name: str, kind: str, about: str) -> TableColumn:
    return TableColumn(name, kind, (name,), about, is_own=False)


def _given(name: str, about: str) -> TableColumn:
    warehouse_name = name if name.startswith("_") else snake_case(name)
    return TableColumn(warehouse_name, "VARCHAR", (name,), about, is_own=False)


def _type(column: Column) -> str:
    return f"DECIMAL({column.precision},{column.scale})" if column.kind is Kind.DECIMAL else _TYPES[column.kind]


def _words(name: str) -> str:
    return snake_case(name).removesuffix("_id").replace("_", " ")
