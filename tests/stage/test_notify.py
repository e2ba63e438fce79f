"""Messages leave over verified TLS or stay; no error repeats an address."""

from __future__ import annotations

import ssl

import pytest
from listening import mail_server, webhook

from pipeline.ops.notify import Message, NotSent, address, ping, send

MESSAGE = Message("failure", "acme", "acme: no new data, SOURCE (20)", "WHAT   the source\nDO     run again", None, 20)
SECRET = "s3cret-part-of-the-address"


def trusting(heard) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(heard.ca_file))


def test_a_webhook_gets_the_message_as_json_with_a_text_for_chats(tmp_path):
    """Kind, site, title, body, run and exit code; `text` is what Slack and Teams show."""
    with webhook(tmp_path) as heard:
        send(MESSAGE, f"{heard.url}/hook", trusting(heard))
    (told,) = heard.messages
    assert told["text"] == f"{MESSAGE.title}\n{MESSAGE.body}"
    assert (told["kind"], told["site"], told["exit_code"], told["run_id"]) == ("failure", "acme", 20, None)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_refuses_or_leads_elsewhere_is_told_without_its_address(tmp_path, status):
    """A redirect is not followed."""
    with webhook(tmp_path) as heard:
        heard.status = status
        with pytest.raises(NotSent, match=f"https: answered {status}") as failed:
            send(MESSAGE, f"{heard.url}/hook/{SECRET}", trusting(heard))
    assert len(heard.posts) == 1
    assert SECRET not in str(failed.value)
    assert failed.value.__cause__ is None


def test_a_server_that_cannot_prove_itself_hears_nothing(tmp_path):
    """The machine's own authorities do not know this one."""
    with webhook(tmp_path) as heard, pytest.raises(NotSent, match="SSLCertVerificationError"):
        send(MESSAGE, f"{heard.url}/{SECRET}", ssl.create_default_context())
    assert heard.posts == []


def test_mail_on_this_machine_needs_no_package():
    """Subject, body, both ends."""
    with mail_server() as (port, mails):
        send(MESSAGE, f"smtp://127.0.0.1:{port}/?from=a@example.com&to=b@example.com", ssl.create_default_context())
    (mail,) = mails
    for line in (f"Subject: {MESSAGE.title}", "From: a@example.com", "To: b@example.com", "WHAT   the source"):
        assert line in mail


def test_other_addresses_need_apprise_and_say_so(monkeypatch):
    """Without the extra; the address, a secret, is not repeated."""
    with pytest.raises(NotSent, match=r"slack: needs the extra") as failed:
        send(MESSAGE, f"slack://{SECRET}", ssl.create_default_context())
    assert SECRET not in str(failed.value)


def test_a_dead_mans_switch_hears_start_and_exit_code(tmp_path):
    """In the manner of Healthchecks; the body is cut to what it keeps."""
    with webhook(tmp_path) as heard:
        ping(f"{heard.url}/ping/", "start", "", trusting(heard))
        ping(f"{heard.url}/ping", "20", "x" * 20_000, trusting(heard))
    assert heard.pings == ["start", "20"]
    assert len(heard.posts[1][1]) == 10_000


def test_an_address_may_stand_in_a_variable():
    """`env:NAME`; one that is not set is told by its name."""
    assert address("env:HOOK", {"HOOK": " https://x \n"}) == "https://x"
    assert address("https://x", {}) == "https://x"
    with pytest.raises(NotSent, match="HOOK is not set"):
        address("env:HOOK", {})
