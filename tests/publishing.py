"""Nights published one after another while processes read: what they saw is held against what was published."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import reading
from killing import Ground

STYLES = ("closing", "holding", "closing")


@dataclass
class Seen:
    """What was published, in order, and what each reader saw, opening by opening."""

    published: dict[str, dict] = field(default_factory=dict)
    by_reader: list[list[dict]] = field(default_factory=list)

    @property
    def openings(self) -> int:
        return sum(map(len, self.by_reader))

    def wrong(self) -> list[str]:
        """Errors, mixed nights, nights that were never published, and steps back."""
        order = {run_id: place for place, run_id in enumerate(self.published)}
        found = []
        for number, openings in enumerate(self.by_reader):
            newest = 0
            for told in openings:
                if "error" in told:
                    found.append(f"reader {number}: {told['error']}")
                    continue
                if told != self.published.get(told["run_id"]):
                    found.append(f"reader {number}: not what was published: {told}")
                elif order[told["run_id"]] < newest:
                    found.append(f"reader {number}: back to {told['run_id']}")
                newest = max(newest, order.get(told["run_id"], 0))
        return found


def published_before_readers(place: Ground, night_count: int) -> Seen:
    """Publish so many nights of moving books while three processes read."""
    saw = Seen()
    _publish(place, saw)
    notes = [place.site_file.with_name(f"reader-{number}") for number in range(len(STYLES))]
    with _readers(place.pointer, notes):
        for _ in range(night_count):
            place.move_books()
            _publish(place, saw)
            place.make_room()
    saw.by_reader = [[json.loads(line) for line in one.read_text("utf-8").splitlines()] for one in notes]
    return saw


def _publish(place: Ground, saw: Seen) -> None:
    done = place.run()
    assert done.code == 0, done.err
    with closing(reading.opened(str(place.pointer.resolve()))) as connection:
        told = json.loads(json.dumps(reading.seen(connection)))
    saw.published[told["run_id"]] = told


@contextmanager
def _readers(link: Path, notes: Sequence[Path]) -> Iterator[None]:
    processes = [
        subprocess.Popen([sys.executable, reading.__file__, str(link), str(one), style], stdin=subprocess.PIPE)
        for one, style in zip(notes, STYLES, strict=True)
    ]
    try:
        for process, one in zip(processes, notes, strict=True):
            while process.poll() is None and not (one.exists() and one.stat().st_size):
                pass  # it opens the first night before the second is published
        yield
    finally:
        for process in processes:
            process.stdin.close()
            process.wait(timeout=60)
    assert [process.returncode for process in processes] == [0] * len(processes)
