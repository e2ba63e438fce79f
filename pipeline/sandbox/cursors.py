"""Cursors: where a walk stands, as a text that nobody else can make and that is good for one list and its filters.

Pure: the time comes with the request.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass
from typing import Final

from pipeline.sandbox.routes import Refused

INVALID_CURSOR: Final = "Invalid cursor. Please use the value of nextCursor with the same filters."
_PLACE: Final = struct.Struct(">qIII")
_MAC_BYTES: Final = 13  # with the place, a number of bytes that needs no padding


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page begins: after the row with this key, and past so many injected records.

    `page` counts the pages before it, `issued_s` is when the cursor was given out, in Unix seconds; both are 0 where
    cursors do not expire, so that the same question gets the same bytes.
    """

    after: int = -1
    skipped: int = 0
    page: int = 0
    issued_s: int = 0


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long cursors are good: for some seconds, and for the first pages of a walk; None is for ever."""

    seconds: int | None = None
    pages: int | None = None

    def stamp(self, page: int, now_s: int) -> tuple[int, int]:
        """What a cursor given out now must remember of its page and of the time."""
        return (page if self.pages is not None else 0, now_s if self.seconds is not None else 0)

    def check(self, position: Position, now_s: int) -> None:
        """Let a cursor pass that is not too old.

        Raises:
            Refused: 400, it has expired.
        """
        too_old = self.seconds is not None and now_s - position.issued_s > self.seconds
        too_far = self.pages is not None and position.page > self.pages
        if too_old or too_far:
            raise Refused(400, "The cursor has expired. Please start again without a cursor.")


def write_cursor(position: Position, binding: bytes, key: bytes) -> bytes:
    """The text of a position in the list and filters that `binding` names."""
    packed = _PLACE.pack(position.after, position.skipped, position.page, position.issued_s)
    mac = hmac.digest(key, packed + binding, "sha256")[:_MAC_BYTES]
    return base64.urlsafe_b64encode(packed + mac)


def read_cursor(text: str, binding: bytes, key: bytes) -> Position:
    """The position a cursor of ours holds.

    Raises:
        Refused: 400, it was not given out, or for another list or other filters.
    """
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    packed, mac = raw[: _PLACE.size], raw[_PLACE.size :]
    if not hmac.compare_digest(mac, hmac.digest(key, packed + binding, "sha256")[:_MAC_BYTES]):
        raise Refused(400, INVALID_CURSOR)
    return Position(*_PLACE.unpack(packed))
