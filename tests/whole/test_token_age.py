"""A token that nears its expiry, by the real command: its facts, warnings, and the refusal at the start."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pipeline.sandbox import tokens

KEYS = [
    "source",
    "is_jwt",
    "algorithm",
    "id",
    "subject",
    "site",
    "site_claim",
    "issued_at",
    "expires_at",
    "expiry_is_assumed",
    "days_left",
    "missing",
    "unreadable",
    "in_milliseconds",
    "warning",
    "problem",
    "renewal",
]


def put(site_file, token: str) -> None:
    place = site_file.with_name("token")
    place.write_text(token)
    place.chmod(0o600)


def put_ending_in(sandbox, site_file, left: timedelta) -> datetime:
    """A token that the sandbox accepts and that expires in so long; when exactly."""
    entry = tokens.new(sandbox.settings.state_dir, now=datetime.now(UTC) - tokens.VALIDITY + left)
    put(site_file, entry.text)
    return entry.entry.expires_at


def forged(claims: str) -> str:
    parts = (b'{"alg":"HS256"}', claims.encode(), b"x" * 32)
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def line(told: str, label: str) -> str:
    return re.search(rf"^{label:<10} (.*)$", told, re.MULTILINE)[1]


def test_show_tells_every_fact_and_where_the_token_is(prospend, sandbox, site_file):
    """Algorithm, id, subject, site, place, and that nothing is missing; stable keys as JSON; no request, no token."""
    told = prospend("token", "show", "--config", site_file)
    assert told.code == 0, told.err
    assert line(told.out, "source") == f"[token] file {site_file.with_name('token')}"
    assert line(told.out, "algorithm") == "HS256"
    assert line(told.out, "subject") == "sandbox-admin"
    assert line(told.out, "site") == "sandbox (claim site)"
    assert line(told.out, "missing") == "nothing"
    assert "To renew" not in told.out
    document = json.loads(prospend("token", "show", "--json", "--config", site_file).out)
    assert list(document) == KEYS
    assert (document["algorithm"], document["subject"], document["site"]) == ("HS256", "sandbox-admin", "sandbox")
    assert (document["missing"], document["unreadable"], document["in_milliseconds"]) == ([], {}, [])
    assert (document["warning"], document["renewal"], document["problem"]) == (None, None, None)
    assert sandbox.token not in told.out + json.dumps(document)
    assert sandbox.journal.counts.requests == 0


def test_a_missing_expiry_is_assumed_and_said_so(prospend, site_file):
    """Two years from the issue, with the source of that rule; what is missing is listed by name and meaning."""
    issued = datetime(2026, 1, 1, tzinfo=UTC)
    put(site_file, forged(f'{{"iat":{int(issued.timestamp())}000,"sub":"x"}}'))
    told = prospend("token", "show", "--config", site_file)
    assert told.code == 0, told.err
    assert line(told.out, "expires").startswith('2028-01-01 00:00 UTC (assumed: two years from its issue, "2 years')
    assert line(told.out, "missing") == "site (site; nor an issuer or audience), exp (when it expires)"
    assert "iat (when it was issued) is in milliseconds" in told.out
    document = json.loads(prospend("token", "show", "--json", "--config", site_file).out)
    assert document["expiry_is_assumed"] is True
    assert (document["missing"], document["in_milliseconds"]) == (["site", "exp"], ["iat"])


@pytest.mark.parametrize(
    ("exp", "reason"),
    [
        ('"soon"', "it is text, not a number"),
        ("-5", "it lies before 2015"),
        ("1e300", "it lies more than ten years ahead"),
        ("NaN", "it is not a number"),
        ("7" * 5000, "it has more than 25 digits"),
        ("[" * 500 + "]" * 500, "it is not a number"),
        ('1,"exp":2', "it stands twice"),
    ],
    ids=lambda text: text[:12],
)
def test_an_unreadable_expiry_is_said_to_be(prospend, site_file, exp, reason):
    """Shown with its reason, never a crash, and no reason against anything else."""
    put(site_file, forged(f'{{"sub":"x","exp":{exp}}}'))
    told = prospend("token", "show", "--config", site_file)
    assert told.code == 0, told.err
    assert line(told.out, "unreadable") == f"exp (when it expires): {reason}"
    assert line(told.out, "expires") == "unknown"


def test_the_tokens_own_words_are_shown_and_not_obeyed(prospend, site_file):
    """Control and direction characters are visible, lengths bounded: a token cannot forge a line or flood a screen."""
    put(site_file, forged(json.dumps({"sub": "a\n\x1b[31mexpires    never\u202e", "site": "s" * 9000})))
    told = prospend("token", "show", "--config", site_file)
    assert line(told.out, "subject") == "a\\n\\x1b[31mexpires    never\\u202e"
    assert line(told.out, "expires") == "unknown"
    assert all(len(one) < 200 for one in told.out.splitlines())


def test_a_token_that_ages_is_told_everywhere(prospend, sandbox, site_file, tmp_path):
    """Progress, summary line, check, report, status and `token show`, which adds how to renew; the run publishes."""
    expires_at = put_ending_in(sandbox, site_file, timedelta(days=20, hours=1))
    warning = f"the token expires in 20 days ({expires_at:%Y-%m-%d %H:%M} UTC): renew it within two weeks"
    done = prospend("run", "--config", site_file)
    assert done.code == 0, done.err
    assert warning in done.err.splitlines()[0]
    assert ", token: 20 days left" in done.out.splitlines()[0]
    assert f"note: {warning}; `prospend token show --renewal` tells how (token_lasts)" in done.out
    (saved,) = (tmp_path / "data" / "runs").glob("*/report.json")
    expected = {"expires_at": expires_at.isoformat(), "days_left": 20, "is_assumed": False, "warning": warning}
    report = json.loads(saved.read_bytes())
    assert report["token"] == expected
    assert [one["passed"] for one in report["checks"] if one["name"] == "token_lasts"] == [False]
    status = json.loads(prospend("status", "--json", "--config", site_file).out)
    assert status["token"] == {**expected, "problem": warning}
    assert status["runs"][0]["token"] == expected
    assert f"token: {warning}\n  `prospend token show --renewal`" in prospend("status", "--config", site_file).out
    shown = prospend("token", "show", "--config", site_file).out
    assert warning in shown
    assert "To renew the token:\n 1. sign in to https://[site].prospend.com/" in shown


def test_a_quiet_run_tells_each_milestone_once(prospend, sandbox, site_file):
    """Under cron what is printed is mailed: at the first run after a milestone, then not until the next."""
    put_ending_in(sandbox, site_file, timedelta(days=20, hours=1))
    heard = [prospend("run", "--quiet", "--config", site_file) for _ in range(2)]
    assert [one.code for one in heard] == [0, 0]
    assert "expires in 20 days" in heard[0].err
    assert heard[1].out + heard[1].err == ""
    for report in site_file.with_name("data").glob("runs/*/report.json"):  # as if the two had run a fortnight earlier
        text = report.read_text().replace('"days_left": 20', '"days_left": 34')
        assert '"days_left": 34' in text
        report.write_text(text)
    later = prospend("run", "--quiet", "--config", site_file)
    assert "expires in 20 days" in later.err


def test_without_warn_days_nothing_is_told_but_an_expiry(prospend, sandbox, site_file):
    """0 switches warnings off; a token that has expired is refused all the same, and status says so."""
    text = site_file.read_text()
    site_file.write_text(text.replace("[token]", "[token]\nwarn_days = 0"))
    put_ending_in(sandbox, site_file, timedelta(days=3))
    status = json.loads(prospend("status", "--json", "--config", site_file).out)
    assert (status["token"]["days_left"], status["token"]["warning"], status["token"]["problem"]) == (2, None, None)
    put_ending_in(sandbox, site_file, timedelta(days=-3))
    status = json.loads(prospend("status", "--json", "--config", site_file).out)
    assert status["token"]["warning"].startswith("URGENT: the token expired at ")
    assert prospend("run", "--config", site_file).code == 11


def test_a_token_that_would_die_in_mid_walk_is_refused_at_the_start(prospend, sandbox, site_file):
    """Exit 11 before any request: the moment in UTC and in the site's zone, the place, and where to read how to renew."""
    expires_at = put_ending_in(sandbox, site_file, timedelta(minutes=30))
    done = prospend("run", "--config", site_file)
    assert done.code == 11, done.err
    local = expires_at.astimezone(ZoneInfo("Australia/Sydney"))
    moment = f"{expires_at:%Y-%m-%d %H:%M} UTC ({local:%Y-%m-%d %H:%M %Z})"
    assert f"the token expires at {moment}, before a run would end (about 20" in done.lines["WHAT"]
    assert str(site_file.with_name("token")) in done.lines["WHERE"]
    assert "`prospend token show --renewal` gives each step" in done.lines["DO"]
    assert sandbox.journal.counts.requests == 0


def test_a_token_that_outlives_the_run_is_only_warned_of(prospend, sandbox, site_file):
    """With a deadline of ten minutes, half an hour is enough: the run publishes and counts hours and minutes."""
    put_ending_in(sandbox, site_file, timedelta(minutes=30))
    done = prospend("run", "--config", site_file, PROSPEND__API__RUN_DEADLINE_S="600")
    assert done.code == 0, done.err
    assert re.search(r"URGENT: the token expires in (29|30) minutes", done.err.splitlines()[0])


def test_a_run_is_expected_to_take_as_long_as_the_last_one_and_half(prospend, sandbox, site_file):
    """After a night of two hours a token with two and a half left is refused; after one of ninety minutes it is not."""
    assert prospend("run", "--quiet", "--config", site_file).code == 0
    put_ending_in(sandbox, site_file, timedelta(hours=2, minutes=30))
    (saved,) = site_file.with_name("data").glob("runs/*/report.json")
    report = json.loads(saved.read_bytes())
    began = datetime.fromisoformat(report["started_at"])
    for minutes, code in ((120, 11), (90, 0)):
        report["finished_at"] = (began + timedelta(minutes=minutes)).isoformat()
        saved.write_text(json.dumps(report))
        assert prospend("run", "--quiet", "--config", site_file).code == code
