"""`token show`, `token check` and `sandbox password` as people use them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.sandbox import tokens
from pipeline.sandbox.page import account


def put_token(site_file, token: str) -> None:
    place = site_file.with_name("token")
    place.write_text(token)
    place.chmod(0o600)


def test_show_tells_the_dates_without_a_request(prospend, sandbox, site_file):
    """Issued, expires, days left, for people and as JSON; the source is not asked."""
    told = prospend("token", "show", "--config", site_file)
    assert told.code == 0
    assert re.search(r"^issued     \d{4}-\d\d-\d\d \d\d:\d\d UTC$", told.out, re.MULTILINE)
    assert re.search(r"^expires    \d{4}-\d\d-\d\d \d\d:\d\d UTC$", told.out, re.MULTILINE)
    assert re.search(r"^days left  729$", told.out, re.MULTILINE)
    document = json.loads(prospend("token", "show", "--json", "--config", site_file).out)
    issued, expires = (datetime.fromisoformat(document[name]) for name in ("issued_at", "expires_at"))
    assert expires - issued == timedelta(days=730)
    assert (document["days_left"], document["expiry_is_assumed"]) == (729, False)
    assert sandbox.token not in told.out + json.dumps(document)
    assert sandbox.journal.counts.requests == 0


def test_show_works_with_a_token_that_says_nothing(prospend, site_file):
    """A token need not be one of ours; what it does not say is unknown, not an error."""
    put_token(site_file, "opaque-token")
    told = prospend("token", "show", "--config", site_file)
    assert told.code == 0
    for label in ("algorithm", "id", "subject", "site", "issued", "expires", "days left"):
        assert re.search(rf"^{label:<10} unknown$", told.out, re.MULTILINE)
    assert "missing    everything" in told.out
    assert json.loads(prospend("token", "show", "--json", "--config", site_file).out)["days_left"] is None


def test_check_asks_once_and_tells_what_the_token_sees(prospend, sandbox, site_file):
    """One GET of the list of companies, with the token; every company of the books is named."""
    told = prospend("token", "check", "--config", site_file)
    assert told.code == 0, told.err
    entries = sandbox.journal.entries
    assert [(one.method, one.path, one.query, one.had_token) for one in entries] == [("GET", "/beta/company", "", True)]
    assert f"accepted by {sandbox.base_url}" in told.out
    document = json.loads(prospend("token", "check", "--json", "--config", site_file).out)
    expected = [{"id": one["companyId"], "name": one["name"]} for _, one in sandbox.records("company")]
    assert document["companies"] == expected
    assert all(one["name"] in told.out for one in expected)
    assert (document["accepted"], document["more_companies"]) == (True, False)
    assert sandbox.token not in told.out + json.dumps(document)


def test_check_says_when_there_are_more_companies(prospend, sandbox, site_file):
    """One page is read, and called what it is; a name cannot colour the terminal."""
    sandbox.inject("company", (), [{"companyId": f"X{n}", "name": "Evil \x1b[31mred"} for n in range(12)])
    told = prospend("token", "check", "--config", site_file)
    assert told.code == 0
    assert "companies  10, and there are more" in told.out
    assert "Evil \\x1b[31mred" in told.out
    assert "\x1b" not in told.out


def test_a_revoked_token_is_refused_with_exit_11(prospend, sandbox, site_file):
    """By one request, with what to do about it."""
    sandbox.revoke()
    told = prospend("token", "check", "--config", site_file)
    assert told.code == 11
    assert told.out == ""
    assert "refused the token (401)" in told.lines["WHAT"]
    assert "New Token" in told.lines["DO"]
    assert sandbox.journal.counts.statuses == {401: 1}


def test_an_expired_token_is_refused_before_any_request(prospend, sandbox, site_file):
    """The token says so itself; the source is not asked."""
    old = tokens.new(sandbox.settings.state_dir, now=datetime.now(UTC) - tokens.VALIDITY - timedelta(days=1))
    put_token(site_file, old.text)
    told = prospend("token", "check", "--config", site_file)
    assert told.code == 11
    assert "expired" in told.lines["WHAT"]
    assert sandbox.journal.counts.requests == 0


@pytest.mark.parametrize(("status", "code"), [(403, 12), (404, 21), (503, 20)])
def test_check_makes_one_request_whatever_the_answer(prospend, sandbox, site_file, status, code):
    """It asks, it does not insist: no second attempt even where a run would make one."""
    sandbox.force("/beta/company", status)
    assert prospend("token", "check", "--config", site_file).code == code
    assert sandbox.journal.counts.requests == 1


def test_check_without_a_token_or_a_site_says_what_to_do(prospend, site_file):
    """Nothing to check is an error of its own."""
    site_file.with_name("token").unlink()
    assert prospend("token", "check", "--config", site_file).code == 11
    assert prospend("token", "show", "--config", site_file).code == 11
    assert prospend("token", "check").code == 10


def test_help_of_the_commands_begins_with_examples(prospend):
    """As everywhere."""
    for command in ("token", "token show", "token check", "sandbox password"):
        assert "Examples:" in prospend(*command.split(), "--help").out, command


def test_the_page_password_is_printed_at_the_first_start_only(tmp_path):
    """`sandbox serve` makes it and prints it once; the second start does not know it."""
    state = tmp_path / "state"
    printed = []
    for _ in range(2):
        command = [sys.executable, "-m", "pipeline", "sandbox", "serve", "--claims", "20", "--state", str(state)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as served:
            lines = []
            for line in served.stdout:
                lines.append(line)
                if line.strip().startswith("password"):
                    break
            served.send_signal(signal.SIGTERM)
            served.communicate(timeout=30)
        assert served.returncode == 0
        printed.append("".join(lines))
    found = account.find(state)
    password = re.search(r"password  (\S+)  \(shown this once\)", printed[0])[1]
    assert found.admits(account.USER, password)
    assert account.USER in printed[0]
    assert password not in printed[1]
    assert "prospend sandbox password" in printed[1]


def test_the_page_password_can_be_set(prospend, tmp_path):
    """Random and printed, or given on standard input and not printed; never as an argument."""
    state = tmp_path / "state"
    made = prospend("sandbox", "password", "--state", state)
    assert made.code == 0
    assert account.find(state).admits(account.USER, made.out.strip())
    command = [sys.executable, "-m", "pipeline", "sandbox", "password", "--stdin", "--state", str(state)]
    given = subprocess.run(command, input="a phrase of one's own\n", capture_output=True, text=True, check=True)
    assert given.stdout == ""
    assert account.find(state).admits(account.USER, "a phrase of one's own")
    assert not account.find(state).admits(account.USER, made.out.strip())
    short = subprocess.run(command, input="short\n", capture_output=True, text=True, check=False)
    assert short.returncode == 10
    assert "12 to 128" in short.stderr
    assert account.find(state).admits(account.USER, "a phrase of one's own")
