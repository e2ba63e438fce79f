"""A dbt project over a published warehouse, as text: what its tables are and mean, what must hold of them, two models.

Nothing is written here. Every description goes through `_said`: dbt reads YAML first, then Jinja inside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from pipeline.report.dictionary import DescribedColumn, DescribedTable, Dictionary, Link, links_of

SCHEMAS = ("mart", "prospend", "history", "meta")
# Under which name the profile attaches the warehouse: its own name changes each night.
_DATABASE = "prospend"
_WARN_HOURS, _ERROR_HOURS = 26, 50  # a nightly run with two hours to spare; two nights missed
# Tables with a column that says of when the data are.
_FRESHNESS = {("meta", "snapshot_info"): "data_as_at", ("mart", "freshness"): "as_at"}

_PROJECT = """\
# Made by `prospend export dbt`. Yours to change: it is not written again where it stands.
name: prospend
version: "1.0.0"
profile: prospend
models:
  prospend:
    +materialized: table
"""
_PROFILES = """\
# The warehouse is attached read-only, under a name that stays the same; the models go to a file of your own.
prospend:
  target: local
  outputs:
    local:
      type: duckdb
      path: prospend_models.duckdb
      threads: 2
      settings:
        TimeZone: UTC
      attach:
        - path: "{{{{ env_var('PROSPEND_WAREHOUSE', {warehouse}) }}}}"
          alias: prospend
          read_only: true
"""
_IGNORED = "target/\nlogs/\ndbt_packages/\n*.duckdb\n*.duckdb.wal\n"
_UNIQUE_ROW = """\
{# No two rows have the same values in these columns; NULL is a value here. #}
{% test unique_row(model, columns) %}
    {%- set names = [] -%}
    {%- for column in columns %}{% do names.append(adapter.quote(column)) %}{% endfor -%}
    select {{ names | join(', ') }}, count(*) as row_count
    from {{ model }}
    group by {{ names | join(', ') }}
    having count(*) > 1
{% endtest %}
"""
_SPEND = """\
-- Spend of each month by division. Amounts of several currencies are never added.
select month_on, company_id, company_name, division_name, currency_code,
    sum(line_count) as line_count, sum(gross_amount) as gross_amount, sum(net_amount) as net_amount
from {{ source('mart', 'spend_month') }}
group by month_on, company_id, company_name, division_name, currency_code
"""
_PAYABLES = """\
-- What is overdue or due soon, by supplier.
select company_id, company_name, supplier_name, currency_code,
    count(*) as invoice_count, min(due_on) as first_due_on, sum(gross_amount) as gross_amount
from {{ source('mart', 'payable_due') }}
where is_overdue or is_due_soon
group by company_id, company_name, supplier_name, currency_code
"""
_MODELS = """\
version: 2
models:
  - name: spend_by_division
    description: Spend of each month by division, in the currency of the claim or invoice
    data_tests:
      - unique_row:
          arguments:
            columns: [month_on, company_id, company_name, division_name, currency_code]
  - name: payables_by_supplier
    description: Open invoices that are overdue or due soon, by supplier
    data_tests:
      - unique_row:
          arguments:
            columns: [company_id, company_name, supplier_name, currency_code]
"""
_README = """\
# Models over a warehouse of prospend-pipeline

    dbt source freshness    is the warehouse of last night
    dbt build               models and tests
    dbt docs generate       the sources with the meaning of every column

Needs dbt-duckdb with dbt 1.10 or later. After a change of the warehouse's tables `prospend export dbt --force` writes
`models/sources/` anew; everything else is yours. Each command opens the file that is published then, read-only;
`PROSPEND_WAREHOUSE` names another one than `profiles.yml`. Refer to tables by `source('mart', 'spend_line')`.
"""


def sources(dictionary: Dictionary) -> dict[str, str]:
    """The files that follow from the warehouse, by path; a later export replaces them."""
    links = links_of(dictionary.tables)
    files = {"tests/generic/unique_row.sql": _UNIQUE_ROW}
    for schema in SCHEMAS:
        if tables := dictionary.of_schema(schema):
            files[f"models/sources/{schema}.yml"] = "\n".join(_schema(schema, tables, links)) + "\n"
    return files


def project(warehouse: str, *, has_marts: bool) -> dict[str, str]:
    """The files that are the user's once they stand, by path; `warehouse` is the way to the published file.

    The example models read marts: a site that has none gets none of them.
    """
    models = {
        "models/spend_by_division.sql": _SPEND,
        "models/payables_by_supplier.sql": _PAYABLES,
        "models/models.yml": _MODELS,
    }
    return {
        "dbt_project.yml": _PROJECT,
        "profiles.yml": _PROFILES.format(warehouse=_jinja_text(warehouse)),
        ".gitignore": _IGNORED,
        "README.md": _README,
        **(models if has_marts else {}),
    }


def _schema(schema: str, tables: Iterable[DescribedTable], links: Iterable[Link]) -> Iterator[str]:
    of_table: dict[str, dict[str, Link]] = {}
    for link in links:
        of_table.setdefault(link.child, {})[link.columns[-1][0]] = link
    yield "# Made by `prospend export dbt`; the next one with --force replaces it."
    yield "version: 2"
    yield "sources:"
    yield f"  - name: {schema}"
    yield f"    database: {_DATABASE}"
    yield f"    schema: {schema}"
    yield "    tables:"
    for table in tables:
        yield f"      - name: {_yaml(table.name)}"
        yield f"        description: {_said(table.about)}"
        yield from _freshness(table)
        key = [column.name for column in table.columns if column.is_key]
        if key and schema in ("mart", "prospend"):
            yield from _test(8, "data_tests", "unique_row", {"columns": key}, None)
        yield "        columns:"
        for column in table.columns:
            yield f"          - name: {_yaml(column.name)}"
            yield "            quote: true"
            yield f"            data_type: {_yaml(column.type)}"
            yield f"            description: {_said(_meaning(column))}"
            if schema == "prospend":
                yield from _column_tests(column, of_table.get(table.name, {}).get(column.name))


def _freshness(table: DescribedTable) -> Iterator[str]:
    column = _FRESHNESS.get((table.schema, table.name))
    if column is not None:
        yield "        config:"
        yield f"          loaded_at_field: {_yaml(column)}"
        yield "          freshness:"
        yield f"            warn_after: {{count: {_WARN_HOURS}, period: hour}}"
        yield f"            error_after: {{count: {_ERROR_HOURS}, period: hour}}"


def _column_tests(column: DescribedColumn, link: Link | None) -> Iterator[str]:
    """What the source may break is warned of; what this program keeps itself is an error."""
    tests = []
    if column.is_key:
        tests.append(_test(12, "", "not_null", {}, None))
    if column.known_values:
        tests.append(_test(12, "", "accepted_values", {"values": list(column.known_values)}, "warn"))
    if link is not None:
        field = link.columns[-1][1]
        to = {"to": f"source('prospend', {_jinja_text(link.parent)})", "field": field}
        tests.append(_test(12, "", "relationships", to, "warn"))
    if tests:
        yield "            data_tests:"
        for test in tests:
            yield from test


def _test(indent: int, heading: str, name: str, arguments: Mapping[str, object], severity: str | None) -> Iterator[str]:
    space = " " * indent
    if heading:
        yield f"{space}{heading}:"
    yield f"{space}  - {name}:" if arguments or severity else f"{space}  - {name}"
    if arguments:
        yield f"{space}      arguments: {_yaml(arguments)}"
    if severity:
        yield f"{space}      config: {{severity: {severity}}}"


def _meaning(column: DescribedColumn) -> str:
    """Meaning, currency and origin in one text."""
    said = [column.about]
    if column.currency:
        said.append(f"currency: {column.currency}")
    if column.sources:
        said.append(f"from {', '.join(column.sources)} ({column.evidence})")
    return "; ".join(said)


def _said(text: str) -> str:
    """A description that neither YAML nor Jinja reads as anything but text."""
    return _yaml("".join(f"{{{{ '{char}' }}}}" if char in "{}" else char for char in text))


def _yaml(value: object) -> str:
    """A value in one line of YAML: JSON, with what YAML does not take as it stands escaped."""
    written = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else _escaped(char) for char in written)


def _escaped(char: str) -> str:
    return f"\\U{ord(char):08x}"


def _jinja_text(text: str) -> str:
    """A text literal of Jinja, which is one of Python, that can stand inside double quotes of YAML."""
    return _yaml(f"'{text.replace(chr(92), chr(92) * 2).replace(chr(39), chr(92) + chr(39))}'")[1:-1]
