"""Several walkers on one list lose no record and read few twice, whatever happens to the list meanwhile."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right, insort
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.stretches import SharedList, Spread, Stretch

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
FEEDS = 5000


Row = tuple[datetime, str]


class Feed:
    """A list of records that ascends by change time, ties by id, as a source with key-set cursors serves it.

    `skew` moves the filter: a source that takes a moment for another hour shows less, or more, than was asked for.
    """

    def __init__(self, changed: dict[str, datetime], now: datetime, *, exclusive: bool = False) -> None:
        self.changed = dict(changed)
        self.rows: list[Row] = sorted((moment, key) for key, moment in changed.items())
        self.now = now
        self.exclusive = exclusive
        self.skew = timedelta()
        self.calls = 0

    def page(self, since: datetime | None, cursor: Row | None, limit: int) -> tuple[list[Row], Row | None]:
        """Records from a moment on, behind the cursor; and the next cursor, None at the end."""
        self.calls += 1
        start = 0
        if cursor is not None:
            start = bisect_right(self.rows, cursor)
        elif since is not None:
            cut = bisect_right if self.exclusive else bisect_left
            start = cut(self.rows, since + self.skew, key=lambda row: row[0])
        shown = self.rows[start : start + limit]
        return shown, shown[-1] if start + limit < len(self.rows) else None

    def put(self, key: str, moment: datetime) -> None:
        """A record has this change time now; None takes it away."""
        self.take(key)
        self.changed[key] = moment
        insort(self.rows, (moment, key))

    def take(self, key: str) -> None:
        """A record is there no longer."""
        if key in self.changed:
            self.rows.remove((self.changed.pop(key), key))

    def change(self, dice: random.Random) -> str:
        """A record moves to the end, disappears, or a new one comes; the name of the one that is not as it was."""
        self.now += timedelta(seconds=dice.random() * 3)
        kind = dice.random()
        if kind < 0.75 and self.rows:
            _, key = dice.choice(self.rows)
            self.put(key, self.now) if kind < 0.6 else self.take(key)
        else:
            key = f"new {dice.random()}"
            # Some become visible late, with a time that walkers have passed already.
            self.put(key, self.now - timedelta(seconds=dice.choice([0, 0, dice.random() * 60])))
        return key


class Placed(Feed):
    """A list in an order of its own: by place, whatever the change times."""

    def __init__(self, order: list[datetime], now: datetime) -> None:
        super().__init__({}, now)
        self.rows = [(moment, f"{place:06}") for place, moment in enumerate(order)]
        self.changed = {key: moment for moment, key in self.rows}

    def page(self, since: datetime | None, cursor: Row | None, limit: int) -> tuple[list[Row], Row | None]:
        """The filter leaves out what changed earlier, and the order stays."""
        self.calls += 1
        rows = [
            row for row in self.rows if (since is None or row[0] >= since) and (cursor is None or row[1] > cursor[1])
        ]
        return rows[:limit], rows[limit - 1] if len(rows) > limit else None


@dataclass
class Walkers:
    """Plays the walkers of one list in an order that the dice decide; `at_once`, all answers come in the same steps."""

    feed: Feed
    shared: SharedList
    limit: int
    most: int
    dice: random.Random
    changes_each: float = 0.0
    at_once: bool = False
    steps: int = 0
    read: dict[str, datetime] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)

    def play(self, *, must_be_proven: bool = True) -> None:
        """Until no walker has anything left to ask for."""
        ready: deque[tuple[Stretch, Row | None]] = deque([(self.shared.first, None)])
        asked: list[tuple[Stretch, list[Row], Row | None]] = []
        waiting: dict[Stretch, tuple[Stretch, Row | None]] = {}
        while ready or asked:
            while len(ready) + len(asked) < self.most and (new := self.shared.divided()) is not None:
                ready.append((new, None))
            while ready and len(asked) < self.most:
                one, cursor = ready.popleft()
                asked.append((one, *self.feed.page(one.since, cursor, self.limit)))
                self.disturb()
            self.steps += 1
            for _ in range(len(asked) if self.at_once else 1):
                one, rows, following = asked.pop(self.dice.randrange(len(asked)))
                self.disturb()
                step = self.take(one, rows, is_last=following is None)
                if step == "goes_on":
                    ready.append((one, following))
                elif step == "waits":
                    waiting[one] = (one, following)
                for freed, what in self.shared.woken():
                    place = waiting.pop(freed)
                    if what == "goes_on":
                        ready.append(place)
        assert not waiting
        assert self.shared.is_proven or not must_be_proven

    def take(self, one: Stretch, rows: list[Row], *, is_last: bool) -> str:
        """A page has come."""
        self.read.update((key, max(moment, self.read.get(key, moment))) for moment, key in rows)
        moments = [moment for moment, _ in rows]
        return self.shared.read(one, [key for _, key in rows], lambda n: moments[n], is_last=is_last)

    def disturb(self) -> None:
        """The source's books move on, or not."""
        while self.dice.random() < self.changes_each:
            self.touched.add(self.feed.change(self.dice))


def books(dice: random.Random) -> Feed:
    """A feed of some shape: even, in bursts, with ties longer than any page, all at once, growing."""
    count = dice.choice([0, 1, 5, 40, 200, 600])
    span = timedelta(days=dice.choice([1 / 24, 1, 30, 700]))
    shape = dice.choice(["even", "bursts", "ties", "at once", "growing"])
    whole = dice.random() < 0.5  # many sources keep whole seconds
    burst = [dice.random() for _ in range(6)]
    changed = {}
    for number in range(count):
        where = {
            "even": dice.random(),
            "bursts": dice.choice(burst) + dice.random() / 1000,
            "ties": dice.choice(burst),
            "at once": burst[0],
            "growing": dice.random() ** 0.2,
        }[shape]
        moment = BEGIN + span * min(where, 1)
        changed[f"{number}"] = moment.replace(microsecond=0) if whole else moment
    return Feed(changed, BEGIN + span + timedelta(hours=dice.choice([0, 1, 5000])), exclusive=dice.random() < 0.3)


def spread_of(feed: Feed, dice: random.Random) -> Spread:
    """What an earlier night knew, or nothing."""
    if dice.random() < 0.5 or not feed.changed:
        return ()
    ordered = sorted(feed.changed.values())
    places = range(0, len(ordered), max(1, len(ordered) // 20))
    return tuple((ordered[n], float(n)) for n in places)


@pytest.mark.parametrize("changes_each", [0.0, 0.3], ids=["still", "moving"])
def test_no_record_is_lost(changes_each: float):
    """In thousands of feeds: what stood still was read as it is, by walkers that all came to a proven end."""
    for seed in range(FEEDS // 2):
        dice = random.Random(f"{seed} {changes_each}")
        feed = books(dice)
        before = dict(feed.changed)
        shared = SharedList(feed.now, spread_of(feed, dice))
        limit, most = dice.choice([1, 2, 7, 20]), dice.choice([1, 2, 5, 16])
        walkers = Walkers(feed, shared, limit, most, dice, changes_each)
        walkers.play()
        still = {key: moment for key, moment in before.items() if key not in walkers.touched}
        assert still.items() <= walkers.read.items(), seed
        if not changes_each:
            assert walkers.read == before, seed


def test_a_source_that_understands_moments_otherwise_costs_no_record():
    """Its filter is hours off, to either side: walkers meet or read on, whatever the bound that they asked for."""
    for seed in range(600):
        dice = random.Random(f"skew {seed}")
        feed = books(dice)
        feed.skew = timedelta(hours=dice.choice([-24, -10, -1, 1, 10, 24]))
        walkers = Walkers(feed, SharedList(feed.now), dice.choice([1, 2, 7]), 16, dice)
        walkers.play(must_be_proven=False)
        if walkers.shared.is_proven:
            assert walkers.read == feed.changed, seed


def test_a_list_that_is_seen_to_go_back_is_read_by_one_walker_or_not_proven():
    """Its first walker reads it alone from then on; what was read by others before is no proof, and is read again."""
    alone = 0
    for seed in range(600):
        dice = random.Random(f"back {seed}")
        feed = books(dice)
        order = [moment for moment, _ in feed.rows]
        for _ in range(dice.choice([1, 3, 30])):
            if order:
                order.insert(dice.randrange(len(order)), order.pop(dice.randrange(len(order))))
        walkers = Walkers(Placed(order, feed.now), SharedList(feed.now), dice.choice([2, 7]), 16, dice)
        walkers.play(must_be_proven=False)
        shared = walkers.shared
        if shared.refused and shared.is_proven:
            assert walkers.read == walkers.feed.changed, seed
            alone += 1
        assert shared.refused or shared.is_proven, seed
    assert alone > 10


@pytest.mark.parametrize(
    ("minutes", "why"),
    [
        ((0, 40), "it begins before the change time that was asked for"),
        ((16, 40), "change times go back"),
        ((40, 30), "change times go back"),
    ],
    ids=["before its bound", "behind the page before", "on the page"],
)
def test_what_others_had_read_of_a_list_that_goes_back_is_no_proof(minutes: tuple[int, int], why: str):
    """The first walker had stopped where it met its neighbour, when a later page went back in time."""
    feed, shared = even(100), SharedList(BEGIN + timedelta(minutes=100))
    at = page_reader(feed, shared)
    at(shared.first, None, 10)
    right = shared._begin(shared.first, BEGIN + timedelta(minutes=15))
    at(right, None, 10)
    assert at(shared.first, feed.rows[9], 10) == "ends"
    times = [BEGIN + timedelta(minutes=n) for n in minutes]
    assert shared.read(right, ["a", "b"], lambda n: times[n], is_last=False) == "ends"
    assert (shared.refused, shared.is_broken, shared.is_proven) == (why, True, False)


def even(count: int, every_s: int = 60) -> Feed:
    changed = {f"{n:07}": BEGIN + timedelta(seconds=n * every_s) for n in range(count)}
    return Feed(changed, BEGIN + timedelta(seconds=count * every_s))


@pytest.mark.parametrize("shape", ["even", "growing", "a night knew them"])
def test_a_long_list_costs_few_calls_more_and_is_cut_evenly(shape: str):
    """A thousand pages and sixteen walkers: at most 5 % more calls, and at most a tenth of the steps."""
    feed, spread = even(100_000), ()
    if shape != "even":
        changed = {key: BEGIN + timedelta(days=700) * (n / 100_000) ** 0.3 for n, key in enumerate(feed.changed)}
        feed = Feed(changed, BEGIN + timedelta(days=700))
    if shape == "a night knew them":
        spread = tuple((feed.rows[n][0], float(n)) for n in range(0, 100_000, 1000))
    walkers = Walkers(feed, SharedList(feed.now, spread), 100, 16, random.Random(shape), at_once=True)
    walkers.play()
    assert walkers.read == feed.changed
    assert feed.calls <= 1050
    assert walkers.steps <= 100


def test_ties_longer_than_a_page_stand_on_both_sides_of_a_meeting():
    """Where walkers can enter only before or behind a long tie, the tie is read whole."""
    feed = even(300)
    for n in range(400):
        feed.put(f"tie {n:03}", BEGIN + timedelta(seconds=9000))
    walkers = Walkers(feed, SharedList(feed.now), 10, 8, random.Random(1))
    walkers.play()
    assert walkers.shared.is_shared
    assert walkers.read == feed.changed


def test_a_walker_whose_neighbours_first_records_all_moved_reads_on():
    """Nothing is left to meet, so nothing proves that there is no gap: it takes over what the neighbour had."""
    feed, shared = even(100), SharedList(BEGIN + timedelta(minutes=100))
    at = page_reader(feed, shared)
    assert at(shared.first, None, 10) == "goes_on"
    right = shared._begin(shared.first, BEGIN + timedelta(minutes=50))
    assert at(right, None, 10) == "goes_on"
    for key in list(right.entry or ()):
        feed.put(key, feed.now + timedelta(seconds=1))
    assert at(shared.first, feed.rows[9], 80) == "goes_on"
    assert right.state == "dropped"
    assert at(right, feed.rows[60], 10) == "ends"
    assert at(shared.first, feed.rows[89], 80) == "ends"
    assert shared.is_proven


def test_a_walker_waits_for_a_neighbour_that_has_not_begun():
    """Without its first page nobody knows where they meet."""
    feed, shared = even(100), SharedList(BEGIN + timedelta(minutes=100))
    at = page_reader(feed, shared)
    at(shared.first, None, 10)
    right = shared._begin(shared.first, BEGIN + timedelta(minutes=15))
    assert at(shared.first, feed.rows[9], 10) == "waits"
    assert shared.woken() == ()
    at(right, None, 10)
    assert shared.woken() == ((shared.first, "ends"),)


@pytest.mark.parametrize("count", [0, 1, 9, 10, 100])
def test_a_short_list_is_left_to_one_walker(count: int):
    """A night without changes makes one request a list."""
    feed = even(count)
    walkers = Walkers(feed, SharedList(feed.now), 10, 16, random.Random(1))
    walkers.play()
    assert feed.calls == max(1, -(-count // 10))
    assert not walkers.shared.is_shared


def test_a_run_that_goes_on_enters_where_the_earlier_one_had():
    """So that it asks for the pages that the earlier one kept; moments that were passed already are left out."""
    feed = even(1000)
    moments = tuple(BEGIN + timedelta(minutes=n) for n in (700, 3, 300))
    shared = SharedList(feed.now, again=moments)
    assert shared.entered_again() == ()
    page_reader(feed, shared)(shared.first, None, 10)
    assert [one.since for one in shared.entered_again()] == [moments[2], moments[0]]
    assert [one.since for one in shared] == [None, moments[2], moments[0]]


@pytest.mark.parametrize(
    ("moments", "why"),
    [
        ([5, 4, 6], "change times go back"),
        ([1, None, 3], "no change time"),
        ([None, 2, 3], "no change time"),
        ([3, 2, 1], "change times go back"),
    ],
)
def test_what_cannot_be_shared_is_refused_on_its_first_page(moments: list[int | None], why: str):
    """Without order or without change times there is one walker, as for any other list."""
    shared = SharedList(BEGIN + timedelta(days=9))
    times = [None if n is None else BEGIN + timedelta(seconds=n) for n in moments]
    assert shared.read(shared.first, ["a", "b", "c"], lambda n: times[n], is_last=False) == "goes_on"
    assert why in shared.refused
    assert shared.divided() is None
    assert shared.read(shared.first, ["d"], lambda _: BEGIN, is_last=True) == "ends"
    assert shared.is_proven


def page_reader(feed: Feed, shared: SharedList):
    def read(one: Stretch, cursor: Row | None, limit: int) -> str:
        rows, following = feed.page(one.since, cursor, limit)
        return shared.read(one, [key for _, key in rows], lambda n: rows[n][0], is_last=following is None)

    return read
