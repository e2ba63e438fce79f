"""How much memory reading into sealed Parquet takes, at 100,000, 1,000,000 and 10,000,000 records.

    python -m tests.bench.memory
    python -m tests.bench.memory 100000 1000000

The sandbox's books end long before ten million records. The nightly run does not know that: its catalogue names every
list three times, under three names, so that it reads, decodes and stores three times as many.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from pipeline.cli.nights import sandbox_process
from tests.bench.peers.books import Books, catalogue_text, claims_for
from tests.bench.peers.environments import python_of
from tests.bench.peers.field import BY_NAME
from tests.bench.peers.measuring import Usage, measured
from tests.bench.peers.turns import prepare

SIZES = (100_000, 1_000_000, 10_000_000)
_TIMES = 3
_LIMIT_S = 3600
_HEADS = re.compile(r"^(?=\[)", re.MULTILINE)


def repeated(text: str, times: int) -> str:
    """A catalogue in which every list below the companies stands so many times, each with names of its own."""
    lists = [
        one for one in _HEADS.split(text) if one.startswith("[resource.") and not one.startswith("[resource.company")
    ]
    return text + "".join(_renamed(one, f"_{number}") for number in range(2, times + 1) for one in lists)


def _renamed(block: str, ending: str) -> str:
    named = re.sub(r"\A(\[resource\.\w+)", rf"\1{ending}", block)
    return re.sub(r'\btable = "(\w+)"', rf'table = "\1{ending}"', named)


def read(rows: int, folder: Path) -> Usage:
    """Read about so many records, to sealed Parquet and no further, in a process of its own."""
    ours = BY_NAME["ours-parquet"]
    python_of(ours.environment)
    folder.mkdir()
    with sandbox_process(folder / "sandbox", claims_for(round(rows / _TIMES))) as served:
        target = folder / "run"
        target.mkdir()
        environ = prepare(Books(served, folder, 1000), target)
        (target / "prospend.toml").write_text(repeated(catalogue_text(), _TIMES))
        return measured(ours.command(target), environ, target, limit_s=_LIMIT_S, counts_instructions=False)


def main() -> None:
    """One line a size."""
    first: Usage | None = None
    for rows in [int(text) for text in sys.argv[1:]] or SIZES:
        with tempfile.TemporaryDirectory() as folder:
            used = read(rows, Path(folder) / "books")
        first = first or used
        print(
            f"{rows:12,} records  {used.outcome}  {used.peak_mb:5,.0f} MB at most ({used.peak_mb - first.peak_mb:+.0f})"
            f"  {used.cpu_s:7.1f} s CPU  {used.wall_s:7.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
