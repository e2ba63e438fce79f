"""How to renew a token: the vendor's procedure, with the command for each place a token can be kept."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.auth import Passport, renewal_steps
from pipeline.settings import TOKEN_PLACES, Settings, Site, Storage, Token

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "token-renewal.md").read_text()
OP = ("op", "read", "op://finance/prospend/token")

# Each place as the page shows it, and the command of the third step.
PLACES = {
    "file": (Token(file=Path("/etc/prospend/token")), "install -m 600 /dev/stdin /etc/prospend/token"),
    "env": (Token(env="PROSPEND_TOKEN"), "read -rs PROSPEND_TOKEN && export PROSPEND_TOKEN"),
    "command": (Token(command=OP), None),
    "keyring": (Token(keyring="prospend/my-company"), "keyring set prospend my-company"),
    "credential": (
        Token(credential="prospend-token"),
        "systemd-creds encrypt --name=prospend-token - /etc/credstore.encrypted/prospend-token",
    ),
}


def site_with(token: Token, *, base_url: str = "https://api.apac.prospend.io", source: Path | None = None) -> Settings:
    return Settings(
        site=Site(name="s", base_url=base_url), token=token, storage=Storage(data_dir=Path("data")), source=source
    )


def told(settings: Settings, found: Passport | None = None) -> str:
    return "\n".join(f"{step.text} {step.command or ''}" for step in renewal_steps(settings, found))


def test_every_place_is_covered():
    """A place that the settings learn needs its command here and on the page."""
    assert set(PLACES) == set(TOKEN_PLACES)


@pytest.mark.parametrize("place", PLACES)
def test_the_steps_follow_the_vendors_procedure(place):
    """Admin user and role, New Token, store, check, and the old one is revoked last; the page says the same."""
    token, command = PLACES[place]
    steps = renewal_steps(site_with(token))
    for step, words in zip(
        steps,
        (
            ("https://[site].prospend.com/", "admin user", "admin role"),
            ("Setup > API Tokens > New Token", "copy"),
            ("store it",),
            ("accepts",),
            ("only then revoke the old one", "Setup > API Tokens"),
        ),
        strict=True,
    ):
        assert all(word in step.text for word in words)
    assert steps[2].command == command
    assert "prospend token check" in steps[3].command
    if command is not None:
        assert f"`{command}`" in DOCUMENT


def test_the_token_command_is_shown_without_what_may_be_a_token():
    """It says where to store; an argument that looks like a token, or is very long, is left out."""
    assert "`op read op://finance/prospend/token`" in told(site_with(Token(command=OP)))
    shown = told(site_with(Token(command=("echo", "-n", "eyJhbGciOiJIUzI1NiJ9.x.y", "k=eyJ9", "o" * 101))))
    assert "`echo -n ... ... ...`" in shown
    assert "eyJ" not in shown
    assert "ooo" not in shown


def test_commands_can_be_typed_as_they_stand():
    """Paths and names with blanks are quoted, and the commands name the site's own file."""
    settings = site_with(Token(file=Path("/my token")), source=Path("configs/the site.toml"))
    store, check = (step.command for step in renewal_steps(settings)[2:4])
    assert shlex.split(store)[-1] == "/my token"
    assert shlex.split(check) == ["prospend", "token", "check", "--config", "configs/the site.toml"]
    keyring = renewal_steps(site_with(Token(keyring="a b/c d")))[2].command
    assert shlex.split(keyring) == ["keyring", "set", "a b", "c d"]


def test_a_systemd_credential_is_checked_as_the_unit_would():
    """Outside the unit there are no credentials."""
    check = renewal_steps(site_with(Token(credential="t"), source=Path("s.toml")))[3].command
    assert check == (
        "systemd-run --wait --pipe --same-dir --property=LoadCredentialEncrypted=t prospend token check --config s.toml"
    )


def test_the_old_token_is_named_by_its_issue_and_never_by_its_own_words():
    """The list of the vendor's page shows dates; what a token says of itself could mislead."""
    found = Passport(datetime(2024, 5, 6, tzinfo=UTC), None, subject="press here", site="evil.example", id="x7")
    shown = told(site_with(PLACES["file"][0]), found)
    assert "the one issued on 2024-05-06" in shown
    assert not [text for text in ("press here", "evil", "x7") if text in shown]


@pytest.mark.parametrize(
    ("base_url", "is_here"),
    [
        ("https://127.0.0.1:8443", True), ("https://localhost:1", True), ("https://[::1]:8443", True),
        ("https://api.apac.prospend.io", False), ("https://localhost.example", False),
    ],
)  # fmt: skip
def test_the_sandbox_has_commands_of_its_own(base_url, is_here):
    """Only where the source is on this machine."""
    shown = told(site_with(PLACES["file"][0], base_url=base_url))
    assert ("prospend sandbox token new" in shown) is is_here
    assert ("prospend sandbox token revoke" in shown) is is_here
