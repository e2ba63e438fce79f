"""The catalogue is read whole, or refused with every problem in it; the one that ships says what the API's pages say."""

from __future__ import annotations

import contextlib
import copy
import json
import tomllib

import pytest
from decode_cases import CATALOGUE

from pipeline.errors import ConfigError
from pipeline.resources import Kind, Tie, default_path, parse_catalogue, read_catalogue, snake_case
from pipeline.tables import all_tables

GOOD = tomllib.loads(
    """
format = 1
[shape.total]
grossAmount = { type = "money", evidence = "documented", about = "amount" }
currencyCode = { type = "text", evidence = "documented", aliases = ["currency"], about = "currency" }
[resource.company]
path = "/{version}/company"
key = "companyId"
order = "inferred"
evidence = "documented"
about = "company"
[resource.company.column]
companyId = { type = "text", evidence = "documented", about = "key" }
isBig = { type = "boolean", evidence = "documented", about = "flag" }
[resource.thing]
path = "/{version}/company/{companyId}/thing"
parent = "company"
key = "id"
updated = "at"
order = "documented"
filters = ["a", "b"]
requests = [{ a = "1" }, { a = "2" }]
switches = { b = "include_b" }
only_when = "isBig"
envelope = "any"
single = true
evidence = "inferred"
about = "thing"
[resource.thing.column]
id = { type = "text", evidence = "documented", about = "key" }
at = { type = "timestamp", evidence = "documented", about = "time" }
state = { type = "text", evidence = "documented", values = ["x"], about = "state" }
amount = { type = "money", currency = "unit", evidence = "documented", about = "amount" }
unit = { type = "text", evidence = "documented", about = "unit" }
rate = { type = "decimal(9,4)", evidence = "documented", about = "rate" }
whole = { type = "object", shape = "total", evidence = "documented", about = "object" }
parts = { type = "list", shape = "total", table = "thing_part", evidence = "documented", about = "list" }
tags = { type = "list", table = "thing_tag", item = { name = "tag", type = "text", evidence = "documented", about = "tag" }, evidence = "documented", about = "tags" }
"""
)


def toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    return f"[{', '.join(map(toml, value))}]" if isinstance(value, list) else json.dumps(value)


def text_of(document: dict) -> str:
    return "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in document.items())


def changed(*changes: tuple[str, object]) -> str:
    """The good catalogue with some values set, or taken out where the value is None."""
    document = copy.deepcopy(GOOD)
    for way, value in changes:
        *above, last = way.split(".")
        table = document
        for step in above:
            table = table[step]
        if value is None:
            del table[last]
        else:
            table[last] = value
    return text_of(document)


def ways(table: dict, above: str = ""):
    for key, value in table.items():
        yield (way := f"{above}{key}")
        if isinstance(value, dict):
            yield from ways(value, f"{way}.")


def problems(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_catalogue(text, "my.toml")
    assert caught.value.where == "my.toml"
    return caught.value.what


def test_a_good_catalogue_is_read_as_written():
    """Every setting of a resource and of a column arrives."""
    thing = parse_catalogue(text_of(GOOD), "my.toml")["thing"]
    assert (thing.path, thing.parent, thing.key, thing.updated) == (
        "/{version}/company/{companyId}/thing",
        "company",
        "id",
        "at",
    )
    assert (thing.evidence, thing.order, thing.about) == ("inferred", "documented", "thing")
    assert (thing.filters, thing.requests) == (("a", "b"), ((("a", "1"),), (("a", "2"),)))
    assert (thing.switches, thing.only_when) == ((("b", "include_b"),), "isBig")
    assert (thing.accepts_any_envelope, thing.has_single) == (True, True)
    assert (thing.context_names, thing.identity) == (("companyId",), ("companyId", "id"))
    kinds = {column.name: column.kind for column in thing.columns}
    assert kinds == {
        "id": Kind.TEXT,
        "at": Kind.TIMESTAMP,
        "state": Kind.TEXT,
        "amount": Kind.DECIMAL,
        "unit": Kind.TEXT,
        "rate": Kind.DECIMAL,
        "whole": Kind.OBJECT,
        "parts": Kind.LIST,
        "tags": Kind.LIST,
    }
    amount, rate, parts, tags = (thing.column(name) for name in ("amount", "rate", "parts", "tags"))
    assert (amount.precision, amount.scale, amount.is_money, amount.currency) == (18, 4, True, "unit")
    assert (rate.precision, rate.scale, rate.is_money, rate.currency) == (9, 4, False, None)
    assert [(column.name, column.currency, column.aliases) for column in parts.columns] == [
        ("grossAmount", "currencyCode", ()),
        ("currencyCode", None, ("currency",)),
    ]
    assert (tags.item.name, tags.item.kind, tags.table, tags.columns) == ("tag", Kind.TEXT, "thing_tag", ())
    assert thing.column("state").values == ("x",)


def test_what_is_left_out_has_its_default():
    """One walk without parameters, a page envelope, no single read."""
    company = parse_catalogue(text_of(GOOD), "my.toml")["company"]
    assert (company.requests, company.filters, company.switches) == (((),), (), ())
    assert (company.parent, company.updated, company.only_when) == (None, None, None)
    assert (company.accepts_any_envelope, company.has_single, company.context_names) == (False, False, ())


def test_parents_come_before_children_however_they_are_written():
    """The order of the file does not matter to the order of reading."""
    document = copy.deepcopy(GOOD)
    document["resource"] = dict(reversed(document["resource"].items()))
    catalogue = parse_catalogue(text_of(document), "my.toml")
    assert catalogue.names == ("company", "thing")
    assert [one.name for one in catalogue.children_of("company")] == ["thing"]
    assert (catalogue.depth("company"), catalogue.depth("thing")) == (0, 1)


def test_catalogues_are_equal_by_content_and_told_apart_by_hash():
    """Where the text came from does not count; what it says does."""
    one, same = parse_catalogue(text_of(GOOD), "a"), parse_catalogue(text_of(GOOD), "b")
    other = parse_catalogue(text_of(GOOD) + "\n", "a")
    assert one == same
    assert one.resources == other.resources
    assert one.text_sha256 != other.text_sha256
    assert hash(one) == hash(same)


@pytest.mark.parametrize(
    ("way", "value", "problem"),
    [
        ("format", 2, "format must be 1, found 2"),
        ("format", None, "format must be 1, found None"),
        ("extra", 1, "unknown key 'extra'"),
        ("resource", {}, "no [resource.NAME] table"),
        ("shape", 3, "shape must be a table"),
        ("resource.thing", 3, "resource.thing must be a table"),
        ("resource.Thing", GOOD["resource"]["thing"], "a resource name is lower-case letters, digits and underscores"),
        ("resource.thing.pth", "x", "resource.thing: unknown key 'pth'"),
        ("resource.thing.path", None, "resource.thing: path is missing"),
        ("resource.thing.path", "https://x.example/thing", "path must start with one / and have no query"),
        ("resource.thing.path", "//x.example/{companyId}/thing", "path must start with one / and have no query"),
        ("resource.thing.path", "/{companyId}/thing?limit=1", "path must start with one / and have no query"),
        ("resource.thing.path", "/{version}/thing", "path needs its parent's names and one for the parent"),
        ("resource.thing.path", "/{a}/{b}/thing", "path needs its parent's names and one for the parent"),
        ("resource.company.path", "/{version}/{siteId}/company", "path needs its parent's names"),
        ("resource.thing.about", "", "resource.thing: about is missing"),
        ("resource.thing.key", "no", "resource.thing: key 'no' is not among its columns"),
        ("resource.thing.key", "parts", "resource.thing: key 'parts' must be a plain column"),
        ("resource.thing.key", 1, "resource.thing: key must be text"),
        ("resource.thing.updated", "no", "resource.thing: updated 'no' is not among its columns"),
        ("resource.thing.order", "guessed", "order must be 'documented' or 'inferred'"),
        ("resource.thing.evidence", None, "evidence must be 'documented' or 'inferred'"),
        ("resource.thing.parent", "nobody", "resource.thing: parent 'nobody' does not lead to a top resource"),
        ("resource.thing.parent", "thing", "resource.thing: parent 'thing' does not lead to a top resource"),
        ("resource.thing.parent", ["company"], "resource.thing: parent must be text"),
        ("resource.thing.filters", "a", "resource.thing: filters must be a list of texts"),
        ("resource.thing.filters", ["b"], "resource.thing: parameter 'a' is sent but not among its filters"),
        ("resource.thing.filters", ["a"], "resource.thing: parameter 'b' is sent but not among its filters"),
        ("resource.thing.requests", [], "requests must name at least one set of parameters"),
        ("resource.thing.requests", [{"a": 1}], "requests must be a list of tables of texts"),
        ("resource.thing.requests", {"a": "1"}, "requests must be a list of tables of texts"),
        ("resource.thing.switches", {"b": True}, "switches must be a table of texts"),
        ("resource.thing.only_when", "id", "only_when 'id' is not a column of its parent"),
        ("resource.company.only_when", "isBig", "only_when 'isBig' is not a column of its parent"),
        ("resource.thing.envelope", "list", "envelope must be 'page' or 'any'"),
        ("resource.thing.single", "yes", "single must be true or false"),
        ("resource.thing.column", {}, "resource.thing: no columns"),
        ("resource.thing.column.id", "text", "resource.thing.id must be a table"),
        ("resource.thing.column.bad name", {}, "resource.thing.bad name: not a field name"),
        ("resource.thing.column._extra", {}, "resource.thing._extra: not a field name"),
        ("resource.thing.column.companyId", GOOD["resource"]["thing"]["column"]["id"], "stand in the path already"),
        ("resource.thing.column.ID", GOOD["resource"]["thing"]["column"]["id"], "are one name in the warehouse"),
        ("resource.thing.column.state.aliases", ["unit"], "are one name in the warehouse"),
        ("resource.thing.column.state.aliases", "unit", "resource.thing.state: aliases must be a list of texts"),
        ("resource.thing.column.state.values", [1], "resource.thing.state: values must be a list of texts"),
        ("resource.thing.column.state.type", "string", "resource.thing.state: unknown type 'string'"),
        ("resource.thing.column.state.type", None, "resource.thing.state: unknown type None"),
        ("resource.thing.column.rate.type", "decimal(39,2)", "decimal(p,s) needs 1 <= p <= 38 and s <= p"),
        ("resource.thing.column.rate.type", "decimal(4,5)", "decimal(p,s) needs 1 <= p <= 38 and s <= p"),
        ("resource.thing.column.rate.type", "decimal(0,0)", "decimal(p,s) needs 1 <= p <= 38 and s <= p"),
        ("resource.thing.column.rate.type", "decimal(9)", "unknown type 'decimal(9)'"),
        ("resource.thing.column.amount.currency", "no", "currency 'no' is not a column beside it"),
        ("resource.thing.column.whole.shape", "no", "resource.thing.whole: there is no [shape.no]"),
        ("resource.thing.column.whole.shape", None, "resource.thing.whole: no columns"),
        ("resource.thing.column.parts.table", None, "resource.thing.parts: table is missing"),
        ("resource.thing.column.parts.table", "Parts!", "resource.thing.parts: table 'Parts!' is not a table name"),
        ("resource.thing.column.parts.table", "company", "resource.thing: table 'company' is taken by company"),
        ("resource.thing.column.tags.item.name", None, "resource.thing.tags.item: name is missing"),
        ("resource.thing.column.tags.item.type", "object", "resource.thing.tags.item: must be a plain type"),
        (
            "shape.total.inside",
            GOOD["resource"]["thing"]["column"]["tags"],
            "a list stands only at the top of a record",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(way, value, problem):
    """The message names the place and what is wrong with it."""
    assert problem in problems(changed((way, value)))


def test_all_problems_are_told_at_once():
    """A person corrects a file once, not once a problem."""
    told = problems(
        changed(
            ("format", 7),
            ("resource.thing.pth", "x"),
            ("resource.thing.key", "no"),
            ("resource.company.about", None),
            ("shape.total.grossAmount.type", "float"),
        )
    )
    for problem in ("format", "'pth'", "key 'no'", "resource.company: about", "whole.grossAmount", "parts.grossAmount"):
        assert problem in told


def test_a_loop_of_parents_leads_nowhere():
    """Every resource hangs, in the end, under one that is read by itself."""
    told = problems(changed(("resource.company.parent", "thing")))
    assert "resource.company: parent 'thing' does not lead" in told
    assert "resource.thing: parent 'company' does not lead" in told


@pytest.mark.parametrize("way", list(ways(GOOD)))
def test_no_wrong_value_escapes_as_anything_but_a_config_error(way):
    """Whatever stands at any place of the file: it is taken, or refused as configuration."""
    for value in (None, 3, "", {}, [], True, [1], [{}], [[]], {"a": 1}, "x", [{"a": 1}], 1.5):
        with contextlib.suppress(ConfigError):
            parse_catalogue(changed((way, value)), "my.toml")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    """Missing, not TOML, not text: the path is in the message, and what to do."""
    with pytest.raises(ConfigError, match="cannot be read") as missing:
        read_catalogue(tmp_path / "none.toml")
    assert missing.value.where == str(tmp_path / "none.toml")
    for content in (b"format = ", b"\xff"):
        (tmp_path / "bad.toml").write_bytes(content)
        with pytest.raises(ConfigError) as bad:
            read_catalogue(tmp_path / "bad.toml")
        assert bad.value.where == str(tmp_path / "bad.toml")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("claimantId", "claimant_id"),
        ("id", "id"),
        ("address1", "address1"),
        ("isGSTFree", "is_gstfree"),
        ("address1Line", "address1_line"),
        ("already_snake", "already_snake"),
    ],
)
def test_api_names_become_snake_case(name, expected):
    """One spelling for SQL."""
    assert snake_case(name) == expected


# ---- the catalogue that ships ---------------------------------------------------------------------------------------

SHIPPED = read_catalogue()


def test_the_shipped_catalogue_has_the_promised_resources():
    """The names of the warehouse's tables are a promise to whoever reads them."""
    promised = (
        "company entity division tax_code supplier project project_wbs portfolio claim expense expense_split "
        "invoice invoice_line invoice_split"
    )
    assert set(SHIPPED.names) == set(promised.split())
    assert default_path().name == "prospend.toml"


def test_everything_but_the_company_hangs_under_a_company():
    """Tenancy: no list is read across companies."""
    assert {resource.context_names[:1] for resource in SHIPPED if resource.name != "company"} == {("companyId",)}
    assert SHIPPED["company"].context_names == ()


def test_every_walk_asks_for_inactive_rows_where_the_list_hides_them():
    """A row that becomes inactive must not look deleted."""
    for resource in SHIPPED:
        hides = [name for name in resource.filters if name.lower() == "includeinactive"]
        for name in hides:
            assert all(dict(request)[name] == "true" for request in resource.requests)
    assert {dict(request)["active"] for request in SHIPPED["supplier"].requests} == {"true", "false"}


@pytest.mark.parametrize("resource", [*SHIPPED, *CATALOGUE], ids=lambda resource: resource.name)
def test_every_amount_knows_its_currency(resource):
    """Amounts without a currency beside them cannot be added; none is documented that way."""

    def amounts(columns):
        for column in columns:
            if column.is_money:
                yield column
            yield from amounts(column.columns)

    assert all(column.currency for column in amounts(resource.columns))


def test_a_column_that_is_not_there_is_a_key_error():
    """Asked by name, catalogues and resources answer or say no."""
    assert SHIPPED["claim"].column("claimantId").name == "claimantId"
    for ask in (lambda: SHIPPED["nothing"], lambda: SHIPPED["claim"].column("nothing")):
        with pytest.raises(KeyError, match="nothing"):
            ask()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[resource.invoice.column.supplier]", ('[resource.invoice.column.supplierId]\ntype = "text"\nevidence = "inferred"\n'
         'about = "x"\n\n[resource.invoice.column.supplier]'), "'supplierId' and 'supplier.id' would both be called 'supplier_id' in the warehouse"),
        ('updated = "updatedDate"', 'updated = "supplierCode"', "updated 'supplierCode' must be a timestamp"),
        ("{companyId}/entity", "{companyId/entity", "path needs its parent's names"),
    ],
)  # fmt: skip
def test_what_the_warehouse_could_not_hold_is_refused_at_the_start(old, new, problem):
    """A copy of the shipped file with one such edit is a configuration error, long before any call."""
    text = default_path().read_text()
    assert old in text
    with pytest.raises(ConfigError) as caught:
        parse_catalogue(text.replace(old, new, 1), "my.toml")
    assert problem in caught.value.what


# ---- what is checked ------------------------------------------------------------------------------------------------

LINES = """
[resource.doc]
path = "/{version}/company/{companyId}/doc"
parent = "company"
key = "id"
period = "closedAt"
order = "inferred"
evidence = "inferred"
about = "document"
[resource.doc.column]
id = { type = "text", evidence = "inferred", about = "key" }
closedAt = { type = "timestamp", evidence = "inferred", about = "when" }
totals = { type = "list", shape = "total", table = "doc_total", evidence = "inferred", about = "totals" }
[resource.line]
path = "/{version}/company/{companyId}/doc/{docId}/line"
parent = "doc"
key = "id"
order = "inferred"
filters = ["more"]
switches = { more = "include_more" }
adds_up = [{ to = "totals", amounts = ["grossAmount"], without = { include_more = "isMore" }, evidence = "inferred" }]
evidence = "inferred"
about = "line"
[resource.line.column]
id = { type = "text", evidence = "inferred", about = "key" }
isMore = { type = "boolean", evidence = "inferred", about = "flag" }
grossAmount = { type = "money", sum_of = ["netAmount"], evidence = "inferred", about = "amount" }
netAmount = { type = "money", evidence = "inferred", about = "amount" }
currencyCode = { type = "text", evidence = "inferred", about = "currency" }
"""


def with_lines(old: str = "", new: str = "") -> str:
    assert old in LINES
    return text_of({"format": 1, "shape": GOOD["shape"]}) + "\n[resource.company]\n" + text_of(
        GOOD["resource"]["company"]
    ) + LINES.replace(old, new)  # fmt: skip


def test_what_is_to_add_up_is_read_as_written():
    """Which amounts of the lines make which of the document's, which lines do not count, and what is the sum of what."""
    catalogue = parse_catalogue(with_lines(), "my.toml")
    assert catalogue["line"].ties == (Tie("totals", None, ("grossAmount",), (("include_more", "isMore"),), "inferred"),)
    assert catalogue["line"].column("grossAmount").sum_of == ("netAmount",)
    assert catalogue["doc"].column("totals").shape == "total"


def test_lines_belong_to_the_period_of_their_document():
    """The resource's own period, or that of its nearest parent that has one."""
    catalogue = parse_catalogue(with_lines(), "my.toml")
    assert (catalogue["doc"].period, catalogue["line"].period) == ("closedAt", None)
    assert catalogue.period_of("line") == catalogue.period_of("doc") == (catalogue["doc"], "closedAt")
    assert catalogue.period_of("company") is None


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('period = "closedAt"', 'period = "shutAt"', "period 'shutAt' is not among its columns"),
        ('period = "closedAt"', 'period = "id"', "period 'id' must be a timestamp or a date"),
        ('to = "totals"', 'to = "sums"', "sums has no amount 'grossAmount' with a currency"),
        ('to = "totals", ', "", "the row itself has no amount 'grossAmount' with a currency"),
        ('to = "totals"', 'to = "totals", from = "whole"', "whole has no amount 'grossAmount' with a currency"),
        ('amounts = ["grossAmount"]', "amounts = []", "has no amount '(none)'"),
        ('amounts = ["grossAmount"]', 'amounts = ["taxAmount"]', "has no amount 'taxAmount'"),
        ('include_more = "isMore"', 'include_less = "isMore"', "names no switch or no boolean column"),
        ('include_more = "isMore"', 'include_more = "id"', "names no switch or no boolean column"),
        ('evidence = "inferred" }]', 'evidence = "guessed" }]', "adds_up: evidence must be"),
        ('evidence = "inferred" }]', 'evidence = "inferred", unless = "x" }]', "unknown key 'unless'"),
        ('evidence = "inferred" }]', 'evidence = "inferred" }, { to = "totals", amounts = ["grossAmount"], evidence = "inferred" }]', "two of them lead to the same amounts"),
        ('sum_of = ["netAmount"]', 'sum_of = ["taxAmount"]', "sum_of 'taxAmount' is not an amount beside it"),
        ('sum_of = ["netAmount"]', 'sum_of = ["isMore"]', "sum_of 'isMore' is not an amount beside it"),
        ("adds_up = [{", "adds_up = [1, {", "adds_up must be a list of tables"),
    ],
)  # fmt: skip
def test_what_cannot_add_up_is_refused(old, new, told):
    """A check that names what is not there would compare nothing, night after night."""
    assert told in problems(with_lines(old, new))


def test_the_shipped_catalogue_checks_every_documented_total():
    """Claims and invoices: gross = net + tax in all totals, totals = lines, and a period for both."""
    own = read_catalogue()
    assert {one.name for one in own if one.ties} == {"expense", "expense_split", "invoice_line", "invoice_split"}
    assert {one.name for one in own if own.period_of(one.name)} == {
        "claim", "expense", "expense_split", "invoice", "invoice_line", "invoice_split",
    }  # fmt: skip
    sums = {
        table.name: all(column.is_documented for column in table.columns if column.sum_of)
        for table in all_tables(own)
        if any(column.sum_of for column in table.columns)
    }
    documented = {"claim_currency_total", "claim_transaction_total", "invoice_transaction_total"}
    assert {name for name, is_documented in sums.items() if is_documented} == documented
    assert set(sums) - documented == {"expense", "expense_split", "invoice_line", "invoice_split"}
