"""What a row of the catalogue of faults says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One fault.

    Args:
        title: in a few words.
        exits: every exit code it may end in; 0 is published all the same, complete and equal to the books.
        never: letters of what it puts at risk; `never.NEVER` checks them all in every case.
        also: tests beside the cases, by file and function, each with the exit code it expects.
        but: why this program decides otherwise than such a catalogue would.
    """

    title: str
    exits: tuple[int, ...]
    never: str
    also: Mapping[str, int] = field(default_factory=dict)
    but: str = ""
