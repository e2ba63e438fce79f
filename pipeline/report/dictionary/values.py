"""What a data dictionary says, before it has a form."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DescribedColumn:
    """One column. `sources` are the API's fields that its value is made of, each as `resource.field`.

    `evidence` is "documented" if the vendor's pages name all of them, "inferred" if one is named by no page, None where
    there are none.
    """

    name: str
    type: str
    about: str
    is_key: bool = False
    currency: str | None = None
    sources: tuple[str, ...] = ()
    evidence: str | None = None
    known_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribedTable:
    """One table or view."""

    schema: str
    name: str
    about: str
    columns: tuple[DescribedColumn, ...]

    @property
    def full_name(self) -> str:
        """As people write it: `mart.spend_line`."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Dictionary:
    """All tables, schema by schema, and what they were read from: a published run, or the catalogue alone."""

    tables: tuple[DescribedTable, ...]
    site: str | None = None
    run_id: str | None = None

    def of_schema(self, schema: str) -> tuple[DescribedTable, ...]:
        """The tables of one schema."""
        return tuple(table for table in self.tables if table.schema == schema)
