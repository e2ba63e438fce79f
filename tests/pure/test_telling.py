"""Which message a night is worth, and which was told before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pipeline.errors import TokenError
from pipeline.model import CheckResult, RunReport, TokenAgeing
from pipeline.telling import Told, after_publication, of_failure

NOW = datetime(2026, 11, 27, 3, 30, tzinfo=UTC)


def report(*checks: CheckResult) -> RunReport:
    return RunReport("20261127T033000Z", "published", 0, NOW, NOW, "w.duckdb", None, 10, (), checks)


def told_after(told: Told, *checks: CheckResult, age=timedelta(hours=24), published=None, ageing=None):
    at = {"data_as_at": NOW - age, "published_at": NOW - (published or age)}
    return after_publication("acme", report(*checks), told, ageing=ageing, **at)


def drift(detail: str) -> CheckResult:
    return CheckResult("fields_known", required=False, passed=False, detail=detail)


def test_a_good_night_after_a_good_night_says_nothing():
    """No news is good news."""
    assert told_after(Told()) == ((), Told())


def test_a_failure_holds_the_four_lines_and_the_age_of_the_data():
    """Whoever reads it on a phone knows what to do."""
    error = TokenError("the token expired", where="[token] file x", state="readers keep what they have", do="renew it")
    message = of_failure("acme", error, NOW)
    assert message.title == "acme: no new data, CREDENTIAL (11)"
    assert [line[:6].strip() for line in message.body.splitlines()] == ["WHAT", "WHERE", "STATE", "DO", "DATA"]
    assert "2026-11-27 03:30 UTC" in message.body
    assert "readers have none yet" in of_failure("acme", error, None).body


def test_a_bug_is_told_without_what_it_said():
    """The text of a foreign error may quote a value of the data."""
    message = of_failure("acme", ValueError("Jane Citizen"), NOW)
    assert (message.exit_code, "Jane" in message.title + message.body) == (70, False)


def test_the_first_night_that_publishes_after_a_failure_says_so():
    """Once: then it is forgotten."""
    (message,), then = told_after(Told(failing=True), age=timedelta(days=3))
    assert (message.kind, then.failing) == ("recovery", False)


def test_nights_in_which_nothing_ran_are_told_by_the_run_after_them():
    """No failure was told, because nothing was there to fail."""
    (message,), _ = told_after(Told(), age=timedelta(hours=49))
    assert message.kind == "missed"
    assert "2026-11-25 02:30 UTC" in message.body


def test_a_rollback_is_no_missed_night():
    """Readers were on a night of last week, and runs have published since."""
    assert told_after(Told(), age=timedelta(days=7), published=timedelta(hours=24)) == ((), Told())


def test_what_is_new_in_the_source_is_told_once_while_it_lasts():
    """Counts move from night to night; a second field is news, and so is the first one when it comes back."""
    (first,), told = told_after(Told(), drift("claim.colour came in 3 records"))
    assert first.kind == "drift"
    assert told_after(told, drift("claim.colour came in 1,204 records")) == ((), told)
    (second,), _ = told_after(told, drift("claim.size came in 3 records"))
    assert "claim.size" in second.body
    _, gone = told_after(told)
    assert gone.drift == ()
    assert len(told_after(gone, drift("claim.colour came in 3 records"))[0]) == 1


def test_each_milestone_of_the_token_is_a_message():
    """The event comes once a milestone."""
    (message,), _ = told_after(Told(), ageing=TokenAgeing("the token expires in 13 days", is_new=True))
    assert message.kind == "token"
    assert "13 days" in message.body


def test_fields_whose_names_differ_in_digits_alone_are_two():
    """And one that goes away does not make the others news."""
    _, told = told_after(Told(), drift("claim.custom1 (3 records); claim.custom2 (1 record)"))
    (message,), _ = told_after(told, drift("claim.custom2 (4 records); claim.custom3 (1 record)"))
    assert "custom3" in message.body
    assert "custom2" not in message.body


def test_a_failure_after_the_publication_says_that_the_data_is_new():
    """Nobody is sent looking for data that is there."""
    error = TokenError("x", where="y", state="z", do="w")
    assert of_failure("acme", error, NOW, is_published=True).title == "acme: new data, but CREDENTIAL (11)"
