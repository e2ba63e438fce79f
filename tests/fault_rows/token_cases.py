"""Faults of the token: where it is, what it looks like, what it says of itself, and who else may read it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import jwt

from fault_rows.case import Case, Scene
from pipeline.sandbox import tokens

OTHER_SIGNING_KEY = "0123456789abcdef0123456789abcdef"


def from_variable(value: str | None):
    """The token is looked for in a variable, which is unset for None; `{}` is the real token."""

    def spoil(scene: Scene) -> None:
        scene.edit(f'file = "{scene.token_file}"', 'env = "MY_TOKEN"')
        if value is not None:
            scene.environ["MY_TOKEN"] = value.format(scene.sandbox.token)

    return spoil


def shaped(change):
    """The token in the file, changed by a function of its text."""
    return lambda scene: scene.give_token(change(scene.sandbox.token))


def after(count: int, extra: str):
    """Something between the characters of the token."""
    return shaped(lambda token: token[:count] + extra + token[count:])


def of_mode(mode: int):
    return lambda scene: scene.token_file.chmod(mode)


def no_file(scene: Scene) -> None:
    scene.token_file.unlink()


def folder_for_a_file(scene: Scene) -> None:
    scene.token_file.unlink()
    scene.token_file.mkdir(mode=0o700)


def saying(*, unit_s: float = 1, **told: object):
    """A token that says this of itself, signed by somebody else: what it says may be read, the source refuses it.

    A `timedelta` is counted from the moment at which the token is given.
    """

    def spoil(scene: Scene) -> None:
        now = datetime.now(UTC)
        claims = {
            name: int((now + one).timestamp() / unit_s) if isinstance(one, timedelta) else one
            for name, one in told.items()
        }
        scene.give_token(jwt.encode({"sub": "x", **claims}, OTHER_SIGNING_KEY, algorithm="HS256"))

    return spoil


def with_payload(payload: bytes):
    """A token with this between its dots, JSON or not."""
    encoded = jwt.utils.base64url_encode(payload).decode()
    return shaped(lambda token: f"{token.split('.')[0]}.{encoded}.{token.split('.')[2]}")


def issued(ago: timedelta):
    """A token that the source issued so long ago: it is good for two years."""

    def spoil(scene: Scene) -> None:
        made = tokens.new(scene.sandbox.settings.state_dir, now=datetime.now(UTC) - ago, name="old")
        scene.give_token(made.text)

    return spoil


NOT_SENT = {"code": 11, "where": "[token]", "calls": 0}
REFUSED = {"code": 11, "what": "refused the token (401)", "where": "company · page 1", "do": "issue a new token"}

CASES = (
    # ---- 7: the variable is not there
    Case(7, "not set", from_variable(None), **NOT_SENT, what="MY_TOKEN is not set", do="cron"),
    Case(7, "empty", from_variable(""), **NOT_SENT, what="MY_TOKEN is empty", do="cron"),
    Case(7, "white space", from_variable(" "), 11, "position 1 of 1", "MY_TOKEN", calls=0),
    Case(7, "no token file", no_file, **NOT_SENT, what="token file", do="store the token there"),
    Case(7, "the token file is a folder", folder_for_a_file, **NOT_SENT, what="token file"),
    Case(7, "the token file is empty", shaped(lambda _: ""), **NOT_SENT, what="there is no token"),
    # ---- 8: the token has no form that a token has
    Case(8, "two line breaks at its end", shaped(lambda token: token + "\n\n"), **NOT_SENT, what="a character that no token has"),
    Case(8, "quotes", shaped(lambda token: f'"{token}"'), **NOT_SENT, what="position 1 of", do="without quotes"),
    Case(8, "the word Bearer", shaped(lambda token: f"Bearer {token}"), **NOT_SENT, what="begins with 'Bearer '",
         do="without the word Bearer"),
    Case(8, "a space before it", after(0, " "), **NOT_SENT, what="position 1 of"),
    Case(8, "a space inside", after(9, " "), **NOT_SENT, what="position 10 of"),
    Case(8, "a line break inside", after(9, "\r\n"), **NOT_SENT, what="position 10 of"),
    Case(8, "NUL inside", after(9, "\0"), **NOT_SENT, what="position 10 of"),
    Case(8, "zero-width space", after(9, "\u200b"), **NOT_SENT, what="byte 10"),
    Case(8, "line separator", after(9, "\u2028"), **NOT_SENT, what="byte 10"),
    Case(8, "byte order mark", after(0, "\ufeff"), **NOT_SENT, what="byte 1"),
    Case(8, "accented letter", after(9, "é"), **NOT_SENT, what="byte 10"),
    Case(8, "an equals sign inside", after(9, "="), **NOT_SENT, what="position 11 of"),
    Case(8, "17,000 characters", shaped(lambda token: token + "A" * 17_000), **NOT_SENT, what="longer than"),
    Case(8, "zero-width space in a variable", from_variable("\u200b{}"), 11, "position 1 of", "MY_TOKEN", calls=0),
    # ---- 9: the token has expired, or does before the run would end
    Case(9, "expired an hour ago", saying(iat=-timedelta(days=730, hours=1), exp=-timedelta(hours=1)), **NOT_SENT,
         what=("the token expired at", "UTC"), do="issue a new token"),
    Case(9, "expires within the hour", saying(exp=timedelta(minutes=50)), **NOT_SENT,
         what=("the token expires at", "before a run would end")),
    Case(9, "issued by the source, expired", issued(timedelta(days=731)), **NOT_SENT, what="the token expired at"),
    Case(9, "ten days left", issued(timedelta(days=720)), 0, what="token"),
    # ---- 10: the token is no JWT, or says nothing readable: the source decides
    Case(10, "no JWT", shaped(lambda _: "not-a-jwt-but-long-enough"), **REFUSED),
    Case(10, "two dots and nothing", shaped(lambda _: ".."), **REFUSED),
    Case(10, "no JSON inside", with_payload(b"\xff{"), **REFUSED),
    Case(10, "an array inside", with_payload(b"[1]"), **REFUSED),
    Case(10, "nesting inside", with_payload(b'{"exp":' + b"[" * 5000 + b"]" * 5000 + b"}"), **REFUSED),
    Case(10, "no expiry", saying(), **REFUSED),
    Case(10, "expiry in milliseconds", saying(unit_s=0.001, exp=timedelta(days=9)), **REFUSED),
    Case(10, "expired in milliseconds", saying(unit_s=0.001, exp=-timedelta(days=9)), **NOT_SENT,
         what="the token expired at"),
    Case(10, "expiry is text", saying(exp="tomorrow"), **REFUSED),
    Case(10, "expiry is negative", saying(exp=-5), **REFUSED),
    Case(10, "expiry is huge", saying(exp=10**30), **REFUSED),
    Case(10, "expiry is no number", with_payload(b'{"exp":NaN}'), **REFUSED),
    Case(10, "expiry has 5,000 digits", with_payload(b'{"exp":' + b"9" * 5000 + b"}"), **REFUSED),
    Case(10, "expiry is null", saying(exp=None), **REFUSED),
    # ---- 11: others can read the token file
    *(Case(11, f"mode {mode:04o}", of_mode(mode), **NOT_SENT, what=f"mode {mode:04o}", do="chmod 0600")
      for mode in (0o644, 0o640, 0o604, 0o620, 0o602)),
)  # fmt: skip
