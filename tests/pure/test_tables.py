"""Every field of the catalogue lands in one column of one table, under a name and a type that follow from it alone."""

from __future__ import annotations

import pytest
from decode_cases import CATALOGUE, PART, THING

from pipeline.decode import snapshot_schema
from pipeline.resources import read_catalogue
from pipeline.tables import SourceField, all_tables, own_key_name, source_fields, tables_of

SHIPPED = read_catalogue()
_FETCHED = [("_run_id", "VARCHAR"), ("_fetched_at", "TIMESTAMPTZ")]
_HOLDS = [("_valid_from", "TIMESTAMPTZ"), ("_deleted_at", "TIMESTAMPTZ")]
PROVENANCE = [*_FETCHED, ("_page", "INTEGER"), *_HOLDS, ("_fingerprint", "BIGINT"), ("_extra", "VARCHAR")]
OF_ELEMENTS = [*_FETCHED, *_HOLDS, ("_extra", "VARCHAR")]


def shape(table) -> list[tuple[str, str]]:
    return [(column.name, column.type) for column in table.columns]


def test_a_resource_has_its_own_table_and_one_for_each_list():
    """Objects become prefixed columns, lists become tables, everything else a column."""
    main, *lists = tables_of(THING)
    assert (main.name, main.resource, main.key, main.list_field) == ("thing", "thing", ("company_id", "id"), None)
    assert shape(main) == [
        ("company_id", "VARCHAR"),
        ("id", "VARCHAR"),
        ("code", "VARCHAR"),
        ("note", "VARCHAR"),
        ("status", "VARCHAR"),
        ("amount", "DECIMAL(18,4)"),
        ("fee", "DECIMAL(18,4)"),
        ("currency_code", "VARCHAR"),
        ("rate", "DECIMAL(18,8)"),
        ("share", "DECIMAL(2,2)"),
        ("pieces", "DECIMAL(5,0)"),
        ("count", "BIGINT"),
        ("is_open", "BOOLEAN"),
        ("changed_at", "TIMESTAMPTZ"),
        ("due_on", "DATE"),
        ("class_gross_amount", "DECIMAL(18,4)"),
        ("class_tax_amount", "DECIMAL(18,4)"),
        ("class_currency_code", "VARCHAR"),
        *PROVENANCE,
    ]
    assert [(table.name, table.list_field, table.key) for table in lists] == [
        ("thing_total", "totals", ("company_id", "thing_id", "_index")),
        ("thing_tag", "tags", ("company_id", "thing_id", "_index")),
        ("thing_seen", "seenAt", ("company_id", "thing_id", "_index")),
        ("thing_step", "steps", ("company_id", "thing_id", "_index")),
    ]
    above = [("company_id", "VARCHAR"), ("thing_id", "VARCHAR"), ("_index", "INTEGER")]
    assert [shape(table) for table in lists] == [
        [
            *above,
            ("gross_amount", "DECIMAL(18,4)"),
            ("tax_amount", "DECIMAL(18,4)"),
            ("currency_code", "VARCHAR"),
            *OF_ELEMENTS,
        ],
        [*above, ("tag", "VARCHAR"), *OF_ELEMENTS],
        [*above, ("seen_at", "TIMESTAMPTZ"), *OF_ELEMENTS],
        [*above, ("name", "VARCHAR"), ("kind", "VARCHAR"), ("done_at", "TIMESTAMPTZ"), *OF_ELEMENTS],
    ]


def test_the_promised_child_table_is_as_promised():
    """The example in the outside contract, column for column."""
    (table,) = (one for one in tables_of(SHIPPED["claim"]) if one.name == "claim_transaction_total")
    promised = "company_id claim_id _index gross_amount net_amount tax_amount currency_code"
    assert [column.name for column in table.columns] == [*promised.split(), *(name for name, _ in OF_ELEMENTS)]


def test_money_is_totalled_with_the_currency_beside_it():
    """In a record, in an object of it, in a list; rates and counts are not money."""
    found = {(table.name, column.name): column.currency for table in tables_of(THING) for column in table.money_columns}
    assert found == {
        ("thing", "amount"): "currency_code",
        ("thing", "fee"): "currency_code",
        ("thing", "class_gross_amount"): "class_currency_code",
        ("thing", "class_tax_amount"): "class_currency_code",
        ("thing_total", "gross_amount"): "currency_code",
        ("thing_total", "tax_amount"): "currency_code",
    }


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (SHIPPED["company"], "company_id"),
        (SHIPPED["claim"], "claim_id"),
        (SHIPPED["invoice_line"], "invoice_line_id"),
        (PART, "part_id"),
    ],
    ids=["a key that has the resource's name", "id", "two words", "under a thing"],
)
def test_other_tables_refer_to_a_row_by_one_name(resource, expected):
    """The name of a key elsewhere follows from the resource."""
    assert own_key_name(resource) == expected


def test_children_use_their_parents_name_for_its_key():
    """What an expense calls claim_id is what the claim's own lists call claim_id."""
    for resource in SHIPPED:
        if resource.parent:
            parent = SHIPPED[resource.parent]
            own = [column.name for column in tables_of(resource)[0].columns][: len(resource.context_names)]
            assert own[-1] == own_key_name(parent)


@pytest.mark.parametrize("resource", [*SHIPPED, *CATALOGUE], ids=lambda resource: resource.name)
def test_every_column_leads_to_its_value_in_a_snapshot_row(resource):
    """Each way exists in the snapshot's schema, and each field of the schema is at the end of one way."""
    schema = snapshot_schema(resource)
    reached = {("_record",)}
    for table in tables_of(resource):
        element = schema.field(table.list_field).type.value_type if table.list_field else None
        for column in table.columns:
            if column.source[:1] in (("_index",), ("_valid_from",), ("_deleted_at",)):
                continue  # made by the load
            in_element = element is not None and column.is_own
            kind = element if in_element else None
            for step in column.source:
                kind = (schema if kind is None else kind).field(step).type
            assert kind is not None
            reached.add((table.list_field, *column.source) if in_element else column.source)
    assert reached >= {way for field in schema for way in ends((field.name,), field.type)}


def ends(way: tuple[str, ...], kind) -> list[tuple[str, ...]]:
    if str(kind).startswith("list"):
        kind = kind.value_type
    if str(kind).startswith("struct"):
        # An element's own unknown fields stay in the snapshot; the table has those of the record.
        return [end for field in kind if field.name != "_extra" for end in ends((*way, field.name), field.type)]
    return [way]


@pytest.mark.parametrize("catalogue", [SHIPPED, CATALOGUE], ids=["shipped", "test"])
def test_names_are_unique_and_described(catalogue):
    """No two tables and no two columns of one table share a name in any case; all say what they are."""
    tables = all_tables(catalogue)
    assert len({table.name.lower() for table in tables}) == len(tables)
    for table in tables:
        names = [column.name.lower() for column in table.columns]
        assert len(set(names)) == len(names), table.name
        assert set(table.key) <= set(names)
        assert table.about
        assert all(column.about for column in table.columns)


def test_inferred_fields_say_so():
    """Whoever reads a column's comment learns whether any page of the vendor confirms it."""
    columns = {column.name: column for column in tables_of(SHIPPED["expense"])[0].columns}
    assert columns["exchange_rate"].about.endswith("(inferred field: may be missing)")
    assert "inferred" not in columns["is_split"].about


def test_every_column_names_its_field():
    """`resource.field`, through objects and lists; a parent's key is the parent's field, our own columns have none."""
    found = source_fields(all_tables(SHIPPED))
    assert found["invoice", "supplier_name"] == SourceField("invoice.supplier.name", is_documented=True)
    assert found["claim_approver", "id"] == SourceField("claim.approvers.id", is_documented=True)
    assert found["claim_approver", "claim_id"] == SourceField("claim.id", is_documented=True)
    assert found["expense_split", "expense_id"] == SourceField("expense.id", is_documented=True)
    assert found["expense_split", "id"] == SourceField("expense_split.id", is_documented=False)
    assert found["expense_recipient", "name"] == SourceField("expense.recipients.name", is_documented=False)
    assert found["tax_code_entity", "entity_id"] == SourceField("tax_code.entityIds", is_documented=True)
    every = {(table.name, column.name) for table in all_tables(SHIPPED) for column in table.columns}
    assert found.keys() == {(table, column) for table, column in every if not column.startswith("_")}
