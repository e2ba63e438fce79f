"""System calls struck one by one: the run is killed at the n-th, or the n-th fails; then what must hold is looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from killing import Ground, Tally, run_undisturbed
from tracing import Call, can_fail

WITH = ("KILL", "ENOSPC", "EIO", "EACCES")
_CODES = {"ENOSPC": (30,), "EIO": (30, 40), "EACCES": (31,)}
_LINES = ("WHAT", "WHERE", "STATE", "DO")


@dataclass(frozen=True)
class Point:
    """The call to strike, by its number in a run, and how."""

    number: int
    with_what: str


@dataclass
class Struck:
    """Which kinds of calls were struck, how often, and what was wrong then."""

    count: int = 0
    missed: int = 0
    harmless: int = 0
    kinds: set[tuple[str, str, str]] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


def kind_of(call: Call, folder: str) -> tuple[str, str]:
    """What a call does to which kind of file: run ids and hours left out."""
    path = re.sub(r"\d{8}T\d{2}(\d{4}Z(-\d+)?)?", "*", call.paths[-1].removeprefix(folder))
    return call.name, re.sub(r"/(company|tax_code|claim|expense|expense_split)(?=/|$)", "/*", path)


def all_points(calls: Iterable[Call]) -> list[Point]:
    """Every call of a run with everything that it can be struck with."""
    return [
        Point(number, with_what)
        for number, call in enumerate(calls, 1)
        for with_what in WITH
        if can_fail(call.name, with_what)
    ]


def some_points(calls: Iterable[Call], folder: str, *, seed: int, below: str = "") -> list[Point]:
    """One point for every kind of call, struck with one of the ways, drawn by a seed; only calls below a path."""
    draw = Random(seed)
    by_kind: dict[tuple[str, str], list[Point]] = {}
    listed = list(calls)
    for point in all_points(listed):
        kind = kind_of(listed[point.number - 1], folder)
        if kind[1].startswith(below):
            by_kind.setdefault(kind, []).append(point)
    return [draw.choice(points) for points in by_kind.values()]


def strike_each(place: Ground, points: Iterable[Point], *, seed: int, is_full: bool) -> Struck:
    """Strike each point in a run of its own; after each, readers are whole and a run undisturbed publishes."""
    draw, struck = Random(seed), Struck()
    for point in points:
        if draw.random() < 0.5:
            place.move_books()
        wrong = _strike(place, point, struck, is_full=is_full)
        struck.wrong += [f"{point}: {one}" for one in wrong]
    return struck


def _strike(place: Ground, point: Point, struck: Struck, *, is_full: bool) -> list[str]:
    before = place.published()
    done = place.run_traced(is_full=is_full, strike=point.number, with_what=point.with_what)
    if done.struck is None:
        struck.missed += 1
    else:
        struck.count += 1
        struck.harmless += done.code == 0
        struck.kinds.add((*kind_of(done.struck, str(place.data_dir)), point.with_what))
    wrong = _left_well(done.code, done.err, point) if done.struck else []
    if place.published() != before:
        wrong += place.wrong_rows(is_full=is_full)
    elif done.code == 0:
        wrong.append("it left with 0 and published nothing")
    again = Tally()
    run_undisturbed(place, again, is_full=is_full)
    return [f"{done.struck}: {one}" for one in (*wrong, *again.wrong)]


def _left_well(code: int, err: str, point: Point) -> list[str]:
    """What is wrong with how a struck run left: its code is of the fault's class, and its four lines say so."""
    if point.with_what == "KILL":
        return [] if code == -9 else [f"killed, it left with {code}"]
    if code == 0:
        return []
    told = [line.partition(" ")[0] for line in err.splitlines() if line.startswith(_LINES)]
    if code not in _CODES[point.with_what] or tuple(told) != _LINES:
        return [f"{point.with_what}: it left with {code}: {err}"]
    return []
