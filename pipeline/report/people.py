"""People under made-up names: what is shown in place of ids, names and free text where a site masks its people.

A pseudonym is a keyed hash of the person's id, the same on every sheet, on the page (page/sql/people_masked.sql says it
in SQL) and every night. The key is the hash of the oldest manifest in the warehouse, which no report shows: whoever
has a report alone cannot try out ids, and whoever has the warehouse has the names anyway.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.report.reading import MARTS, Column, Connection, Table, quoted, tables

Masking = Literal["person", "written"]
HIDDEN = "(hidden)"
# 40 bits: two of 10,000 people share a pseudonym in fewer than one of 10,000 sites.
_DIGITS = 10
_ROLES = "claimant|approver|waits_for|recipient|employee|person|user"
_ROLE = re.compile(rf"(?:.*_)?(?:{_ROLES})s?(?:_.*)?\Z")
_ROLE_NAME = re.compile(rf"(?P<role>.*(?:{_ROLES}))_(?:name|code|number)\Z")
# Of a table whose rows are people: what tells them apart elsewhere.
_OF_PEOPLE = {"claimant": {"external_code", "employee_number", "email"}}
# What people write may name anybody.
_WRITTEN = re.compile(r"(?:.*_)?(?:description|summary|notes?|comments?|custom_fields?)\Z")
# Values of any column, one a row; the row says of which. Only those that can be nobody's are shown.
_RESTATED = {"value_before", "value_after"}
_NOBODY = re.compile(r"(?:.*_)?(?:amount|rate|date|status|currency|currency_code)\Z|is_.*\Z")


def masking_of(table: str, column: str) -> Masking | None:
    """Why values of a column are not shown: they tell who a person is, or they are what people wrote."""
    if _ROLE.match(column) or column in _OF_PEOPLE.get(table, ()):
        return "person"
    return "written" if _WRITTEN.match(column) else None


def _masking_restated(column: str) -> Masking | None:
    masking = masking_of("", column)
    return masking or (None if _NOBODY.match(column) else "written")


@dataclass(frozen=True, slots=True)
class People:
    """Everybody a warehouse names: how they are called in reports, by id or by name."""

    key: bytes
    id_by_name: Mapping[str, str]

    def pseudonym(self, person: str) -> str:
        """The made-up name of a person by id, or by a name that is known or not."""
        said = self.id_by_name.get(person, person)
        return f"Person {self._code(said)}"

    def _code(self, text: str) -> str:
        return hashlib.sha256(self.key + b"/" + text.encode()).hexdigest()[:_DIGITS].upper()

    def masked(self, table: Table, columns: Sequence[list[Any]]) -> list[list[Any]]:
        """Values of a table, column by column, with nobody's name, id or words among them."""
        place = {one.name: at for at, one in enumerate(table.columns)}
        return [
            self._masked(table, one, values, columns, place) for one, values in zip(table.columns, columns, strict=True)
        ]

    def _masked(
        self, table: Table, column: Column, values: list[Any], columns: Sequence[list[Any]], place: Mapping[str, int]
    ) -> list[Any]:
        if "VARCHAR" not in column.type:
            return values
        if column.type != "VARCHAR":  # a list: whoever stands in it
            return [one and HIDDEN for one in values] if masking_of(table.name, column.name) else values
        if column.name in _RESTATED and "column_name" in place:
            said = columns[place["column_name"]]
            return [self._shown(_masking_restated(of or ""), one) for of, one in zip(said, values, strict=True)]
        if column.name == "group_key":  # may hold the id of a person; what rows have in common stays common
            return [one and f"Group {self._code(one)}" for one in values]
        masking = masking_of(table.name, column.name)
        ids = self._ids_beside(table, column, columns, place) if masking == "person" else None
        if ids is None:
            return [self._shown(masking, one) for one in values]
        return [one and self.pseudonym(known or one) for known, one in zip(ids, values, strict=True)]

    def _ids_beside(
        self, table: Table, column: Column, columns: Sequence[list[Any]], place: Mapping[str, int]
    ) -> list[Any] | None:
        """The ids of those whom a column names, if they stand in the same rows."""
        match = _ROLE_NAME.match(column.name)
        role = match["role"] if match else table.name if column.name in _OF_PEOPLE.get(table.name, ()) else ""
        at = place.get(f"{role}_id", place.get(f"{table.name}_id") if table.name in _OF_PEOPLE else None)
        return None if at is None else columns[at]

    def _shown(self, masking: Masking | None, value: Any) -> Any:
        if not value:
            return value
        if masking == "person" or value in self.id_by_name:
            return self.pseudonym(value)
        return HIDDEN if masking == "written" else value


def people_of(connection: Connection) -> People:
    """Everybody the marts name."""
    ((sha256,),) = connection.execute("SELECT arg_min(manifest_sha256, as_at) FROM meta.run").fetchall() or ((None,),)
    ids: dict[str, str] = {}
    without_id: set[str] = set()
    for table in tables(connection, (MARTS,)):
        names = {one.name for one in table.columns}
        for name in sorted(names):
            match = _ROLE_NAME.match(name)
            beside = f"{match['role']}_id" if match and name.endswith("_name") else ""
            if not beside:
                continue
            person_id = quoted(beside) if beside in names else "NULL"
            for person, known_id in connection.execute(
                f"SELECT DISTINCT {quoted(name)}, nullif({person_id}, '') FROM {table.place} "  # noqa: S608
                f"WHERE {quoted(name)} <> '' ORDER BY ALL"
            ).fetchall():
                if known_id is not None:
                    ids.setdefault(person, known_id)
                else:
                    without_id.add(person)
    # Who never came with an id is known by name alone.
    return People((sha256 or "").encode(), {person: person for person in without_id} | ids)
