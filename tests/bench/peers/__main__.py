"""Everybody over the same books, side by side in one run; the result is `docs/benchmarks.md` with a chart.

    python -m tests.bench.peers
    python -m tests.bench.peers --rows 10000 100000 1000000 --pages 100 1000 --latency-ms 0 50 100 --only ours,dlt

Without a choice of rows, pages or latency: everybody at 10,000 and 100,000 rows, then ourselves, bare aiohttp and the
parsers at 1,000,000 rows and at small late pages, where the others would need most of an hour. Turns are interleaved:
each round gives everybody one, in the opposite order of the round before.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.peers.books import open_books
from tests.bench.peers.document import write
from tests.bench.peers.environments import ROOT, python_of
from tests.bench.peers.facts import facts_of
from tests.bench.peers.field import BY_NAME, FIELD, Contestant
from tests.bench.peers.turns import Cell, Turn, take_turn, to_document

YARDSTICK = "json"
OURS_AND_FLOORS = ("bare", "json", "orjson", "ours-parquet", "ours")


@dataclass(frozen=True)
class Heat:
    """One size of books, who reads them, and how often."""

    cell: Cell
    names: tuple[str, ...]
    rounds: int


def default_heats(names: Sequence[str]) -> list[Heat]:
    """What ends in about twenty minutes on two processors."""
    everybody, floors = tuple(names), tuple(name for name in names if name in OURS_AND_FLOORS)
    return [
        Heat(Cell(10_000, 1000, 0), everybody, 3),
        Heat(Cell(100_000, 1000, 0), everybody, 2),
        Heat(Cell(100_000, 100, 0), floors, 1),
        Heat(Cell(100_000, 100, 50), floors, 1),
        Heat(Cell(1_000_000, 1000, 0), floors, 1),
    ]


def chosen_heats(arguments: argparse.Namespace, names: Sequence[str]) -> list[Heat]:
    """What was asked for, the cheapest first; the default if nothing was."""
    if not (arguments.rows or arguments.pages or arguments.latency_ms):
        return default_heats(names)
    return [
        Heat(Cell(rows, page_limit, latency_ms), tuple(names), arguments.rounds)
        for rows in sorted(arguments.rows or [100_000])
        for latency_ms in arguments.latency_ms or [0]
        for page_limit in arguments.pages or [1000]
    ]


def run_heat(heat: Heat, ready: Sequence[Contestant], folder: Path, limit_s: float) -> Iterator[Turn]:
    """All turns over one set of books, the yardstick before each: the machine is faster at one minute than at the next.

    What a slow one could not end in time it is not asked again.
    """
    cell, given_up = heat.cell, set()
    with open_books(folder / "books", cell.rows, cell.page_limit, cell.latency_ms) as books:
        print(
            f"{books.row_count:,} records, {books.byte_count / 1e6:,.0f} MB, pages of {cell.page_limit}, "
            f"{cell.latency_ms} ms late",
            flush=True,
        )
        order = [one for one in ready if one.name in heat.names and one.name != YARDSTICK]
        yardsticks = [one for one in ready if one.name in heat.names and one.name == YARDSTICK]
        for number in range(heat.rounds):
            for one in order:
                if one.name in given_up:
                    continue
                before = [take_turn(it, books, cell, folder / it.name, limit_s) for it in yardsticks]
                turn = take_turn(one, books, cell, folder / f"{one.name}-{number}", limit_s)
                if before:
                    turn = replace(turn, times_json=turn.usage.cpu_s / before[0].usage.cpu_s)
                if turn.usage.outcome != "ended":
                    given_up.add(one.name)
                print(shown(turn), flush=True)
                yield from (*before, turn)
            order.reverse()


def shown(turn: Turn) -> str:
    """One line of progress."""
    used = turn.usage
    return (
        f"  {turn.contestant:<13}{used.outcome:<10}{used.cpu_s:8.2f} s CPU{used.wall_s:8.2f} s wall{used.peak_mb:7,.0f} MB"
        f"{turn.requests:7,} requests  load {turn.load_before:.1f}  x json {turn.times_json or 0:.2f}  {turn.amounts}"
    )


def said(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> list[str]:
    """The choices that were made of what is measured; not where it is written."""
    found = []
    for name in ("rows", "pages", "latency_ms", "only", "rounds", "limit_s"):
        value = getattr(arguments, name)
        if value != parser.get_default(name):
            found += [f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
    return found


def environments_for(names: Sequence[str], absent: dict[str, str]) -> list[Contestant]:
    """Those whose environment could be made; of the others it is said that they are absent."""
    ready = []
    for name in names:
        one = BY_NAME[name]
        try:
            python_of(one.environment)
        except subprocess.CalledProcessError:
            absent[name] = "its packages could not be installed on this machine"
        else:
            ready.append(one)
    return ready


def main() -> None:
    """Run, show and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", help="records in all lists together, about")
    parser.add_argument("--pages", type=int, nargs="+", help="records a page, at most 1000")
    parser.add_argument("--latency-ms", type=int, nargs="+", help="time by which each answer is late")
    parser.add_argument("--only", default=",".join(one.name for one in FIELD), help="contestants, with commas")
    parser.add_argument("--rounds", type=int, default=1, help="turns of each, if rows, pages or latency are chosen")
    parser.add_argument("--limit-s", type=float, default=600, help="the longest turn")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder of the document and its charts")
    parser.add_argument(
        "--keep", type=Path, help="work in this folder and leave it, with the logs of those that failed"
    )
    arguments = parser.parse_args()
    names = [name.strip() for name in arguments.only.split(",")]
    if unknown := sorted(set(names) - set(BY_NAME)):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(BY_NAME)}")
    absent: dict[str, str] = {}
    ready = environments_for(names, absent)
    command = " ".join(["python -m tests.bench.peers", *said(arguments, parser)])
    facts, turns = facts_of(datetime.now(UTC), ready, absent, command), list[Turn]()
    with ExitStack() as stack:
        folder = arguments.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for number, heat in enumerate(chosen_heats(arguments, names)):
            for turn in run_heat(heat, ready, folder.absolute() / str(number), arguments.limit_s):
                turns.append(turn)
                write(arguments.out, turns, facts)  # what was measured stays, whatever comes next
    (ROOT / ".bench" / "turns.json").write_text(json.dumps([to_document(one) for one in turns], indent=1))


if __name__ == "__main__":
    main()
