"""The fingerprint of a record: a short hash of its bytes as sent. Two equal ones stand for one record, unchanged."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import pyarrow as pa

_BYTES = 8  # one BIGINT; two versions of one record share it once in 10^19


def fingerprint(record: bytes) -> int:
    """The fingerprint of one record, a signed 64-bit integer; spacing and order of fields count."""
    return int.from_bytes(blake2b(record, digest_size=_BYTES).digest(), "little", signed=True)


def fingerprints(records: Iterable[bytes]) -> pa.Array[Any]:
    """The fingerprint of every record, as one column."""
    joined = array("q", b"".join(blake2b(record, digest_size=_BYTES).digest() for record in records))
    if sys.byteorder == "big":
        joined.byteswap()
    return pa.Array.from_buffers(pa.int64(), len(joined), [None, pa.py_buffer(joined)])
