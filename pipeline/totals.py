"""Exact sums of money by currency, on two independent ways: from the JSON text, and from a typed table.

That both agree is the proof that no amount was lost or changed between them. Nothing is decided here.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, localcontext
from itertools import chain, islice
from operator import attrgetter
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute

from pipeline.errors import SourceContractBroken
from pipeline.model import ControlTotal
from pipeline.resources import Column, Kind, Resource
from pipeline.tables import Table, TableColumn, tables_of

# The package's stubs take no plain values for scalars.
pc: Any = pyarrow.compute

# The default context would round a sum to 28 digits without a word.
_EXACT = Context(prec=500, traps=[Inexact, InvalidOperation])
_WIDEST = 38
_ABSENT = msgspec.Raw()
_NOTHING = frozenset({b"", b"null"})
_TOGETHER_COUNT = 1024

_Getter = Callable[[Sequence[Any]], list[Any]]
"""Reads one field of many owners at once: a call for each value would cost more than the sums."""
_Cells = dict[bytes, list[list[Any]]]
"""By currency as raw JSON text: for each amount, how many values and their sum."""


@dataclass(frozen=True, slots=True)
class _Purse:
    """Amounts that stand side by side and share a currency, and the way to them in a record.

    `list_of` gives the elements of the list they are in, None if they are in none; `above` are the objects around them.
    """

    table: str
    list_of: _Getter | None
    above: tuple[_Getter, ...]
    currency: _Getter
    amounts: tuple[_Getter, ...]
    columns: tuple[TableColumn, ...]
    scales: tuple[int, ...]


def record_totals(records: Iterable[bytes], resource: Resource) -> tuple[ControlTotal, ...]:
    """The sum of every money field, straight from the text of accepted records. Null amounts do not count.

    Raises:
        SourceContractBroken: the amounts of a record cannot be read; decoding would not have accepted it.
    """
    decoder, purses = _reading(resource)
    if not purses:
        return ()
    sums: list[tuple[_Purse, _Cells]] = [(purse, {}) for purse in purses]
    remaining = iter(records)
    try:
        with localcontext(_EXACT):
            while found := [decoder.decode(record) for record in islice(remaining, _TOGETHER_COUNT)]:
                for purse, cells in sums:
                    _add(found, purse, cells)
            return add_totals(*(_as_totals(resource.name, purse, cells) for purse, cells in sums))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, DecimalException):
        raise SourceContractBroken("the amounts of an accepted record cannot be read exactly") from None


def table_totals(table: pa.Table, resource: Resource) -> tuple[ControlTotal, ...]:
    """The sum of every money field of a decoded or stored table, as `record_totals` gives it for its records."""
    found = []
    for target in tables_of(resource):
        for column in target.money_columns:
            amounts = column_values(table, target, column)
            currency = next((c for c in target.columns if c.name == column.currency), None)
            codes = column_values(table, target, currency) if currency else pa.nulls(len(amounts), pa.string())
            found.append(_grouped(amounts, codes, resource.name, target.name, column.name))
    return add_totals(*found)


def add_totals(*many: Iterable[ControlTotal]) -> tuple[ControlTotal, ...]:
    """The totals of several parts as one, sorted; exact however many there are."""
    merged: dict[tuple[str, str, str, str], tuple[int, Decimal]] = {}
    with localcontext(_EXACT):
        for one in (total for totals in many for total in totals):
            key = (one.resource, one.table, one.column, one.currency)
            count, total = merged.get(key, (0, Decimal(0)))
            merged[key] = (count + one.value_count, total + one.total)
    return tuple(sorted(ControlTotal(*key, count, total) for key, (count, total) in merged.items()))


# ---- from the text --------------------------------------------------------------------------------------------------


def _add(found: Sequence[Any], purse: _Purse, cells: _Cells) -> None:
    """Add what some records hold to the sums, by currency: sorted into lists first, which sum much faster."""
    owners: Iterable[Any] = found
    if purse.list_of is not None:
        owners = chain.from_iterable(filter(None, purse.list_of(found)))
    for step in purse.above:
        owners = step(tuple(filter(None, owners)))
    owners = tuple(filter(None, owners))
    by_code: defaultdict[bytes, list[Any]] = defaultdict(list)
    for code, owner in zip(purse.currency(owners), owners, strict=True):
        by_code[code].append(owner)
    for code, same in by_code.items():
        sums = cells.setdefault(code, [[0, Decimal(0)] for _ in purse.amounts])
        for cell, getter in zip(sums, purse.amounts, strict=True):
            amounts = [amount for amount in getter(same) if amount is not None]
            cell[0] += len(amounts)
            cell[1] = sum(amounts, cell[1])


def _as_totals(resource: str, purse: _Purse, cells: _Cells) -> list[ControlTotal]:
    return [
        ControlTotal(resource, purse.table, column.name, _text(code), count, _at_scale(total, scale))
        for code, sums in cells.items()
        for column, scale, (count, total) in zip(purse.columns, purse.scales, sums, strict=True)
        if count
    ]


def _at_scale(total: Decimal, scale: int) -> Decimal:
    if not total.is_finite():
        raise InvalidOperation
    return total.quantize(Decimal(1).scaleb(-scale))


def _text(raw: bytes) -> str:
    if raw in _NOTHING:
        return ""
    return msgspec.json.decode(raw, type=str) if raw.startswith(b'"') else raw.decode()


@functools.cache
def _reading(resource: Resource) -> tuple[msgspec.json.Decoder[Any], tuple[_Purse, ...]]:
    """A decoder of records that reads the amounts and currencies and skips the rest, and where they are in it."""
    purses = []
    for table in tables_of(resource):
        holder = resource.column(table.list_field) if table.list_field else None
        columns = holder.columns if holder else resource.columns
        shared: dict[tuple[Column, ...], list[tuple[TableColumn, Column]]] = {}
        for column in table.money_columns:
            steps = _steps(columns, column.source)
            beside = steps[-2].columns if len(steps) > 1 else columns
            currency = tuple(c for c in beside if c.name == steps[-1].currency)
            shared.setdefault((*steps[:-1], *currency), []).append((column, steps[-1]))
        purses += [_purse(table, holder, key, amounts) for key, amounts in shared.items()]
    struct = _struct(resource.columns)
    return msgspec.json.Decoder(struct or msgspec.Raw), tuple(purses)


def _purse(
    table: Table, holder: Column | None, key: tuple[Column, ...], amounts: list[tuple[TableColumn, Column]]
) -> _Purse:
    has_currency = bool(key) and key[-1].kind is not Kind.OBJECT
    return _Purse(
        table=table.name,
        list_of=_getter(holder, _shape(holder)) if holder else None,
        above=tuple(_getter(step, _shape(step)) for step in (key[:-1] if has_currency else key)),
        currency=_codes(key[-1]) if has_currency else lambda owners: [b""] * len(owners),
        amounts=tuple(_getter(column, _shape(column)) for _, column in amounts),
        columns=tuple(column for column, _ in amounts),
        scales=tuple(column.scale for _, column in amounts),
    )


def _steps(columns: Iterable[Column], way: tuple[str, ...]) -> list[Column]:
    steps = []
    for name in way:
        steps.append(next(column for column in columns if column.name == name))
        columns = steps[-1].columns
    return steps


def _struct(columns: Iterable[Column]) -> type[msgspec.Struct] | None:
    columns = tuple(columns)
    currencies = {column.currency for column in columns if column.is_money}
    fields: list[Any] = []
    for column in columns:
        shape = msgspec.Raw if column.name in currencies else _shape(column)
        if shape is None:
            continue
        default = _ABSENT if shape is msgspec.Raw else None
        fields.append((_attribute(column.name), shape, msgspec.field(default=default, name=column.name)))
        # Unread unless it is needed: beside the newer name it is just some unknown field, with anything in it.
        older = [(_attribute(name), msgspec.Raw, msgspec.field(default=_ABSENT, name=name)) for name in column.aliases]
        fields += older
    return msgspec.defstruct("Amounts", fields, gc=False) if fields else None


def _shape(column: Column) -> Any:  # a type for msgspec, made at run time
    """What an amount, or a column with amounts in it, is read as; None for all others."""
    if column.is_money:
        return Decimal | None
    if (inner := _struct(column.columns)) is None:
        return None
    return list[inner | None] | None if column.kind is Kind.LIST else inner | None  # type: ignore[valid-type]


def _attribute(name: str) -> str:
    # A field may have the name of a keyword.
    return f"f_{name}"


def _getter(column: Column, shape: Any) -> _Getter:
    """Reads a field under its own name, or where that is missing or null under an older one."""
    own, older = attrgetter(_attribute(column.name)), _older(column)
    decoder = msgspec.json.Decoder(shape)

    def read(owners: Sequence[Any]) -> list[Any]:
        values = list(map(own, owners))
        if older:
            for place in [place for place, value in enumerate(values) if value is None]:
                text = _under_older_names(owners[place], older)
                values[place] = None if text in _NOTHING else decoder.decode(text)
        return values

    return read


def _codes(column: Column) -> _Getter:
    """Reads a currency as JSON text, likewise."""
    own, older = attrgetter(_attribute(column.name)), _older(column)

    def read(owners: Sequence[Any]) -> list[Any]:
        codes = list(map(bytes, map(own, owners)))
        if older and not _NOTHING.isdisjoint(codes):
            for place in [place for place, code in enumerate(codes) if code in _NOTHING]:
                codes[place] = _under_older_names(owners[place], older)
        return codes

    return read


def _older(column: Column) -> tuple[Callable[[Any], Any], ...]:
    return tuple(attrgetter(_attribute(name)) for name in column.aliases)


def _under_older_names(owner: Any, older: Iterable[Callable[[Any], Any]]) -> bytes:
    texts = (bytes(name(owner)) for name in older)
    return next((text for text in texts if text not in _NOTHING), b"")


# ---- from a table ---------------------------------------------------------------------------------------------------


def column_values(table: pa.Table, target: Table, column: TableColumn) -> Any:  # an array of whatever type
    """All values of a warehouse column, in the order of its rows."""
    if target.list_field is None:
        way, array = column.source[1:], table.column(column.source[0])
    else:
        way, array = column.source, pc.list_flatten(table.column(target.list_field))
    return pc.struct_field(array, list(way)) if way else array


def _grouped(amounts: Any, codes: Any, resource: str, table: str, column: str) -> list[ControlTotal]:
    # As wide as decimals go: a sum never outgrows the column it adds.
    wide = pc.cast(amounts, pa.decimal128(_WIDEST, amounts.type.scale))
    pairs = pa.table({"currency": pc.fill_null(codes, ""), "amount": wide})
    sums = pairs.group_by("currency", use_threads=False).aggregate([("amount", "sum"), ("amount", "count")])
    return [
        ControlTotal(resource, table, column, row["currency"], row["amount_count"], row["amount_sum"])
        for row in sums.to_pylist()
        if row["amount_count"]
    ]
