"""What the dimensions among the marts, and the totals of documents, make of what is missing, empty, gone or twice."""

from __future__ import annotations

from decimal import Decimal

from planted_marts import claim, expense, invoice, money, row, total

GONE = {"_deleted_at": "2026-11-01T00:00:00Z"}


def test_what_hangs_under_a_row_that_is_gone_stays(made):
    """Its id stands, its name is missing."""
    marts = made(
        row("entity", company_id="1", id="5", name="Here"),
        row("entity", company_id="1", id="6", name="Gone", **GONE),
        *(row("division", company_id="1", id=f"d{key}", name="D", entity_id=key) for key in ("5", "6")),
        *(row("portfolio", company_id="1", id=f"p{key}", name="P", entity_id=key) for key in ("5", "6")),
    )
    for mart, key in (("division", "d"), ("portfolio", "p")):
        asked = f"SELECT {mart}_id, entity_id, entity_name FROM mart.{mart} ORDER BY 1"
        assert marts(asked) == [(f"{key}5", "5", "Here"), (f"{key}6", "6", None)]


def test_a_project_names_its_portfolio_if_that_is_one(made):
    memberships = {"a": (), "b": ("1",), "c": ("1", "1"), "d": ("1", "2")}
    marts = made(
        row("portfolio", company_id="1", id="1", name="One"),
        row("portfolio", company_id="1", id="2", name="Two"),
        *(row("project", company_id="1", id=key, active=True) for key in memberships),
        *(
            row("project_portfolio", company_id="1", project_id=key, _index=place, portfolio_id=portfolio)
            for key, portfolios in memberships.items()
            for place, portfolio in enumerate(portfolios)
        ),
    )
    assert marts("SELECT project_id, portfolio_count, portfolio_id, portfolio_name FROM mart.project ORDER BY 1") == [
        ("a", 0, None, None),
        ("b", 1, "1", "One"),
        ("c", 1, "1", "One"),
        ("d", 2, None, None),
    ]


def test_a_tax_code_counts_its_entities_once(made):
    marts = made(
        row("tax_code", company_id="1", id="1", status="active"),
        row("tax_code", company_id="1", id="2", status="disabled"),
        *(
            row("tax_code_entity", company_id="1", tax_code_id="1", _index=n, entity_id=key)
            for n, key in enumerate("565")
        ),
    )
    asked = "SELECT tax_code_id, entity_count, is_active FROM mart.tax_code ORDER BY 1"
    assert marts(asked) == [("1", 2, True), ("2", 0, False)]


def test_a_supplier_has_the_name_that_is_shown_else_the_registered_one(made):
    marts = made(
        row("supplier", company_id="1", id="s", display_name="Shown", legal_name="Registered"),
        row("supplier", company_id="1", id="t", display_name="", legal_name="Registered"),
        row("supplier_trading_name", company_id="1", supplier_id="s", _index=1, trading_name="B"),
        row("supplier_trading_name", company_id="1", supplier_id="s", _index=0, trading_name="C"),
    )
    asked = "SELECT supplier_id, supplier_name, trading_names FROM mart.supplier ORDER BY 1"
    assert marts(asked) == [("s", "Shown", "C, B"), ("t", "Registered", None)]


def test_a_claimant_is_called_as_on_the_claim_that_changed_last(made):
    """On every line, whichever claim that stands on; a missing name does not hide an earlier one."""
    marts = made(
        claim("a", claimant_name="New", updated_date="2026-11-02T00:00:00Z", created_date="2026-10-09T00:00:00Z"),
        claim("b", claimant_name="Old", updated_date="2026-11-01T00:00:00Z", employee_number="E1"),
        expense(on="b"),
    )
    asked = "SELECT claimant_name, employee_number, claim_count, first_claim_on::VARCHAR, last_claim_on::VARCHAR"
    assert marts(f"{asked} FROM mart.claimant") == [("New", "E1", 2, "2026-10-01", "2026-10-09")]
    assert marts("SELECT claimant_name FROM mart.spend_line") == [("New",)]


def test_empty_texts_are_missing(made):
    """The source sends empty texts for what there is not."""
    coded = "entity_id division_id project_id expense_type gl_code tax_code_id description"
    marts = made(
        claim(summary="", claim_type=""),
        expense("e1", **dict.fromkeys(coded.split(), "")),
        expense("e2", **dict.fromkeys(coded.split(), "x")),
        row("division", company_id="1", id="x"),
        invoice(reference="", supplier_id="", supplier_name="", supplier_code=""),
    )
    asked = ", ".join(coded.split())
    assert marts(f"SELECT {asked} FROM mart.spend_line WHERE line_id = 'e1'") == [(None,) * 7]
    assert {gap for (gap,) in marts("SELECT gap FROM mart.coding_gap WHERE line_id = 'e1'")} == {
        f"line_without_{name}" for name in ("entity", "division", "expense_type", "gl_code", "tax_code")
    }
    asked = "SELECT reference, summary, supplier_id, supplier_name, supplier_code, claim_type FROM mart.document"
    assert marts(f"{asked} GROUP BY ALL") == [(None,) * 6]


def test_totals_of_one_document_and_currency_are_one(made):
    """Also where they are the same twice; in several currencies a document shows none of them."""
    marts = made(
        invoice("i"),
        total("invoice", "i", 5),
        total("invoice", "i", 5, index=1),
        invoice("j"),
        total("invoice", "j", 7),
        total("invoice", "j", 8, "NZD", 1),
        claim(),
        total("claim", "c", 9, "USD"),
        row("claim_currency_total", company_id="1", claim_id="c", _index=0, **money(13.5)),
    )
    asked = "SELECT document_id, basis, currency_code, gross_amount FROM mart.document_total ORDER BY ALL"
    assert marts(asked) == [
        ("c", "claim", "AUD", Decimal("13.5")),
        ("c", "transaction", "USD", 9),
        ("i", "transaction", "AUD", 10),
        ("j", "transaction", "AUD", 7),
        ("j", "transaction", "NZD", 8),
    ]
    asked = "SELECT document_id, currency_count, currency_code, gross_amount FROM mart.document ORDER BY ALL"
    assert marts(asked) == [("c", 1, "AUD", Decimal("13.5")), ("i", 1, "AUD", 10), ("j", 2, None, None)]
    assert marts("SELECT document_id, currency_code, gross_amount FROM mart.payable_due ORDER BY ALL") == [
        ("i", "AUD", 10),
        ("j", "AUD", 7),
        ("j", "NZD", 8),
    ]


def test_a_document_has_the_division_that_all_its_lines_have(made):
    coded = {"a": ("1", "1"), "b": ("1", "2"), "c": ("1", None), "d": ()}
    marts = made(
        *(claim(key) for key in coded),
        *(
            expense(f"{key}{place}", on=key, division_id=division)
            for key, divisions in coded.items()
            for place, division in enumerate(divisions)
        ),
    )
    asked = "SELECT document_id, line_count, division_id FROM mart.document ORDER BY 1"
    assert marts(asked) == [("a", 2, "1"), ("b", 2, None), ("c", 2, None), ("d", 0, None)]
