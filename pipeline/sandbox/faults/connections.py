"""Faults of TLS: what happens to a connection before any request. Pure; `pipeline.sandbox.listener` does it."""

from __future__ import annotations

from random import Random
from typing import Final

from pipeline.sandbox.faults.plan import Certificate, Options
from pipeline.sandbox.model import Close, Script, Send, Wait

_PLAIN: Final = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_GOODBYE_S: Final = 5.0  # for the client to answer before the end
_HELLO_BYTES: Final = 38  # version, random, empty session id, cipher, no compression


def reset(options: Options, draw: Random) -> Script:
    """A reset in answer to the client's first message."""
    del options, draw
    return Script((Close(abort=True),))


def stall(options: Options, draw: Random) -> Script:
    """No answer to the client's first message, for long."""
    del draw
    return Script((Wait(options.number("seconds")), Close()))


def plain_http(options: Options, draw: Random) -> Script:
    """An answer in plain HTTP where TLS should begin."""
    del options, draw
    return Script((Send(_PLAIN), Close()))


def old_protocol(options: Options, draw: Random) -> Script:
    """The first message of a server that speaks nothing newer than TLS 1.1.

    Source: RFC 4346 7.4.1.3, read 2026-11.
    """
    del options
    hello = b"\x03\x02" + draw.randbytes(32) + b"\x00" + b"\xc0\x14" + b"\x00"
    handshake = b"\x02" + _HELLO_BYTES.to_bytes(3) + hello
    record = b"\x16\x03\x02" + len(handshake).to_bytes(2) + handshake
    return Script((Send(record), Wait(_GOODBYE_S), Close()))


def wrong_name(options: Options, draw: Random) -> Certificate:
    """A certificate of a trusted authority, for another host."""
    del options, draw
    return Certificate.WRONG_NAME


def expired(options: Options, draw: Random) -> Certificate:
    """A certificate of a trusted authority that ended yesterday."""
    del options, draw
    return Certificate.EXPIRED


def self_signed(options: Options, draw: Random) -> Certificate:
    """A certificate that no authority signed."""
    del options, draw
    return Certificate.SELF_SIGNED
