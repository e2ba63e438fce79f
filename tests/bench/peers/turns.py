"""One turn of one contestant: a folder of its own, its job, its process, and what became of the amounts."""

from __future__ import annotations

import json
import os
import shutil
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.calls import instruction_counter
from tests.bench.peers import books as served_books
from tests.bench.peers.books import Books
from tests.bench.peers.contestants.job import JOB_VARIABLE, TOKEN_VARIABLE
from tests.bench.peers.exactness import judged
from tests.bench.peers.field import Contestant
from tests.bench.peers.measuring import Usage, measured
from tests.bench.peers.stores import found_in


@dataclass(frozen=True)
class Cell:
    """The books that were read: so many records, by such pages, so late."""

    rows: int
    page_limit: int
    latency_ms: int


@dataclass(frozen=True)
class Turn:
    """What one contestant used once. `times_json` is its processor time in turns of `json.loads` just before."""

    cell: Cell
    contestant: str
    usage: Usage
    requests: int
    amounts: str
    load_before: float
    times_json: float | None = None


def take_turn(one: Contestant, books: Books, cell: Cell, folder: Path, limit_s: float) -> Turn:
    """Run it on the books; what it stored is looked at and removed. Its log stays if it failed."""
    folder.mkdir(parents=True)
    environ = prepare(books, folder)
    counts = (counter := instruction_counter(valgrind=False)) is not None and counter.command[0] == "perf"
    before, load = books.requests(), os.getloadavg()[0]
    usage = measured(one.command(folder), environ, folder, limit_s=limit_s, counts_instructions=counts)
    requests = books.requests() - before
    amounts = verdict(one, books, folder) if usage.outcome == "ended" else ""
    if usage.outcome != "failed":
        shutil.rmtree(folder)
    return Turn(cell, one.name, usage, requests, amounts, load)


def prepare(books: Books, folder: Path) -> dict[str, str]:
    """Write the job and the site file; the environment comes back, with the token in it and nowhere else."""
    job, site, catalogue = folder / "job.json", folder / "site.toml", folder / "prospend.toml"
    url, ca_file = books.served["base_url"], books.served["ca_file"]
    facts = {"base_url": url, "page_limit": books.page_limit, "target": str(folder), "bodies": str(books.bodies)}
    job.write_text(json.dumps({**facts, "lists": served_books.lists()}))
    catalogue.write_text(served_books.catalogue_text())
    site.write_text(
        f'[site]\nname = "bench"\nbase_url = "{url}"\n\n'
        f'[api]\nca_file = "{ca_file}"\npage_limit = {books.page_limit}\nresources = "prospend.toml"\n\n'
        f'[token]\nenv = "{TOKEN_VARIABLE}"\n\n[storage]\ndata_dir = "data"\n'
    )
    trusted = {"SSL_CERT_FILE": ca_file, "REQUESTS_CA_BUNDLE": ca_file}
    known = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TZ")}
    return (
        known
        | trusted
        | {
            "HOME": str(folder),
            JOB_VARIABLE: str(job),
            TOKEN_VARIABLE: books.served["token"],
            "TMPDIR": str(folder),
        }
    )


def verdict(one: Contestant, books: Books, folder: Path) -> str:
    """What became of rows and amounts, in one phrase."""
    if one.store is None:
        return ""
    found = found_in(one.store, folder, books.rows, books.amounts)
    missing = {name: count - found.rows[name] for name, count in books.rows.items() if found.rows[name] != count}
    phrase = judged(books.amounts, found.amounts)
    return (
        f"{phrase}; **rows of {', '.join(sorted(missing))} missing: {sum(missing.values()):,}**" if missing else phrase
    )


def middle(turns: Sequence[Turn]) -> Turn:
    """The medians of some turns of one contestant in one cell."""
    last = turns[-1]
    ended = [turn.usage for turn in turns if turn.usage.outcome == "ended"]
    if len(ended) < len(turns):
        return next(turn for turn in turns if turn.usage.outcome != "ended")
    counted = [usage.instructions for usage in ended if usage.instructions is not None]
    usage = Usage(
        "ended",
        statistics.median(one.cpu_s for one in ended),
        statistics.median(one.wall_s for one in ended),
        max(one.peak_mb for one in ended),
        statistics.median(counted) if counted else None,
    )
    load = max(turn.load_before for turn in turns)
    requests = round(statistics.median(turn.requests for turn in turns))
    times = [turn.times_json for turn in turns if turn.times_json is not None]
    return Turn(
        last.cell, last.contestant, usage, requests, last.amounts, load, statistics.median(times) if times else None
    )


def to_document(turn: Turn) -> dict[str, object]:
    """As JSON."""
    return asdict(turn)
