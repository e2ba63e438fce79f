"""Reads `configs/prospend.toml`, or a site's own copy, and refuses what does not make sense in it, all at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from pipeline.errors import ConfigError
from pipeline.resources.values import Catalogue, Column, Evidence, Kind, Personal, Resource, Tie, snake_case
from pipeline.written import toml_document, toml_text

FORMAT = 1
MONEY_PRECISION, MONEY_SCALE = 18, 4
_DECIMAL = re.compile(r"decimal\((\d{1,2}),(\d{1,2})\)\Z")
_RESOURCE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}\Z")


def default_path() -> Path:
    """Where the catalogue that comes with the program lies: in the installed package, or in the source tree."""
    package = Path(__file__).parent.parent
    packaged = package / "prospend.toml"
    return packaged if packaged.exists() else package.parent / "configs" / "prospend.toml"


def read_catalogue(path: Path | None = None) -> Catalogue:
    """The catalogue in a file, the program's own by default.

    Raises:
        ConfigError: the file cannot be read, is not TOML, or does not describe resources; all problems at once.
    """
    path = path or default_path()
    do = "correct api.resources, or leave it out to use the built-in one"
    try:
        text = toml_text(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"the resource file cannot be read ({error.strerror})", where=str(path), do=do) from error
    except ValueError as error:
        raise ConfigError(f"the resource file is {error}", where=str(path), do=do) from None
    return parse_catalogue(text, str(path))


@lru_cache(maxsize=8)  # a frozen value of its text; parsing takes thirty times as long as reading the file
def parse_catalogue(text: str, source: str) -> Catalogue:
    """The catalogue described by TOML text; `source` names it in messages.

    Raises:
        ConfigError: naming every problem found.
    """
    import hashlib  # only this function needs it; keeps `--help` light

    try:
        document = toml_document(text)
    except ValueError as error:
        raise ConfigError(str(error), where=source) from None
    shapes = document.get("shape", {})
    reader = _Reader(shapes if isinstance(shapes, dict) else {})
    if not isinstance(shapes, dict):
        reader.problems.append("shape must be a table")
    if document.get("format") != FORMAT:
        reader.problems.append(f"format must be {FORMAT}, found {document.get('format')!r}")
    for key in document.keys() - {"format", "shape", "resource"}:
        reader.problems.append(f"unknown key {key!r}")
    tables = document.get("resource", {})
    if not isinstance(tables, dict) or not tables:
        reader.problems.append("no [resource.NAME] table")
        tables = {}
    found = [reader.resource(name, table) for name, table in tables.items()]
    ordered = reader.in_order({resource.name: resource for resource in found if resource is not None})
    if reader.problems:
        raise ConfigError.of_many(reader.problems, where=source)
    return Catalogue(ordered, source, hashlib.sha256(text.encode()).hexdigest())


_HOLDS: dict[str, Callable[[object], bool]] = {
    "text": lambda value: isinstance(value, str),
    "true or false": lambda value: isinstance(value, bool),
    "a table": lambda value: isinstance(value, dict),
    "a list of texts": lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
    "a table of texts": lambda value: isinstance(value, dict) and all(isinstance(one, str) for one in value.values()),
    "a list of tables": lambda value: isinstance(value, list) and all(isinstance(one, dict) for one in value),
    "a list of tables of texts": lambda value: isinstance(value, list) and all(map(_HOLDS["a table of texts"], value)),
}
_RESOURCE_KEYS = (
    dict.fromkeys("path parent key updated period order only_when envelope evidence about".split(), "text")
    | {
        "adds_up": "a list of tables",
        "filters": "a list of texts",
        "requests": "a list of tables of texts",
        "switches": "a table of texts",
    }
    | {"single": "true or false", "column": "a table"}
)
_COLUMN_KEYS = dict.fromkeys("type about evidence currency shape table name personal".split(), "text") | {
    **dict.fromkeys(("aliases", "values", "sum_of"), "a list of texts"),
    **dict.fromkeys(("item", "column"), "a table"),
}
_TIE_KEYS = dict.fromkeys(("to", "from", "evidence"), "text") | {
    "amounts": "a list of texts",
    "without": "a table of texts",
}


class _Reader:
    """Turns tables into values, gathering problems instead of stopping at the first."""

    def __init__(self, shapes: Mapping[str, object]) -> None:
        self.shapes = shapes
        self.problems: list[str] = []

    def resource(self, name: str, table: object) -> Resource | None:
        where = f"resource.{name}"
        if not isinstance(table, dict):
            self.problems.append(f"{where} must be a table")
            return None
        if not _RESOURCE_NAME.match(name):
            self.problems.append(f"{where}: a resource name is lower-case letters, digits and underscores")
        table = self.sound(where, table, _RESOURCE_KEYS)
        columns = self.columns(where, table.get("column", {}))
        resource = Resource(
            name=name,
            path=self.text(where, table, "path"),
            key=self.text(where, table, "key"),
            about=self.text(where, table, "about"),
            evidence=self.evidence(where, table, "evidence"),
            order=self.evidence(where, table, "order"),
            columns=columns,
            parent=table.get("parent"),
            updated=table.get("updated"),
            period=table.get("period"),
            ties=tuple(self.tie(where, tie) for tie in table.get("adds_up", ())),
            filters=tuple(table.get("filters", ())),
            requests=tuple(tuple(sorted(r.items())) for r in table.get("requests", [{}])),
            switches=tuple(sorted(table.get("switches", {}).items())),
            only_when=table.get("only_when"),
            accepts_any_envelope=table.get("envelope", "page") == "any",
            has_single=bool(table.get("single", False)),
        )
        self.check(where, resource, {column.name for column in columns}, table)
        return resource

    def sound(self, where: str, table: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
        """The entries that are known and hold what they should; the others are problems."""
        for key, value in sorted(table.items()):
            if key not in keys:
                self.problems.append(f"{where}: unknown key {key!r}")
            elif not _HOLDS[keys[key]](value):
                self.problems.append(f"{where}: {key} must be {keys[key]}")
        return {key: value for key, value in table.items() if key in keys and _HOLDS[keys[key]](value)}

    def check(self, where: str, resource: Resource, names: set[str], table: Mapping[str, object]) -> None:
        if not resource.path.startswith("/") or resource.path.startswith("//") or "?" in resource.path:
            self.problems.append(f"{where}: path must start with one / and have no query")
        if table.get("envelope", "page") not in ("page", "any"):
            self.problems.append(f"{where}: envelope must be 'page' or 'any'")
        for role, value in (("key", resource.key), ("updated", resource.updated), ("period", resource.period)):
            if value is not None and value not in names:
                self.problems.append(f"{where}: {role} {value!r} is not among its columns")
        if any(column.name == resource.key and column.kind in (Kind.OBJECT, Kind.LIST) for column in resource.columns):
            self.problems.append(f"{where}: key {resource.key!r} must be a plain column")
        self.check_columns(where, resource)
        overlap = names & set(resource.context_names)
        if overlap:
            self.problems.append(f"{where}: {sorted(overlap)} stand in the path already")
        if not resource.requests:
            self.problems.append(f"{where}: requests must name at least one set of parameters")
        sent = {key for request in resource.requests for key, _ in request} | {key for key, _ in resource.switches}
        for key in sorted(sent - set(resource.filters)):
            self.problems.append(f"{where}: parameter {key!r} is sent but not among its filters")

    def check_columns(self, where: str, resource: Resource) -> None:
        for column in resource.columns:
            if column.name == resource.updated and column.kind is not Kind.TIMESTAMP:
                self.problems.append(f"{where}: updated {column.name!r} must be a timestamp")
            if column.name == resource.period and column.kind not in (Kind.TIMESTAMP, Kind.DATE):
                self.problems.append(f"{where}: period {column.name!r} must be a timestamp or a date")
        seen: dict[str, str] = {}
        for written in (*resource.context_names, *_written_names(resource.columns)):
            landing = "_".join(map(snake_case, written.split(".")))
            if landing in seen:
                self.problems.append(
                    f"{where}: {seen[landing]!r} and {written!r} would both be called {landing!r} in the warehouse"
                )
            seen[landing] = written

    def tie(self, where: str, table: Mapping[str, Any]) -> Tie:
        table = self.sound(f"{where}.adds_up", table, _TIE_KEYS)
        return Tie(
            to=table.get("to"),
            part=table.get("from"),
            amounts=tuple(table.get("amounts", ())),
            without=tuple(sorted(table.get("without", {}).items())),
            evidence=self.evidence(f"{where}.adds_up", table, "evidence"),
        )

    def check_ties(self, resource: Resource, parent: Resource | None) -> None:
        """Both sides of every tie are there, the parent's amounts and the line's, with currencies, and the flags."""
        where = f"resource.{resource.name}.adds_up"
        flags = {column.name for column in resource.columns if column.kind is Kind.BOOLEAN}
        settings = {setting for _, setting in resource.switches}
        for tie in resource.ties:
            for columns, side in ((_amounts(parent, tie.to), tie.to), (_amounts(resource, tie.part), tie.part)):
                for name in set(tie.amounts) - columns or (() if tie.amounts else ("(none)",)):
                    self.problems.append(f"{where}: {side or 'the row itself'} has no amount {name!r} with a currency")
            for setting, flag in tie.without:
                if setting not in settings or flag not in flags:
                    self.problems.append(f"{where}: without {setting} = {flag!r} names no switch or no boolean column")
        if len({tie.to for tie in resource.ties}) < len(resource.ties):
            self.problems.append(f"{where}: two of them lead to the same amounts")

    def columns(self, where: str, tables: object) -> tuple[Column, ...]:
        if not isinstance(tables, dict) or not tables:
            self.problems.append(f"{where}: no columns")
            return ()
        siblings = set(tables)
        columns = tuple(self.column(f"{where}.{name}", name, table, siblings) for name, table in tables.items())
        seen: dict[str, str] = {}
        for column in columns:
            for part in set(column.sum_of) - {one.name for one in columns if one.is_money and column.is_money}:
                self.problems.append(f"{where}.{column.name}: sum_of {part!r} is not an amount beside it")
            if column.personal == "id" and column is not next(one for one in columns if one.personal == "id"):
                self.problems.append(f"{where}.{column.name}: a second personal id; whose are the values beside it?")
            for spelling in (column.name, *column.aliases):
                folded = snake_case(spelling)
                if folded in seen:
                    self.problems.append(f"{where}: {spelling!r} and {seen[folded]!r} are one name in the warehouse")
                seen[folded] = spelling
        return columns

    def column(self, where: str, name: str, table: object, siblings: set[str]) -> Column:
        if not isinstance(table, dict):
            self.problems.append(f"{where} must be a table")
            table = {}
        table = self.sound(where, table, _COLUMN_KEYS)
        if not FIELD_NAME.match(name):
            self.problems.append(f"{where}: not a field name")
        kind, precision, scale, is_money = self.kind(where, table.get("type"))
        currency = table.get("currency", "currencyCode" if is_money and "currencyCode" in siblings else None)
        if currency is not None and currency not in siblings:
            self.problems.append(f"{where}: currency {currency!r} is not a column beside it")
        return Column(
            name=name,
            kind=kind,
            about=self.text(where, table, "about"),
            evidence=self.evidence(where, table, "evidence"),
            precision=precision,
            scale=scale,
            is_money=is_money,
            currency=currency,
            sum_of=tuple(table.get("sum_of", ())),
            aliases=tuple(table.get("aliases", ())),
            values=tuple(table.get("values", ())),
            personal=self.personal(where, kind, table.get("personal")),
            **self.inside(where, kind, table),  # type: ignore[arg-type]  # a dict of exactly these fields
        )

    def personal(self, where: str, kind: Kind, written: object) -> Personal | None:
        if written is not None and (written not in ("id", "value") or kind is not Kind.TEXT):
            self.problems.append(f"{where}: personal must be 'id' or 'value', and the type text")
        return cast("Personal | None", written)

    def inside(self, where: str, kind: Kind, table: Mapping[str, object]) -> dict[str, object]:
        if kind not in (Kind.OBJECT, Kind.LIST):
            return {}
        found: dict[str, object] = {}
        if kind is Kind.LIST:
            found["table"] = name = self.text(where, table, "table")
            if name and not _RESOURCE_NAME.match(name):
                self.problems.append(f"{where}: table {name!r} is not a table name")
        if kind is Kind.LIST and isinstance(item := table.get("item"), dict):
            found["item"] = plain = self.column(f"{where}.item", self.text(f"{where}.item", item, "name"), item, set())
            if plain.kind in (Kind.OBJECT, Kind.LIST):
                self.problems.append(f"{where}.item: must be a plain type; objects have a shape")
            return found
        shape = table.get("shape")
        if shape is not None and shape not in self.shapes:
            self.problems.append(f"{where}: there is no [shape.{shape}]")
            return found
        inner = self.shapes[cast("str", shape)] if shape is not None else table.get("column", {})
        found["shape"] = shape
        found["columns"] = columns = self.columns(where, inner)
        if any(column.kind is Kind.LIST for column in columns):
            self.problems.append(f"{where}: a list stands only at the top of a record")
        return found

    def kind(self, where: str, written: object) -> tuple[Kind, int, int, bool]:
        if written == "money":
            return Kind.DECIMAL, MONEY_PRECISION, MONEY_SCALE, True
        if isinstance(written, str) and (match := _DECIMAL.match(written)):
            precision, scale = int(match[1]), int(match[2])
            if not 0 <= scale <= precision <= 38 or precision == 0:
                self.problems.append(f"{where}: decimal(p,s) needs 1 <= p <= 38 and s <= p")
            return Kind.DECIMAL, precision, scale, False
        try:
            return Kind(written), 0, 0, False
        except ValueError:
            self.problems.append(f"{where}: unknown type {written!r}")
            return Kind.TEXT, 0, 0, False

    def text(self, where: str, table: Mapping[str, object], key: str) -> str:
        value = table.get(key)
        if not isinstance(value, str) or not value:
            self.problems.append(f"{where}: {key} is missing")
            return ""
        return value

    def evidence(self, where: str, table: Mapping[str, object], key: str) -> Evidence:
        value = table.get(key)
        if value not in ("documented", "inferred"):
            self.problems.append(f"{where}: {key} must be 'documented' or 'inferred'")
            return "inferred"
        return value

    def in_order(self, resources: dict[str, Resource]) -> tuple[Resource, ...]:
        """Parents before children, otherwise as written; what hangs under nothing known is a problem."""
        ordered: dict[str, Resource] = {}
        waiting = dict(resources)
        while ready := [r for r in waiting.values() if r.parent is None or r.parent in ordered]:
            for resource in ready:
                ordered[resource.name] = waiting.pop(resource.name)
        for resource in waiting.values():
            self.problems.append(
                f"resource.{resource.name}: parent {resource.parent!r} does not lead to a top resource"
            )
        tables: dict[str, str] = {}
        for resource in ordered.values():
            flag = resource.only_when
            if flag and (not resource.parent or flag not in [c.name for c in ordered[resource.parent].columns]):
                self.problems.append(f"resource.{resource.name}: only_when {flag!r} is not a column of its parent")
            self.check_ties(resource, ordered[resource.parent] if resource.parent else None)
            above = ordered[resource.parent].context_names if resource.parent else None
            names = resource.context_names
            if (above is None and names) or (above is not None and (not names or names[:-1] != above)):
                self.problems.append(f"resource.{resource.name}: path needs its parent's names and one for the parent")
            for table in (resource.name, *(c.table for c in resource.columns if c.table)):
                if table in tables:
                    self.problems.append(f"resource.{resource.name}: table {table!r} is taken by {tables[table]}")
                tables[table] = resource.name
        return tuple(ordered.values())


def _amounts(resource: Resource | None, field: str | None) -> set[str]:
    """Names of the amounts with a currency in a field of a resource, or at its top."""
    columns = resource.columns if resource else ()
    if field is not None:
        columns = next((column.columns for column in columns if column.name == field), ())
    return {column.name for column in columns if column.is_money and column.currency}


def _written_names(columns: Iterable[Column], above: str = "") -> Iterator[str]:
    """The API's names of the columns that are not lists; those of nested objects with their way, as in `a.b`."""
    for column in columns:
        name = f"{above}{column.name}"
        if column.kind is Kind.OBJECT:
            yield from _written_names(column.columns, f"{name}.")
        elif column.kind is not Kind.LIST:
            yield name
