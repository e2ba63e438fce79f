"""What a resource and a column are. Not here: how they are read from a file, decoded, or placed in a table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from pipeline.model import Params

_PLACEHOLDER = re.compile(r"\{(\w+)\}")

Evidence = Literal["documented", "inferred"]
Personal = Literal["id", "value"]


class Kind(Enum):
    """What a column holds."""

    TEXT = "text"
    DECIMAL = "decimal"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    DATE = "date"
    OBJECT = "object"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a record, under the API's own name.

    `precision` and `scale` are set for DECIMAL. `is_money` tells amounts, which are totalled per currency, from rates
    and quantities, which are not; `currency` names the sibling field with the currency of an amount, or is None. An
    OBJECT has `columns`; a LIST has `table` and either `columns` (objects) or `item` (plain values). `shape` names the
    shared set that the columns are from, if they are. `personal` marks the id of a person, or what else is a person's:
    that of the nearest id beside or above it.
    """

    name: str
    kind: Kind
    about: str
    evidence: Evidence
    precision: int = 0
    scale: int = 0
    is_money: bool = False
    currency: str | None = None
    sum_of: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    item: Column | None = None
    table: str | None = None
    shape: str | None = None
    personal: Personal | None = None


@dataclass(frozen=True, slots=True)
class Tie:
    """That some amounts of all lines under a row add up to the same amounts of that row, in each currency.

    `to` is the field of the parent with its totals, a list or an object, or None for the parent's own amounts; `part`
    is the object of the line with its amounts, or None for the line's own. `without` pairs settings with flags of the
    line: the parent's totals leave out the lines with the flag, which are only read if the setting asks for them.
    """

    to: str | None
    part: str | None
    amounts: tuple[str, ...]
    without: tuple[tuple[str, str], ...]
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Resource:
    """One list of the API, the way of its walks, and its columns in declared order.

    `period` names the field with the time by which a row belongs to an accounting period, for documents.
    """

    name: str
    path: str
    key: str
    about: str
    evidence: Evidence
    order: Evidence
    columns: tuple[Column, ...]
    parent: str | None = None
    updated: str | None = None
    period: str | None = None
    ties: tuple[Tie, ...] = ()
    filters: tuple[str, ...] = ()
    requests: tuple[Params, ...] = ((),)
    switches: tuple[tuple[str, str], ...] = ()
    only_when: str | None = None
    accepts_any_envelope: bool = False
    has_single: bool = False

    @property
    def context_names(self) -> tuple[str, ...]:
        """Names of the parents' keys in the path, outermost first: `("companyId", "claimId")`."""
        return tuple(name for name in _PLACEHOLDER.findall(self.path) if name != "version")

    @property
    def identity(self) -> tuple[str, ...]:
        """The fields that together identify a row: the parents' keys, then its own."""
        return (*self.context_names, self.key)

    @property
    def person(self) -> Column | None:
        """The column with the id of the person whose record it is, if it is a person's."""
        return next((column for column in self.columns if column.personal == "id"), None)

    @property
    def personal_columns(self) -> Iterator[Column]:
        """The plain columns at any depth that are marked as personal."""
        waiting = list(self.columns)
        for column in waiting:
            waiting += [*column.columns, *((column.item,) if column.item else ())]
        return (column for column in waiting if column.personal is not None)

    def column(self, name: str) -> Column:
        """The column with this API name.

        Raises:
            KeyError: there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every resource, parents before children, and the hash of the text they were read from."""

    resources: tuple[Resource, ...]
    source: str = field(compare=False)
    text_sha256: str
    # Asked for with every page.
    _by_name: Mapping[str, Resource] = field(init=False, repr=False, compare=False)
    _children: Mapping[str, tuple[Resource, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        children: dict[str, tuple[Resource, ...]] = {}
        for resource in self.resources:
            if resource.parent is not None:
                children[resource.parent] = (*children.get(resource.parent, ()), resource)
        object.__setattr__(self, "_by_name", {resource.name: resource for resource in self.resources})
        object.__setattr__(self, "_children", children)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.resources)

    def __getitem__(self, name: str) -> Resource:
        return self._by_name[name]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all resources, parents first."""
        return tuple(resource.name for resource in self.resources)

    def children_of(self, name: str) -> tuple[Resource, ...]:
        """The resources that are read once for each row of this one."""
        return self._children.get(name, ())

    def period_of(self, name: str) -> tuple[Resource, str] | None:
        """The document that decides which accounting period a resource's rows belong to, and its field with the time.

        That is the resource itself or its nearest parent with a period: the lines of a claim belong to the claim's.
        """
        resource = self[name]
        if resource.period is not None:
            return resource, resource.period
        return self.period_of(resource.parent) if resource.parent is not None else None

    def owner_of(self, name: str) -> Resource | None:
        """The resource that says whose a record is: the nearest one above with the id of a person; None if none has."""
        parent = self[name].parent
        if parent is None or self[parent].person is not None:
            return None if parent is None else self[parent]
        return self.owner_of(parent)

    def depth(self, name: str) -> int:
        """How many parents stand above a resource."""
        parent = self[name].parent
        return 0 if parent is None else 1 + self.depth(parent)


def snake_case(name: str) -> str:
    """The warehouse's spelling of an API name: `claimantId` -> `claimant_id`, `address1` stays."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
