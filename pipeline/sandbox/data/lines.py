"""What expenses and invoice lines share: their order under a document, and the last fields of a line."""

from __future__ import annotations

from typing import Final

import numpy as np

from pipeline.sandbox.data.draw import Draws, Ints

_PLACE_BITS: Final = 6
_TIME_BITS: Final = 28  # 2**28 s are eight years: more than lie between the first document and the last update


def line_order(draws: Draws, first_number: Ints, counts: Ints, created: Ints, updated: Ints) -> tuple[Ints, Ints, Ints]:
    """The lines of all documents, sorted by document, last update and place.

    Two in three lines share their document's last update; the others were left alone since some earlier moment.

    Shape:
        in   one row a document: number of its first line, number of lines, creation and last update
        out  one row a line: document, place in it as entered, last update
    """
    document = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    place = np.arange(len(document), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    number = first_number[document] + place
    since, until = created[document].astype(np.int64), updated[document].astype(np.int64)
    zero = int(created.min(initial=np.iinfo(np.int32).max))
    earlier = since + draws.below("updated", number, np.maximum(until - since, 0) + 1)
    at = np.where(draws.chance("left alone", number, 330), earlier, until) - zero
    # One integer a line sorts several times faster than three keys.
    packed = np.sort((document << (_TIME_BITS + _PLACE_BITS)) | (at << _PLACE_BITS) | place)
    at = (packed >> _PLACE_BITS) & ((1 << _TIME_BITS) - 1)
    return packed >> (_TIME_BITS + _PLACE_BITS), packed & ((1 << _PLACE_BITS) - 1), (at + zero).astype(np.int32)


def created_before(draws: Draws, number: Ints, created: Ints, updated: Ints) -> Ints:
    """When each line was entered: with its document or within two hours, and never after its last update."""
    entered: Ints = np.minimum(created + draws.below("entered", number, 7200), updated)
    return entered
