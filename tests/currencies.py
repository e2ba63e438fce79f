"""Whether a statement could add amounts of different currencies: found out from its text, scope by scope.

An amount is followed from the columns that are declared as money through every SELECT to the result. An aggregate over it
must be grouped (or partitioned) by the column that holds its currency, two amounts may only meet in a sum if they have one
currency, and an amount that a SELECT hands on must be accompanied by its currency.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp

Label = tuple[str, str]  # where a currency stands: alias of the table, and column
Labels = frozenset[Label]
NONE: Labels = frozenset()
# What these give is no amount, however many amounts they look at.
_NO_AMOUNT = (exp.Count, exp.LogicalOr, exp.LogicalAnd, exp.Predicate, exp.Not, exp.And, exp.Or, exp.Sign, exp.CountIf)
_NO_AMOUNT += (exp.Concat, exp.ConcatWs, exp.DPipe)


@dataclass(frozen=True)
class Relation:
    """Columns in order, and for each amount among them the columns that hold its currency: mostly one."""

    columns: tuple[str, ...]
    money: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass
class _Scope:
    """One SELECT: its tables by alias, what its joins hold equal, and what it is grouped by."""

    tables: dict[str, Relation]
    equal: dict[Label, Label] = field(default_factory=dict)
    grouped: Labels = NONE

    def label_of(self, column: exp.Column) -> Label | None:
        for alias, relation in self.tables.items():
            if column.table in ("", alias) and column.name in relation.columns:
                return alias, column.name
        return None

    def same(self, label: Label) -> Label:
        while label in self.equal:
            label = self.equal[label]
        return label

    def hold_equal(self, one: Label | None, other: Label | None) -> None:
        if one and other and self.same(one) != self.same(other):
            self.equal[self.same(one)] = self.same(other)


class _Reading:
    def __init__(self, known: Mapping[str, Relation]) -> None:
        self.known = known
        self.problems: list[str] = []

    def relation(self, query: exp.Expression, above: Mapping[str, Relation]) -> Relation:
        """What a query gives."""
        if isinstance(query, exp.Subquery):
            return self.relation(query.this, above)
        named = dict(above)
        for cte in query.ctes:
            named[cte.alias] = self.relation(cte.this, named)
        if isinstance(query, exp.SetOperation):
            return self._union(self.relation(query.left, named), self.relation(query.right, named), query)
        assert isinstance(query, exp.Select), type(query)
        return self._select(query, named)

    def _union(self, left: Relation, right: Relation, query: exp.Expression) -> Relation:
        money = dict(left.money)
        renamed = dict(zip(right.columns, left.columns, strict=True))
        for amount, currencies in right.money.items():
            name, held = renamed[amount], frozenset(renamed[one] for one in currencies)
            money[name] = money.get(name, held) & held
            if not money[name]:
                self.problems.append(f"{name} has two currencies: {query.sql()[:80]}")
        return Relation(left.columns, money)

    def _select(self, query: exp.Select, named: Mapping[str, Relation]) -> Relation:
        scope = self._scope(query, named)
        projections = list(self._projections(query, scope))
        by_name = dict(projections)
        group = query.args.get("group")
        if group is not None:
            assert not group.args.get("all"), "GROUP BY ALL does not say its currency"
            meant = [self._meant(one, scope, by_name) for one in group.expressions]
            scope.grouped = frozenset().union(*(self._labels_in(one, scope) for one in meant))
        for clause in ("where", "having", "qualify", "order"):
            if query.args.get(clause) is not None:
                self._currency_of(query.args[clause], scope, named)
        held = {name: self._currency_of(expression, scope, named) for name, expression in projections}
        carried: dict[Label, set[str]] = {}
        for name, expression in projections:
            if isinstance(expression, (exp.Column, exp.Nullif, exp.Coalesce)) and not held[name]:
                for label in self._labels_in(expression, scope):
                    carried.setdefault(label, set()).add(name)
        money = {}
        for name, labels in held.items():
            if len(labels) > 1:
                self.problems.append(f"{name} mixes amounts of {sorted(labels)}")
            for label in labels:
                if label in carried:
                    money[name] = frozenset(carried[label])
                else:
                    self.problems.append(f"{name} leaves a SELECT without its currency {'.'.join(label)}")
        return Relation(tuple(name for name, _ in projections), money)

    def _scope(self, query: exp.Select, named: Mapping[str, Relation]) -> _Scope:
        scope = _Scope({})
        joins = query.args.get("joins") or []
        source = query.args.get("from_") or query.args.get("from")
        for one in ([source.this] if source else []) + [join.this for join in joins]:
            scope.tables[one.alias_or_name] = relation = self._source(one, named)
            for first, *others in map(sorted, relation.money.values()):
                for other in others:
                    scope.hold_equal((one.alias_or_name, first), (one.alias_or_name, other))
        for join in joins:
            condition = join.args.get("on")
            for equal in condition.find_all(exp.EQ, exp.NullSafeEQ) if condition else ():
                if isinstance(equal.left, exp.Column) and isinstance(equal.right, exp.Column):
                    scope.hold_equal(scope.label_of(equal.left), scope.label_of(equal.right))
            for column in join.args.get("using") or ():
                places = [(alias, column.name) for alias, r in scope.tables.items() if column.name in r.columns]
                for place in places[1:]:
                    scope.hold_equal(places[0], place)
        return scope

    def _source(self, source: exp.Expression, named: Mapping[str, Relation]) -> Relation:
        if isinstance(source, exp.Subquery):
            return self.relation(source.this, named)
        assert isinstance(source, exp.Table), source.sql()
        name = f"{source.db}.{source.name}" if source.db else source.name
        return named[name] if name in named else self.known[name]

    def _projections(self, query: exp.Select, scope: _Scope) -> Iterator[tuple[str, exp.Expression]]:
        """Name and expression of each result column; of a star, every column that it stands for."""
        for one in query.expressions:
            star = one if isinstance(one, exp.Star) else one.this if isinstance(one, exp.Column) else None
            if not isinstance(star, exp.Star):
                yield one.alias_or_name, one.unalias()
                continue
            left_out = {name.name for name in star.args.get("except_") or star.args.get("except") or ()}
            for alias, relation in scope.tables.items():
                if isinstance(one, exp.Star) or one.table == alias:
                    yield from ((name, exp.column(name, alias)) for name in relation.columns if name not in left_out)

    def _meant(self, one: exp.Expression, scope: _Scope, by_name: Mapping[str, exp.Expression]) -> exp.Expression:
        """What a GROUP BY entry stands for: a column of a table, else of the result."""
        if isinstance(one, exp.Column) and scope.label_of(one) is None:
            return by_name[one.name]
        return one

    def _labels_in(self, expression: exp.Expression, scope: _Scope) -> Labels:
        found = (scope.label_of(column) for column in expression.find_all(exp.Column))
        return frozenset(scope.same(label) for label in found if label)

    def _currency_of(self, node: exp.Expression, scope: _Scope, named: Mapping[str, Relation]) -> Labels:
        """The currencies of the amounts that an expression's value is made of."""
        if isinstance(node, (exp.Subquery, exp.Select, exp.SetOperation)):
            self.relation(node, named)
            return NONE
        if isinstance(node, exp.Column):
            label = scope.label_of(node)
            money = scope.tables[label[0]].money if label else {}
            return frozenset({scope.same((label[0], min(money[label[1]])))}) if label and label[1] in money else NONE
        parts = [one for value in node.args.values() for one in (value if isinstance(value, list) else [value])]
        each = [self._currency_of(one, scope, named) for one in parts if isinstance(one, exp.Expression)]
        labels: Labels = frozenset().union(*each)
        if isinstance(node, exp.Window):
            by = [self._labels_in(one, scope) for one in node.args.get("partition_by") or ()]
            self._must_be_within(labels, frozenset().union(*by), node)
            return labels
        if isinstance(node, _NO_AMOUNT):
            return NONE
        if isinstance(node, exp.AggFunc) and not isinstance(node.parent, exp.Window):
            self._must_be_within(labels, scope.grouped, node)
        if isinstance(node, exp.Div) and all(each[:2]):
            self._must_be_within(each[0], each[1], node)
            return NONE
        return labels

    def _must_be_within(self, labels: Labels, allowed: Labels, node: exp.Expression) -> None:
        for label in labels - allowed:
            self.problems.append(f"{node.sql('duckdb')} is not by its currency {'.'.join(label)}")


def money_of(sql: str, known: Mapping[str, Relation]) -> tuple[Relation, list[str]]:
    """What a statement gives, and where it could add amounts of different currencies.

    Args:
        sql: one SELECT in DuckDB's words.
        known: every table it may read, by the name it uses.
    """
    reading = _Reading(known)
    return reading.relation(sqlglot.parse_one(sql, read="duckdb"), {}), reading.problems
