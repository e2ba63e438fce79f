"""Tokens and certificates in their state folder: issued, listed, revoked, renewed, and kept from others."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import jwt
import pytest
from cryptography import x509

from pipeline.sandbox import Running, SandboxSettings, authority, in_thread, tokens

NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with in_thread(SandboxSettings(state_dir=tmp_path / "state", claims=20)) as found:
        yield found


def status_with(running: Running, token: str | None) -> int:
    parts = urlsplit(running.base_url)
    trusting = ssl.create_default_context(cafile=str(running.ca_file))
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, context=trusting, timeout=20)
    try:
        connection.request(
            "GET", "/beta/company", headers={} if token is None else {"Authorization": f"Bearer {token}"}
        )
        answered = connection.getresponse()
        answered.read()
        return answered.status
    finally:
        connection.close()


def tampered(token: str) -> str:
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    longer = base64.urlsafe_b64encode(json.dumps({**claims, "exp": claims["exp"] + 1}).encode()).rstrip(b"=").decode()
    return f"{head}.{longer}.{signature}"


def test_a_token_is_what_the_vendor_documents(tmp_path: Path):
    """HS256, two years, the documented header, sub first, no scopes."""
    made = tokens.new(tmp_path, now=NOW, name="dashboards")
    head, body, _ = made.text.split(".")
    assert head == "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    assert list(claims) == ["sub", "iat", "exp", "jti", "site"]
    assert claims["exp"] - claims["iat"] == 2 * 365 * 86_400
    assert claims["iat"] == NOW.timestamp()
    assert tokens.listed(tmp_path) == (made.entry,)
    assert made.entry.state(NOW) == "active"
    assert made.entry.state(NOW + timedelta(days=730)) == "expired"


def test_a_new_token_opens_and_a_revoked_one_does_not_on_the_next_request(running: Running):
    """By whatever process: the server looks at the folder each time."""
    fresh = tokens.new(running.settings.state_dir, now=datetime.now(UTC))
    assert status_with(running, fresh.text) == 200
    program = (
        "import sys, pathlib, datetime; from pipeline.sandbox import tokens; "
        "tokens.revoke(pathlib.Path(sys.argv[1]), sys.argv[2], now=datetime.datetime.now(datetime.UTC))"
    )
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", program, str(running.settings.state_dir), fresh.entry.id]
    subprocess.run(command, check=True, env={"PYTHONPATH": root})
    assert status_with(running, fresh.text) == 401
    assert status_with(running, running.token) == 200
    running.revoke()
    assert status_with(running, running.token) == 401


def test_bad_tokens_get_401(running: Running, tmp_path: Path):
    """Missing, expired, tampered, unsigned, another algorithm, another sandbox's."""
    state_dir = running.settings.state_dir
    secret = tokens.signing_secret(state_dir)
    claims = jwt.decode(running.token, secret, algorithms=["HS256"])
    expired = tokens.new(state_dir, now=datetime.now(UTC) - tokens.VALIDITY)
    foreign = tokens.new(tmp_path / "other", now=datetime.now(UTC))
    for bad in (
        None,
        "",
        "Bearer",
        expired.text,
        tampered(running.token),
        jwt.encode(claims, None, algorithm="none"),
        jwt.encode(claims, secret * 2, algorithm="HS512"),
        jwt.encode({**claims, "jti": "unheard"}, secret, algorithm="HS256"),
        foreign.text,
    ):
        assert status_with(running, bad) == 401
    assert status_with(running, running.token) == 200


def test_revoking_twice_keeps_the_first_time_and_strangers_are_named(tmp_path: Path):
    """An unknown id is a KeyError; the others stay as they were."""
    kept, gone = tokens.new(tmp_path, now=NOW), tokens.new(tmp_path, now=NOW)
    first = tokens.revoke(tmp_path, gone.entry.id, now=NOW + timedelta(hours=1))
    assert tokens.revoke(tmp_path, gone.entry.id, now=NOW + timedelta(hours=2)) == first
    assert first.revoked_at == NOW + timedelta(hours=1)
    assert first.state(NOW) == "revoked"
    assert tokens.listed(tmp_path) == (kept.entry, first)
    with pytest.raises(KeyError):
        tokens.revoke(tmp_path, "unheard", now=NOW)


def test_the_state_folder_is_its_owners_and_holds_no_token(running: Running):
    """Secrets have mode 0600, the folder 0700; of a token only a hash is kept."""
    folder = running.settings.state_dir
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
        assert running.token.encode() not in path.read_bytes()
        assert running.token.rpartition(".")[2].encode() not in path.read_bytes()
    assert running.token not in repr(running)
    assert running.token not in repr(tokens.new(folder, now=NOW))


def test_secret_and_authority_last_and_tokens_survive_a_restart(tmp_path: Path):
    """A second start uses what the first one made."""
    settings = SandboxSettings(state_dir=tmp_path, claims=10)
    with in_thread(settings) as first:
        authority_before = first.ca_file.read_bytes()
    with in_thread(settings) as second:
        assert second.ca_file.read_bytes() == authority_before
        assert status_with(second, first.token) == 200
        assert status_with(second, second.token) == 200


def leaf(state_dir: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((state_dir / "server.pem").read_bytes())


def test_the_certificate_is_renewed_before_it_ends_and_the_authority_stays(tmp_path: Path):
    """Clients keep trusting the file they were given."""
    ca_file, _ = authority.certificates(tmp_path, NOW)
    before, first = ca_file.read_bytes(), leaf(tmp_path)
    authority.certificates(tmp_path, NOW + timedelta(days=300))
    assert leaf(tmp_path) == first
    authority.certificates(tmp_path, NOW + timedelta(days=380))
    assert leaf(tmp_path).not_valid_after_utc > NOW + timedelta(days=700)
    assert ca_file.read_bytes() == before
    authority.certificates(tmp_path, NOW + timedelta(days=3640))
    assert ca_file.read_bytes() != before
    assert leaf(tmp_path).issuer == x509.load_pem_x509_certificate(ca_file.read_bytes()).subject


def test_the_authority_can_vouch_for_loopback_alone(tmp_path: Path):
    """Trusting it endangers nothing else: its names are constrained, critically."""
    ca_file, _ = authority.certificates(tmp_path, NOW)
    certificate = x509.load_pem_x509_certificate(ca_file.read_bytes())
    constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    permitted = {str(name.value) for name in constraints.value.permitted_subtrees or ()}
    assert permitted == {"localhost", "127.0.0.0/8", "::1/128"}
    alternative = leaf(tmp_path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternative.get_values_for_type(x509.DNSName) == ["localhost"]
    assert {str(ip) for ip in alternative.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "::1"}
