"""From each column of each mart back to columns of the `prospend` schema, by parsing the marts' SELECTs.

What is followed is the value: every column in the expression behind it, through subqueries, unions and earlier marts,
the conditions of CASE and the order of windows among them. What only joins, filters or groups rows is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlglot import exp, parse_one
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

from pipeline import warehouse
from pipeline.marts import Mart, all_marts
from pipeline.resources import read_catalogue

FILE = Path(__file__).parents[2] / "pipeline" / "marts" / "lineage.json"
Columns = dict[str, dict[str, list[str]]]
_DIALECT = "duckdb"
_MART, _LIVE = "mart__", "live_"


def derive() -> Columns:
    """For each mart and column the columns of `prospend`, as `table.column`, sorted."""
    with warehouse.blank(read_catalogue()) as connection:
        found = connection.execute(
            "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
            "WHERE schema_name IN ('mart', 'prospend', 'meta') ORDER BY ALL"
        ).fetchall()
    schema: dict[str, dict[str, str]] = {}
    for home, table, column, kind in found:
        schema.setdefault(_prefix(home) + table, {})[column] = kind
    derived: Columns = {}
    for mart in all_marts():
        derived[mart.name] = sources(mart, schema, derived)
    return derived


def text_of(derived: Columns) -> str:
    """The committed file: one line a column, so that a change of a mart is seen as one."""
    marts = [
        f"{json.dumps(mart)}: {{\n"
        + ",\n".join(f" {json.dumps(name)}: {json.dumps(made_of)}" for name, made_of in columns.items())
        + "\n}"
        for mart, columns in derived.items()
    ]
    return "{\n" + ",\n".join(marts) + "\n}\n"


def sources(mart: Mart, schema: Mapping[str, Mapping[str, str]], earlier: Columns) -> dict[str, list[str]]:
    """The same of one mart, those before it known."""
    tree = parse_one(mart.sql, dialect=_DIALECT)
    for window in tree.find_all(exp.Window):
        window.set("partition_by", None)  # groups rows, as GROUP BY does
    for table in tree.find_all(exp.Table):
        if table.db:  # one level of names for all of them
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.alias_or_name)))
            table.set("this", exp.to_identifier(_prefix(table.db) + table.name))
            table.set("db", None)
    qualified = qualify(tree, schema=dict(schema), dialect=_DIALECT, quote_identifiers=False, identify=False)
    scope = build_scope(qualified)
    assert scope is not None
    nodes = lineage(None, qualified, schema=schema, scope=scope, dialect=_DIALECT)
    return {column: sorted(set(_grounded(nodes[column], earlier))) for column, _ in mart.columns}


def _prefix(schema: str) -> str:
    return {"mart": _MART, "prospend": _LIVE}.get(schema, f"{schema}__")


def _grounded(root: Node, earlier: Columns) -> Iterator[str]:
    """The columns of `prospend` at the leaves; those of earlier marts in the place of these."""
    for node in root.walk():
        if node.downstream or not isinstance(node.expression, exp.Table):
            continue
        table, column = node.expression.name, node.name.rpartition(".")[2]
        if table.startswith(_MART):
            yield from earlier[table.removeprefix(_MART)][column]
        elif table.startswith(_LIVE):
            yield f"{table.removeprefix(_LIVE)}.{column}"
