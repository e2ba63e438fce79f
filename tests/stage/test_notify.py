"""Messages leave over verified TLS or stay; no error repeats an address."""

from __future__ import annotations

import pytest
from listening import mail_server, webhook

from pipeline.ops.notify import Message, NotSent, Way, address, ping, send, trusting

MESSAGE = Message("failure", "acme", "acme: no new data, SOURCE (20)", "WHAT   the source\nDO     run again", None, 20)
SECRET = "s3cret-part-of-the-address"


MACHINE = Way(trusting(None))


def knowing(heard) -> Way:
    return Way(trusting(heard.ca_file))


def test_a_webhook_gets_the_message_as_json_with_a_text_for_chats(tmp_path):
    """Kind, site, title, body, run and exit code; `text` is what Slack and Teams show."""
    with webhook(tmp_path) as heard:
        send(MESSAGE, f"{heard.url}/hook", knowing(heard))
    (told,) = heard.messages
    assert told["text"] == f"{MESSAGE.title}\n{MESSAGE.body}"
    assert (told["kind"], told["site"], told["exit_code"], told["run_id"]) == ("failure", "acme", 20, None)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_refuses_or_leads_elsewhere_is_told_without_its_address(tmp_path, status):
    """A redirect is not followed."""
    with webhook(tmp_path) as heard:
        heard.status = status
        with pytest.raises(NotSent, match=f"https: answered {status}") as failed:
            send(MESSAGE, f"{heard.url}/hook/{SECRET}", knowing(heard))
    assert len(heard.posts) == 1
    assert SECRET not in str(failed.value)
    assert failed.value.__cause__ is None


def test_a_server_that_cannot_prove_itself_hears_nothing(tmp_path):
    """The machine's own authorities do not know this one."""
    with webhook(tmp_path) as heard, pytest.raises(NotSent, match="SSLCertVerificationError"):
        send(MESSAGE, f"{heard.url}/{SECRET}", MACHINE)
    assert heard.posts == []


def test_mail_on_this_machine_needs_no_package():
    """Subject, body, both ends."""
    with mail_server() as (port, mails):
        send(MESSAGE, f"smtp://127.0.0.1:{port}/?from=a@example.com&to=b@example.com", MACHINE)
    (mail,) = mails
    for line in (f"Subject: {MESSAGE.title}", "From: a@example.com", "To: b@example.com", "WHAT   the source"):
        assert line in mail


def test_other_addresses_need_apprise_and_say_so(monkeypatch):
    """Without the extra; the address, a secret, is not repeated."""
    with pytest.raises(NotSent, match=r"slack: needs the extra") as failed:
        send(MESSAGE, f"slack://{SECRET}", MACHINE)
    assert SECRET not in str(failed.value)


def test_a_dead_mans_switch_hears_start_and_exit_code(tmp_path):
    """In the manner of Healthchecks; the body is cut to what it keeps."""
    with webhook(tmp_path) as heard:
        ping(f"{heard.url}/ping/", "start", "", knowing(heard))
        ping(f"{heard.url}/ping", "20", "x" * 20_000, knowing(heard))
    assert heard.pings == ["start", "20"]
    assert len(heard.posts[1][1]) == 10_000


def test_an_address_may_stand_in_a_variable():
    """`env:NAME`; one that is not set is told by its name."""
    assert address("env:HOOK", {"HOOK": " https://x \n"}) == "https://x"
    assert address("https://x", {}) == "https://x"
    with pytest.raises(NotSent, match="HOOK is not set"):
        address("env:HOOK", {})


def test_nothing_of_the_environment_decides_where_a_message_goes(tmp_path, monkeypatch):
    """No proxy but the settings', and no log of keys."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "nowhere" / "keys"))
    with webhook(tmp_path) as heard:
        send(MESSAGE, f"{heard.url}/hook", knowing(heard))
        with pytest.raises(NotSent):
            send(MESSAGE, f"{heard.url}/hook", Way(trusting(heard.ca_file), proxy="http://127.0.0.1:1"))
    assert len(heard.messages) == 1


@pytest.mark.parametrize("url", ["https://[x/s3cret", "https://\u2100.example/s3cret", "ftp://s3cret"], ids="abc")
def test_an_address_that_is_none_is_told_and_not_repeated(url):
    """Whatever Python thinks of it."""
    with pytest.raises(NotSent) as failed:
        ping(url, "start", "", MACHINE)
    assert "s3cret" not in str(failed.value)
