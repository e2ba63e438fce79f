"""Through a proxy that the settings name: the token stays inside the tunnel. Proxies of the environment do not count."""

from __future__ import annotations

import base64
import socket
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from connect_proxy import connect_proxy
from session_world import CLAIMS, Jumping, asked
from test_session_boundary import Leading, all_told

import pipeline
from pipeline.errors import ConfigError, SecurityStop, SourceUnavailable
from pipeline.ops.surroundings import ignored
from pipeline.sandbox.authority import certificates
from pipeline.sandbox.faults import plan


async def once(session):
    return await session.send(CLAIMS)


def forms(token: str) -> list[bytes]:
    """The token as it is, its segments, and base64 of it."""
    return [one.encode() for one in (token, *token.split("."), base64.b64encode(token.encode()).decode())]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_source_is_read_through_a_tunnel_and_the_token_is_not_seen(sandbox, authority, scheme):
    """The proxy learns host and port of the source, and nothing of what passes."""
    tls = certificates(authority, datetime.now(UTC))[1] if scheme == "https" else None
    with connect_proxy(tls=tls) as proxy:
        direct = asked(sandbox, once).body
        assert asked(sandbox, once, proxy=proxy.url).body == direct
    source = urlsplit(sandbox.base_url).netloc
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT {source} HTTP/1.1\r\n".encode())
    assert b"authorization" not in head.lower()
    assert len(proxy.sent) > 300
    assert len(proxy.received) > 1000
    for form in forms(sandbox.token):
        assert form not in proxy.everything
    assert direct[:40] not in proxy.everything


def test_a_tunnel_is_kept_for_many_requests(sandbox):
    """One CONNECT a connection, not a request."""

    async def act(session):
        for _ in range(20):
            await session.send(CLAIMS)

    with connect_proxy() as proxy:
        asked(sandbox, act, proxy=proxy.url)
    assert len(proxy.heads) == 1
    assert sandbox.journal.counts.requests == 20


@pytest.mark.parametrize("flaw", ["tls-wrong-name", "tls-self-signed", "tls-expired"])
def test_the_certificate_is_the_source_s(sandbox, flaw):
    """Verified against the source's name through the tunnel: a proxy cannot stand in for it. Exit 22."""
    sandbox.faults(plan(flaw))
    with connect_proxy() as proxy, pytest.raises(SecurityStop, match="is not trusted") as caught:
        asked(sandbox, once, proxy=proxy.url)
    assert urlsplit(sandbox.base_url).netloc in caught.value.what
    assert sandbox.journal.counts.statuses == {}


def test_an_untrusted_proxy_is_named(sandbox, authority, tmp_path):
    """The certificate of a proxy that speaks TLS is verified, too."""
    tls = certificates(tmp_path, datetime.now(UTC))[1]
    with connect_proxy(tls=tls) as proxy, pytest.raises(SecurityStop, match="is not trusted") as caught:
        asked(sandbox, once, proxy=proxy.url)
    assert urlsplit(proxy.url).netloc in caught.value.what
    assert proxy.heads == []


def answer(status: int, body: bytes = b"<html>no</html>") -> bytes:
    head = f"HTTP/1.1 {status} Word\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    ("said", "error", "what", "do"),
    [
        (answer(407), ConfigError, "asks for a user name and password (407)", "by its address"),
        (answer(403), ConfigError, "refuses to open a way to the source (403)", "allowed on the proxy"),
        (answer(405), ConfigError, "(405)", "CONNECT"),
        (answer(302), ConfigError, "(302)", "CONNECT"),
        (answer(204, b""), ConfigError, "(204)", "CONNECT"),
        (b"SSH-2.0-server\r\n\r\n", ConfigError, "does not answer as an HTTP proxy", "CONNECT"),
        (answer(200), SourceUnavailable, "opened no way to", "run again"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Filler: x\r\n" * 5000 + b"\r\n", SecurityStop, "headers", "attack"),
        (answer(502), SourceUnavailable, "answered 502 (3 times)", "run again"),
        (answer(503), SourceUnavailable, "answered 503 (3 times)", "run again"),
        (b"HTTP/1.1 ", SourceUnavailable, "closed the connection (3 times)", "run again"),
    ],
)  # fmt: skip
def test_what_a_proxy_refuses_is_told_as_the_proxy_s(sandbox, said, error, what, do):
    """Exit 10 where a person must act, 20 where it may pass, 22 where it looks like an attack; the source sees nothing."""
    with connect_proxy(said) as proxy, pytest.raises(error) as caught:
        asked(sandbox, once, Jumping(), hangs=True, proxy=proxy.url, attempts=3)
    assert what in caught.value.what
    assert do in caught.value.do
    assert sandbox.journal.counts.requests == 0
    told = all_told(caught.value)
    assert sandbox.token not in told
    assert "<html>" not in str(caught.value.lines())
    if error is ConfigError:
        assert caught.value.where == "api.proxy"
        assert urlsplit(proxy.url).netloc in caught.value.what


def test_a_proxy_that_says_nothing_is_bounded_by_the_connect_deadline(sandbox):
    """A connection, the tunnel, TLS through it: each within the deadline for connecting. Exit 20."""
    with connect_proxy(b"") as proxy, pytest.raises(SourceUnavailable, match=r"through the proxy .* in time"):
        asked(sandbox, once, Jumping(), hangs=True, proxy=proxy.url, attempts=1, connect_timeout_s=0.1)


def test_an_unreachable_proxy_is_named(sandbox):
    """Exit 20: refused, or no such name. The source itself would be there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for proxy, what in (
        (f"http://127.0.0.1:{port}", f"no connection to the proxy 127.0.0.1:{port}"),
        ("http://proxy.invalid:3128", "the name proxy.invalid of the proxy cannot be resolved"),
    ):
        with pytest.raises(SourceUnavailable) as caught:
            asked(sandbox, once, Jumping(), proxy=proxy, attempts=2)
        assert what in caught.value.what
    assert sandbox.journal.counts.requests == 0


def test_a_proxy_may_stand_in_a_private_network(sandbox):
    """Whoever names a proxy has chosen it; the rule against rebinding is for names that we resolve for the source."""
    with connect_proxy() as proxy:
        port = urlsplit(proxy.url).port
        named = f"http://proxy.example.com:{port}"
        assert asked(sandbox, once, proxy=named, resolver=Leading("127.0.0.1")).body
        with pytest.raises(SecurityStop, match="resolves to a loopback address"):
            asked(sandbox, once, base_url="https://api.example.com:1", resolver=Leading("127.0.0.1"))


# ---- what the environment names ---------------------------------------------------------------------------------------

NAMES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy")


def test_proxies_logins_and_key_logs_of_the_environment_are_not_obeyed(sandbox, site, tmp_path, monkeypatch):
    """A whole run goes straight to the source; what was ignored is told once, by name and never by value."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login thief password hunter2\n")
    with connect_proxy() as proxy:
        for name in NAMES:
            monkeypatch.setenv(name, proxy.url.replace("//", "//user:hunter2@"))
        monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        events = []
        report = pipeline.nightly.run(site, observe=events.append)
    assert report.exit_code == 0
    assert proxy.heads == []
    assert not (tmp_path / "keys").exists()
    (told,) = [event for event in events if type(event).__name__ == "SurroundingsIgnored"]
    assert told.names == ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NETRC", "SSLKEYLOGFILE", "~/.netrc")
    assert "hunter2" not in repr(events)


def test_nothing_is_told_where_nothing_is_ignored(tmp_path):
    """An empty variable is none, and a home without logins holds none."""
    assert ignored({"HTTPS_PROXY": "", "HOME": str(tmp_path), "PATH": "/bin"}) == ()
    assert ignored({"HOME": "\0"}) == ()


def test_the_command_line_tells_what_it_ignores(prospend, site_file):
    """One line, in a run that is not quiet; a quiet one, as under cron, says nothing of it."""
    told = prospend("run", "--config", site_file, HTTPS_PROXY="http://user:hunter2@proxy.invalid:1")
    assert told.code == 0, told.err
    assert "ignored: HTTPS_PROXY (only the settings count; a proxy is named by api.proxy)" in told.err
    assert "hunter2" not in told.err + told.out
    assert prospend("run", "--quiet", "--config", site_file, HTTPS_PROXY="http://proxy.invalid:1").err == ""


def test_a_whole_run_goes_through_the_proxy_of_the_settings(prospend, sandbox, site_file):
    """From the file to a published warehouse; every request the source saw went through the tunnels."""
    with connect_proxy() as proxy:
        done = prospend("run", "--quiet", "--config", site_file, PROSPEND__API__PROXY=proxy.url)
    assert done.code == 0, done.err
    assert proxy.heads
    assert {head.split()[0] for head in proxy.heads} == {b"CONNECT"}
    for form in forms(sandbox.token):
        assert form not in proxy.everything
    assert Path(site_file.parent / "data" / "warehouse.duckdb").is_symlink()
