"""The token's form, and a holder that tells nobody.

Pure: the environment, file contents and command output come in as arguments (`ops.token_source` fetches them).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from typing import NoReturn

from pipeline.errors import TokenError

# RFC 6750, section 2.1: b64token. Everything else could split a header or is a sign of a bad copy.
_GRAMMAR = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_LONGEST = 16_384


class Secret:
    """A token that does not print, format, pickle or show in `vars`; `reveal()` is the only way to it."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """The token itself, for one header of one request."""
        return self.__text

    def is_same(self, other: Secret) -> bool:
        """Whether both are one token, in a time that does not tell how much of it agrees."""
        return hmac.compare_digest(self.__text, other.reveal())

    def __repr__(self) -> str:
        return "Secret(...)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


def checked_token(raw: str, *, place: str) -> Secret:
    """The token, if it has the form of one.

    Args:
        raw: as found; one trailing line break is allowed, because files and commands end with one.
        place: where it was found, for messages.

    Raises:
        TokenError: empty, or an illegal character; the message gives its position, never its value.
    """
    text = raw.removesuffix("\n").removesuffix("\r")
    if not text:
        raise TokenError("there is no token", where=place)
    if text[:7].lower() == "bearer ":
        raise TokenError(
            "the token begins with 'Bearer '", where=place, do="store the token alone, without the word Bearer"
        )
    if len(text) > _LONGEST:
        raise TokenError(f"the token is longer than {_LONGEST} characters", where=place)
    match = _GRAMMAR.match(text)
    end = match.end() if match else 0
    if end != len(text):
        raise TokenError(
            f"the token has a character that no token has, at position {end + 1} of {len(text)}",
            where=place,
            do="copy the token again, without quotes, spaces or line breaks inside, and run again",
        )
    return Secret(text)


def token_from_environment(name: str, environ: Mapping[str, str]) -> Secret:
    """The token in an environment variable.

    Raises:
        TokenError: unset, empty or malformed.
    """
    place = f"environment variable {name}"
    if not environ.get(name):
        raise TokenError(
            f"{place} is {'empty' if name in environ else 'not set'}",
            where="[token] env",
            do=f"set {name} where this command runs (cron does not read your shell's profile), or use token.file",
        )
    return checked_token(environ[name], place=place)
