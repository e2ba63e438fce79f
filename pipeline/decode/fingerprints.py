"""The fingerprint of a record: a short hash of its bytes as sent. Two equal ones stand for one record, unchanged."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import pyarrow as pa

from pipeline.model import Page

_BYTES = 8  # one BIGINT; two versions of one record share it once in 10^19


def fingerprint(record: bytes) -> int:
    """The fingerprint of one record, a signed 64-bit integer; spacing and order of fields count."""
    return int.from_bytes(blake2b(record, digest_size=_BYTES).digest(), "little", signed=True)


def fingerprints(records: Iterable[bytes]) -> array[int]:
    """The fingerprint of every record."""
    joined = array("q", b"".join([blake2b(record, digest_size=_BYTES).digest() for record in records]))
    if sys.byteorder == "big":
        joined.byteswap()
    return joined


def fingerprint_column(pages: Iterable[Page]) -> pa.Array[Any]:
    """The fingerprint of every record of some pages, as one column; what a page brings along is not made again."""
    joined = array("q")
    for page in pages:
        joined += fingerprints(page.records) if page.marks is None else page.marks
    return pa.Array.from_buffers(pa.int64(), len(joined), [None, pa.py_buffer(joined)])
