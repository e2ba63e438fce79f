"""What refuses a publication and what is only told."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pipeline.checks import (
    KeyProblems,
    ResourceCounts,
    fields_known,
    judge,
    lists_in_order,
    nothing_hidden,
    rechecks_agree,
    refusals,
    token_lasts,
    values_as_sent,
)
from pipeline.model import CheckResult, ControlTotal, Note, TokenState

COUNTS = ResourceCounts("claim", records=200, quarantined=1, parquet_rows=199, superseded=2, warehouse_rows=197)
TOTAL = ControlTotal("claim", "claim_currency_total", "gross_amount", "AUD", 3, Decimal("10.10"))


def judged(**changes: object):
    arguments = {
        "counts": [COUNTS], "page_totals": [TOTAL], "parquet_totals": [TOTAL], "loaded_totals": [TOTAL],
        "key_problems": [], "max_quarantined_percent": 1.0,
        "roots": ["company"], "element_counts": {"claim_approver": 7}, "loaded_rows": {"claim_approver": 7},
    } | changes  # fmt: skip
    return {result.name: result for result in judge(**arguments)}


def test_a_sound_run_passes_every_check():
    """Nothing is refused, and each detail says what was compared."""
    results = judged()
    assert not refusals(results.values())
    assert results["rows_pages_equal_parquet_equal_warehouse"].detail == "200 records accounted for"


@pytest.mark.parametrize(
    ("changes", "name", "named"),
    [
        ({"counts": [ResourceCounts("claim", 200, 0, 199, 2, 197)]}, "rows_pages_equal_parquet_equal_warehouse", "200 served"),
        ({"counts": [ResourceCounts("claim", 200, 1, 199, 2, 198)]}, "rows_pages_equal_parquet_equal_warehouse", "198 in the"),
        ({"parquet_totals": [], "loaded_totals": []}, "money_pages_equal_parquet", "nothing"),
        ({"loaded_totals": [ControlTotal("claim", "claim_currency_total", "gross_amount", "AUD", 3, Decimal("10.11"))]},
         "money_parquet_equals_warehouse", "10.10 in 3 values against 10.11"),
        ({"loaded_totals": [ControlTotal("claim", "claim_currency_total", "gross_amount", "AUD", 2, Decimal("10.10"))]},
         "money_parquet_equals_warehouse", "in 2 values"),
        ({"loaded_totals": [ControlTotal("claim", "claim_currency_total", "gross_amount", "NZD", 3, Decimal("10.10"))]},
         "money_parquet_equals_warehouse", "NZD"),
        ({"counts": [ResourceCounts("company", 0, 0, 0, 0, 0)]}, "something_was_served", "company: none was served"),
        ({"counts": [ResourceCounts("claim", 9, 0, 9, 0, 9)], "loaded_rows": {"claim_approver": 6}},
         "list_elements_parquet_equal_warehouse", "claim_approver: 7 in Parquet, 6 in the warehouse"),
        ({"loaded_rows": {"claim_approver": 8}}, "list_elements_parquet_equal_warehouse", "8 in the warehouse"),
        ({"key_problems": [KeyProblems("claim", 0, 1)]}, "keys_unique_and_present", "1 not unique"),
        ({"counts": [ResourceCounts("claim", 99, 1, 98, 0, 98)]}, "quarantine_within_limit", "1 of 99"),
    ],
)  # fmt: skip
def test_each_required_check_refuses_and_says_why(changes, name, named):
    """A cent, a row or a key that does not agree refuses the publication and is named."""
    result = judged(**changes)[name]
    assert (result.required, result.passed) == (True, False)
    assert named in result.detail


def test_unknown_fields_are_told_but_do_not_refuse():
    """Drift is kept in `_extra`; the night is still good."""
    notes = [Note("claim", "colour", "unknown_field", 7), Note("claim", "toDate", "precision_reduced", 2)]
    results = {one.name: one for one in (fields_known(notes), values_as_sent(notes))}
    assert not refusals(results.values())
    assert "claim.colour (7 records)" in results["fields_known"].detail
    assert not results["fields_known"].passed
    assert "claim.toDate" in results["values_as_documented"].detail


@pytest.mark.parametrize(
    ("days", "warning", "detail"),
    [
        (None, None, "its expiry is not known"),
        (60, None, "60 days left"),
        (59, "it ages", "it ages; `prospend token show --renewal` tells how"),
    ],
)
def test_an_ageing_token_is_told(days, warning, detail):
    """Once a warning is due each run says so, and how to renew; an unknown expiry is no reason to."""
    result = token_lasts(TokenState(None, days, is_assumed=False, warning=warning))
    assert result == CheckResult("token_lasts", required=False, passed=warning is None, detail=detail)


def test_long_details_are_cut_and_counted():
    """A detail names a few and counts the rest."""
    detail = judged(key_problems=[KeyProblems(f"t{n}", 1, 0) for n in range(9)])["keys_unique_and_present"].detail
    assert "and 4 more" in detail


def test_what_reading_showed_is_told_and_refuses_nothing():
    """Order, rechecks and hidden records are advisory: what was read is stored as it is."""
    fine = (lists_in_order((), {}), rechecks_agree({"expense": 3}, {"expense": 0}), nothing_hidden({"claim": 0}))
    assert all(one.passed and not one.required for one in fine)
    told = (
        lists_in_order(
            {"invoice", "claim"}, {"invoice": "change times go back", "project": "a record has no change time"}
        ),
        rechecks_agree({"expense": 3}, {"expense": 2, "invoice_line": 0}),
        nothing_hidden({"claim": 0, "supplier": 4}),
    )
    assert not any(one.passed or one.required for one in told)
    assert told[0].detail.startswith("claim: change times go back")
    assert told[0].detail.count("invoice") == 1
    assert told[0].detail.endswith("project: read page after page, because a record has no change time")
    assert told[1].detail == "expense: 2 differ under records that had not changed"
    assert told[2].detail == "supplier: 4 records answer but are not listed"
