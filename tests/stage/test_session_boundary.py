"""What the session lets in and out: names, clocks, deadlines, a token that changes, and what errors hold."""

from __future__ import annotations

import asyncio
import socket
import traceback
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from aiohttp.abc import AbstractResolver
from session_world import CLAIMS, Jumping, asked
from yarl import URL

from pipeline.auth import Secret
from pipeline.errors import ConfigError, LocalResource, SecurityStop, SourceUnavailable, TokenError
from pipeline.model import Request
from pipeline.sandbox import Reply, Script, Send
from pipeline.sandbox.faults import plan
from pipeline.session.addresses import address_on
from pipeline.session.names import address_class, is_local_name
from pipeline.session.skew import judged_skew

NOW = datetime(2026, 3, 1, 16, 30, tzinfo=UTC)


async def once(session):
    return await session.send(CLAIMS)


class Leading(AbstractResolver):
    """Resolves every name to one address, as a hijacked or rebound name would."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def resolve(self, host, port=0, family=socket.AF_INET):
        return [{"hostname": host, "host": self.address, "port": port, "family": family, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        pass


# ---- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"), ("::1", "loopback"), ("10.1.2.3", "private"), ("192.168.0.9", "private"),
        ("172.16.0.1", "private"), ("169.254.169.254", "link-local"), ("fe80::1%eth0", "link-local"),
        ("fd00::1", "private"), ("0.0.0.0", "unspecified"), ("100.64.0.1", "private"), ("224.0.0.1", "multicast"),
        ("::ffff:127.0.0.1", "loopback"), ("::ffff:10.0.0.1", "private"), ("2002:7f00:1::", "loopback"),
        ("64:ff9b::7f00:1", "loopback"), ("64:ff9b::a00:1", "private"), ("64:ff9b:1::1", "reserved"), ("::7f00:1", "reserved"),
        ("64:ff9b::808:808", None), ("240.0.0.1", "reserved"),
        ("nonsense", "unreadable"), ("8.8.8.8", None), ("2606:4700::1111", None),
    ],
)  # fmt: skip
def test_addresses_are_classed(address, kind):
    """Everything that does not lie on the public internet has a name."""
    assert address_class(address) == kind


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("localhost", True), ("LOCALHOST.", True), ("api.localhost", True), ("nas", True), ("x.local", True),
        ("a.home.arpa", True), ("api.apac.prospend.io", False), ("local.example", False), ("notlocal", True),
        ("evil-local.com", False), ("localhost.evil.com", False),
    ],
)  # fmt: skip
def test_only_names_without_public_meaning_may_lead_inside(host, is_local):
    """A public name that contains the word is still public."""
    assert is_local_name(host) is is_local


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254"])
def test_a_public_name_that_leads_inside_is_refused_before_a_connection(sandbox, address):
    """Rebinding: exit 22, one attempt, and the listener sees neither connection nor token."""
    port = urlsplit(sandbox.base_url).port
    with pytest.raises(SecurityStop) as caught:
        asked(sandbox, once, base_url=f"https://api.example.com:{port}", resolver=Leading(address))
    assert "api.example.com" in caught.value.what
    assert caught.value.where == CLAIMS.label
    assert sandbox.journal.counts.requests == 0


def test_a_local_name_is_the_user_s_choice(sandbox):
    """`localhost` in the settings means this machine, and works."""
    port = urlsplit(sandbox.base_url).port
    assert asked(sandbox, once, base_url=f"https://localhost:{port}").body


# ---- clocks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, None),
        (120, None),
        (-120, None),
        (121, "2 minutes ahead of"),
        (-7200, "2 hours behind"),
        (86_400, "24 hours"),
    ],
)
def test_a_skewed_clock_is_told(seconds, told):
    """More than two minutes are worth a word, up to a day."""
    found = judged_skew(NOW + timedelta(seconds=seconds), NOW)
    assert (found is None) if told is None else (told in found)


@pytest.mark.parametrize("days", [-400, -1.1, 1.1, 30])
def test_a_clock_wrong_by_days_stops_the_run(sandbox, days):
    """Exit 10 after one call: every time the run would write is wrong; both clocks and the remedy are named."""
    with pytest.raises(ConfigError) as caught:
        asked(sandbox, once, Jumping(ahead=timedelta(days=days)))
    assert "ahead of" in caught.value.what if days > 0 else "behind" in caught.value.what
    assert "set the clock" in caught.value.do
    assert sandbox.journal.counts.requests == 1


def test_advice_on_the_clock_is_given_once(sandbox):
    """Judged on the first answer that tells the time, not on each."""

    async def act(session):
        await session.send(CLAIMS)
        await session.send(CLAIMS)
        return session.advice

    (told,) = asked(sandbox, act, Jumping(ahead=timedelta(minutes=10)))
    assert "10 minutes ahead" in told
    assert asked(sandbox, act) == []


# ---- deadlines ------------------------------------------------------------------------------------------------------


def test_the_run_s_deadline_ends_whatever_waits(sandbox):
    """Silence is cut by the run's own deadline: exit 30, the setting is named."""
    sandbox.faults(plan("silence"))
    with pytest.raises(LocalResource) as caught:
        asked(sandbox, once, hangs=True, run_deadline_s=0.3)
    assert "time budget" in caught.value.what
    assert "api.run_deadline_s" in caught.value.do


def test_a_byte_a_second_is_bounded_by_the_request_deadline(sandbox):
    """Each byte in time, the whole not: the read deadline never strikes, the request's does."""
    sandbox.faults(plan("slow-body:seconds=0.05"))
    with pytest.raises(SourceUnavailable) as caught:
        asked(sandbox, once, read_timeout_s=5.0, request_timeout_s=0.4, attempts=2)
    assert "did not answer in time (2 times)" in caught.value.what


def test_silence_is_bounded_by_the_read_deadline(sandbox):
    """Nothing comes: the read deadline strikes long before the request's."""
    sandbox.faults(plan("silence:at=20"))
    with pytest.raises(SourceUnavailable) as caught:
        asked(sandbox, once, hangs=True, read_timeout_s=0.2, attempts=2)
    assert "did not answer in time (2 times)" in caught.value.what


# ---- the token ------------------------------------------------------------------------------------------------------


def test_a_renewed_token_is_read_again_once_and_used_by_all(sandbox):
    """The old token is revoked while many requests are under way: one reads the new one, all are answered."""
    good, reads = sandbox.token, []

    def renew() -> Secret:
        reads.append(1)
        return Secret(good)

    async def act(session):
        session.token = Secret(good[:-4] + "AAAA")
        return await asyncio.gather(*(session.send(CLAIMS) for _ in range(8)))

    answers = asked(sandbox, act, renew=renew)
    assert len(answers) == 8
    assert len(reads) == 1
    assert sandbox.journal.counts.statuses[200] == 8


@pytest.mark.parametrize("again", ["same", "other"])
def test_a_second_refusal_stands(sandbox, again):
    """The same token is not sent again; another one that is refused too ends the run. Exit 11."""
    head = sandbox.token[:-4]

    async def act(session):
        session.token = Secret(head + "AAAA")
        return await session.send(CLAIMS)

    with pytest.raises(TokenError, match="401"):
        asked(sandbox, act, renew=lambda: Secret(head + ("AAAA" if again == "same" else "BBBB")))
    assert sandbox.journal.counts.requests == (1 if again == "same" else 2)


def test_without_a_place_to_read_again_a_refusal_stands(sandbox):
    """One call, exit 11."""
    sandbox.revoke()
    with pytest.raises(TokenError) as caught:
        asked(sandbox, once)
    assert caught.value.where == CLAIMS.label
    assert sandbox.journal.counts.requests == 1


def test_no_permission_is_another_matter(sandbox):
    """403 is no reason to read the token again."""
    sandbox.force("/beta/company/1/claim", 403)
    with pytest.raises(Exception, match="403") as caught:
        asked(sandbox, once, renew=lambda: pytest.fail("read again"))
    assert caught.value.exit_code == 12


# ---- what an error holds --------------------------------------------------------------------------------------------


def all_told(error: BaseException) -> str:
    """Traceback, locals, causes and contexts as the most talkative reporter would print them."""
    parts = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None:
            parts += traceback.TracebackException.from_exception(one, capture_locals=True).format(chain=False)
            waiting += [one.__cause__, one.__context__]
    return "\n".join(line for line in "".join(parts).splitlines() if "sandbox = " not in line)


BREAKING = {
    "dropped": lambda sandbox: sandbox.faults(plan("reset")),
    "cut": lambda sandbox: sandbox.faults(plan("cut-body")),
    "not HTTP": lambda sandbox: sandbox.faults(plan("two-lengths")),
    "certificate": lambda sandbox: sandbox.faults(plan("tls-self-signed")),
    "refused": lambda sandbox: sandbox.revoke(),
    "echoed as a type": lambda sandbox: sandbox.answer_with(
        "/beta", Reply(200, b"[]", (("Content-Type", f"text/{sandbox.token}"),))
    ),
    "echoed as a coding": lambda sandbox: sandbox.answer_with(
        "/beta", Reply(200, b"[]", (("Content-Type", "application/json"), ("Content-Encoding", sandbox.token)))
    ),
    "echoed as a character set": lambda sandbox: sandbox.answer_with(
        "/beta", Reply(200, b"[]", (("Content-Type", f"application/json; charset={sandbox.token}"),))
    ),
    "echoed as a place": lambda sandbox: sandbox.answer_with(
        "/beta", Reply(302, b"", (("Location", f"https://evil.example/{sandbox.token}"),))
    ),
    "echoed as a reason": lambda sandbox: sandbox.answer_with(
        "/beta", Script((Send(f"HTTP/1.1 402 {sandbox.token}\r\nContent-Length: 0\r\n\r\n".encode()),))
    ),
    "echoed as nonsense": lambda sandbox: sandbox.answer_with(
        "/beta", Script((Send(f"{sandbox.token}\r\n{sandbox.token}: x\r\n\r\n".encode()),))
    ),
    "echoed as a wait": lambda sandbox: sandbox.answer_with(
        "/beta", Reply(503, b"", (("Retry-After", sandbox.token), ("Date", sandbox.token)))
    ),
    "echoed": lambda sandbox: sandbox.answer_with(
        "/beta", Reply(418, b"", (("X-Echo", f"Bearer {sandbox.token}"), ("Content-Type", "application/json")))
    ),
}


@pytest.mark.parametrize("how", BREAKING)
def test_no_error_holds_the_token(sandbox, how):
    """Not the error, its cause or context, nor any local variable of any frame in its traceback; in debug mode too."""
    BREAKING[how](sandbox)
    with pytest.raises(Exception) as caught:

        async def act(session):
            asyncio.get_running_loop().set_debug(True)
            return await session.send(CLAIMS)

        asked(sandbox, act, attempts=2)
    told = all_told(caught.value)
    assert sandbox.token not in told
    assert sandbox.token[:20] not in str(caught.value.lines())
    assert "aiohttp" not in told.replace("aiohttp.", "").replace("<aiohttp", "")
    error: BaseException | None = caught.value
    while error is not None:
        assert type(error).__module__.startswith("pipeline.")
        error = error.__context__


def test_the_run_s_deadline_holds_no_token(sandbox):
    """Nor does any error that led to it: the frames that were cut off held the headers."""
    sandbox.faults(plan("silence"))
    with pytest.raises(LocalResource) as caught:
        asked(sandbox, once, hangs=True, run_deadline_s=0.3)
    told = all_told(caught.value)
    assert sandbox.token not in told


def test_a_cancelled_request_holds_no_token(sandbox):
    """An interrupted run's traceback ends at our own door."""
    sandbox.faults(plan("silence"))

    async def act(session) -> str:
        task = asyncio.create_task(session.send(CLAIMS))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        return all_told(caught.value)

    assert sandbox.token not in asked(sandbox, act, hangs=True)


def test_a_bug_below_holds_no_token_and_says_where_it_arose(sandbox):
    """An error of aiohttp's that is not one of its own classes is not translated, but its frames go too."""

    async def act(session):
        await session.http.close()
        return await session.send(CLAIMS)

    with pytest.raises(RuntimeError, match="closed") as caught:
        asked(sandbox, act)
    told = all_told(caught.value)
    assert sandbox.token not in told
    assert "raised in _request, client.py line" in told


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/x", "/a/../b", "/a/./b", "/a\\b", "a/b", "", "https://evil.example/", "/a/%2e%2E/b", "/a/.%2e",
        "/a//b", "/a/", "/", "/a\r\nX: y", "/a\n", "/a b", "/a?b", "/a#b", "/%zz", "/a%", "/caf\u00e9", "/a\0",
    ],
)  # fmt: skip
def test_a_path_that_could_leave_the_origin_is_refused(sandbox, path):
    """Before a socket opens."""

    async def act(session):
        return await session.send(Request(path, (), "claim", "here"))

    with pytest.raises(SecurityStop):
        asked(sandbox, act)
    assert sandbox.journal.counts.requests == 0


@pytest.mark.parametrize(
    ("base_url", "host", "port"),
    [
        ("https://api.example", "api.example", 443),
        ("https://API.Example:443", "api.example", 443),
        ("https://api.example:8443", "api.example", 8443),
        ("https://[2606:4700::1111]:8443", "2606:4700::1111", 8443),
        ("https://b\u00fccher.example", "b\u00fccher.example", 443),
    ],
)
def test_every_request_lies_on_the_origin_named(base_url, host, port):
    """Host, port and scheme are those of the settings, however they are written; path and query are as given."""
    request = Request("/beta/company/a%2Fb/claim", (("limit", "5"), ("cursor", "a=&#/+ \u00e9")), "claim", "here")
    url = address_on(URL(base_url), request)
    assert (url.scheme, url.host, url.port) == ("https", host, port)
    assert url.raw_path == "/beta/company/a%2Fb/claim"
    assert url.raw_query_string == "limit=5&cursor=a%3D%26%23%2F%2B%20%C3%A9"
