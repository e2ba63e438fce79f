"""What a person who waits is told: how far, how fast, and when it is expected to end."""

from __future__ import annotations

from pipeline.cli.going import Going
from pipeline.model import PageRead, ReadingPlanned


def test_a_planned_reading_tells_its_end():
    """Of a resource since its first page, of all since the beginning; repeated attempts are calls, but no pages."""
    going = Going(100.0)
    going.plan(ReadingPlanned((("claim", 100, 2000), ("expense", 900, 8000))))
    for n in range(20):
        going.take(PageRead("claim", 20, calls=n + 1), 100.0 + n / 2)
    for n in range(180):
        going.take(PageRead("expense", 9, calls=n + 6), 110.0 + n / 18)
    assert going.told_of("claim", 120.0) == (
        "400 of about 2,000 records, 20 pages, 20 calls, 1.0 pages/s, about 80 s left"
    )
    assert going.told_of("expense", 120.0) == (
        "1,620 of about 8,000 records, 180 pages, 185 calls, 18 pages/s, about 40 s left"
    )
    assert going.told(120.0) == "2,020 of about 10,000 records, 200 pages, 205 calls, 10 pages/s, about 80 s left"


def test_without_a_plan_no_end_is_guessed():
    """The first night, or one that no earlier night was like."""
    going = Going(0.0)
    assert going.told(0.0) == "0 records, 0 pages, 0 calls"
    going.plan(ReadingPlanned((("claim", None, None), ("expense", 5, 5))))
    going.take(PageRead("claim", 1, calls=1), 2.0)
    assert going.told(2.0) == "1 record, 1 page, 1 call, 0.5 pages/s"
    assert going.told_of("claim", 2.0) == "1 record, 1 page, 1 call"
    assert going.told_of("tax_code", 2.0) == "0 records, 0 pages, 0 calls"


def test_more_than_was_planned_is_told_without_an_end():
    """Nobody knows how much more there is."""
    going = Going(0.0)
    going.plan(ReadingPlanned((("claim", 1, 3),)))
    for n in range(2):
        going.take(PageRead("claim", 2, calls=n + 1), 1.0)
    assert going.told(4.0) == "4 records, 2 pages, 2 calls, 0.5 pages/s"


def test_long_times_are_told_in_minutes_and_hours():
    """As a person would say it."""
    for pages, left in ((50, "about 49 s left"), (600, "about 10 min left"), (9000, "about 2.5 h left")):
        going = Going(0.0)
        going.plan(ReadingPlanned((("claim", pages, None),)))
        going.take(PageRead("claim", 1, calls=1), 1.0)
        assert going.told(1.0).endswith(left)
