"""Processes that open and read while nights are published: no error, no mixture, never back."""

from __future__ import annotations

from pathlib import Path

from killing import ground
from publishing import Seen, published_before_readers

NIGHTS = 20
ONE = {"run_id": "1", "run_id_after": "1", "tables": {"claim": [1, 7]}}
TWO = {"run_id": "2", "run_id_after": "2", "tables": {"claim": [2, 9]}}


def test_readers_see_whole_nights_in_order(authority: Path):
    """Every opening by three processes during twenty publishes shows exactly one published night, none older than before."""
    with ground(authority) as place:
        saw = published_before_readers(place, NIGHTS)
    assert saw.wrong() == []
    assert len(saw.published) == NIGHTS + 1
    for openings in saw.by_reader:
        assert len({told["run_id"] for told in openings}) > NIGHTS // 4


def test_what_readers_must_not_see_is_found():
    """The judge itself: an error, a mixture of two nights, a night that never was, and a step back are told apart."""
    mixed = {**TWO, "tables": ONE["tables"]}
    saw = Seen({"1": ONE, "2": TWO}, [[ONE, TWO, TWO], [TWO, ONE], [mixed, {"error": "no such file"}]])
    assert [one.partition(": ")[2][:20] for one in saw.wrong()] == ["back to 1", "not what was publish", "no such file"]
