"""Even draws that depend on nothing but a seed, a name and a row's number: no generator state, no order of calls.

Any attribute of any row can be asked for alone, in any block, in any process, and comes out the same: only wrapping
64-bit integer arithmetic is used, which numpy defines alike on every machine. Not here: what a draw means.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.signedinteger[Any]]
"""Whole numbers: kept narrow in columns, 64 bits wide in arithmetic."""
Mask = NDArray[np.bool_]

# The odd constant of a Weyl sequence and the two multipliers of the SplitMix64 finaliser.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S32 = (np.uint64(n) for n in (27, 30, 31, 32))


@lru_cache(maxsize=1024)
def _salt(seed: int, subject: str, attribute: str) -> np.uint64:
    digest = hashlib.blake2b(f"{seed}/{subject}/{attribute}".encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


class Draws:
    """All draws about one subject (claims, say) under one seed."""

    __slots__ = ("_seed", "_subject")

    def __init__(self, seed: int, subject: str) -> None:
        self._seed = seed
        self._subject = subject

    def bits(self, attribute: str, rows: Ints) -> NDArray[np.uint64]:
        """64 even bits for each row number."""
        mixed = rows.astype(np.uint64) * _STEP + _salt(self._seed, self._subject, attribute)
        mixed = (mixed ^ (mixed >> _S30)) * _FIRST
        mixed = (mixed ^ (mixed >> _S27)) * _SECOND
        return mixed ^ (mixed >> _S31)

    def below(self, attribute: str, rows: Ints, bound: int | Ints) -> Ints:
        """A number in [0, bound) for each row; `bound` is under 2**31, one for all or one a row."""
        high = self.bits(attribute, rows) >> _S32
        return ((high * np.asarray(bound).astype(np.uint64)) >> _S32).astype(np.int64)

    def chance(self, attribute: str, rows: Ints, per_mille: int | Ints) -> Mask:
        """True for about `per_mille` of a thousand rows."""
        return self.below(attribute, rows, 1000) < per_mille

    def weighted(self, attribute: str, rows: Ints, weights: tuple[int, ...]) -> Ints:
        """An index into `weights`, each as often as its weight says."""
        ends = np.cumsum(np.array(weights, dtype=np.int64))
        return np.searchsorted(ends, self.below(attribute, rows, int(ends[-1])), side="right").astype(np.int64)

    def skewed(self, attribute: str, rows: Ints, bound: int | Ints) -> Ints:
        """A number in [0, bound), small ones far more often than great ones (the square of an even draw)."""
        even = (self.bits(attribute, rows) >> np.uint64(44)).astype(np.int64)
        return (((even * even) >> 20) * np.asarray(bound, dtype=np.int64)) >> 20
