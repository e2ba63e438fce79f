"""What was measured as `benchmarks.md` and its chart. Text is made by pure functions; only `write` touches files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.peers.chart import Bar, Panel, chart
from tests.bench.peers.facts import Facts
from tests.bench.peers.field import BY_NAME
from tests.bench.peers.turns import Cell, Turn, middle

_HEAD = """# Benchmarks

Written by `make bench`, this time as `{command}`: it measures everything again and writes this page anew.

Measured on {date} on a shared two-core machine: ratios within one table mean something, seconds little. Other work was
going on: before a turn the load average was between {least_load:.1f} and {most_load:.1f}, which makes wall times longer,
and processor times somewhat. {machine}.

![Processor time and memory]({chart})

## What is read

The built-in sandbox serves the same books to everybody, over TLS on this machine, compressed for whoever accepts it:
companies and, under each, entities, divisions, tax codes, portfolios, projects, active suppliers, claims and invoices, the
latter two with lists inside their records. Lines under claims and invoices are left out: with a request for each document
this would be a test of small requests. The sandbox is a process of its own; what it uses is counted for nobody. Every turn
begins with nothing stored.

Each contestant is a process, with all its children, from its start to its end, imports included. Times are medians of the
turns of a table; memory is the most of them, what all its processes hold together, shared pages once. Each round gives
everybody one turn, in the opposite order of the round before, and each is preceded by a turn of `json.loads`: the machine
is faster at one minute than at the next, so "x `json.loads`" compares with the turn just before. Requests are counted by
the sandbox. Amounts are compared with the text that was served: rows, number of amounts, sums of their decimal digits, and
the type they are stored in.
"""

_REMARKS = """## What each does

- **bare aiohttp** reads all lists at once and throws the bytes away; the parsers read the same bytes from the disk and
  keep nothing.
- **prospend, to Parquet** is the nightly run up to the moment at which all parts are written, read back, synced and in
  place; **prospend run** is the whole command. What changes while lists are read is read once more at the end: a few
  requests more than the others make.
- **the script** is what a careful analyst would write in an afternoon: no proof of completeness, no checks, no history,
  no going on after a failure.
- **dlt** has parallel resources, Parquet between its steps, rotated files, and one normalising process a core. Amounts are
  declared as decimals; left to itself it puts whole amounts into one column and the others into a second one
  (`gross_amount` BIGINT, `gross_amount__v_double` DOUBLE). Its client parses the numbers of JSON as floats first.
- **Singer** has known schemas and the SDK's faster messages. target-duckdb 0.8.0 keeps lists as JSON text and lets DuckDB
  guess whether its CSV files have a header: with DuckDB 2.0 it loses the first row of every load, so it is given DuckDB
  1.1, where that happens only to tables of nothing but text.
- **Airbyte's CDK** reads alone: its messages go to a file, into no database. Airbyte's destinations are containers, which
  this machine does not run.
"""


def document(turns: Sequence[Turn], facts: Facts, chart_name: str) -> str:
    """The whole page."""
    loads = [turn.load_before for turn in turns]
    head = _HEAD.format(
        command=facts.command,
        date=f"{facts.began_at:%Y-%m-%d}",
        machine=facts.machine,
        least_load=min(loads),
        most_load=max(loads),
        chart=chart_name,
    )
    sections = [head, *(section(cell, found) for cell, found in by_cell(turns).items()), _REMARKS]
    if not any(turn.usage.instructions for turn in turns):
        sections.append("Instructions are not told: this machine's processor lets nobody count them (`perf stat`).\n")
    if facts.absent:
        listed = "".join(f"- {BY_NAME[name].title}: {why}\n" for name, why in facts.absent.items())
        sections.append(f"## Not measured\n\n{listed}")
    sections.append("## Versions\n\n" + versions_table(facts.versions))
    return "\n".join(sections)


def by_cell(turns: Sequence[Turn]) -> dict[Cell, list[Turn]]:
    """The middle turn of each contestant, by cell, in the order they were measured first."""
    grouped: dict[Cell, dict[str, list[Turn]]] = {}
    for turn in turns:
        grouped.setdefault(turn.cell, {}).setdefault(turn.contestant, []).append(turn)
    order = list(BY_NAME)
    return {cell: [middle(found[name]) for name in sorted(found, key=order.index)] for cell, found in grouped.items()}


def title_of(cell: Cell) -> str:
    """A cell in words."""
    late = f", {cell.latency_ms} ms late" if cell.latency_ms else ""
    return f"about {cell.rows:,} records, {cell.page_limit:,} a page{late}"


def section(cell: Cell, found: Sequence[Turn]) -> str:
    """One cell as a table, the ratios to `json.loads` and to the whole run of ours beside the seconds."""
    counts = any(turn.usage.instructions for turn in found)
    ours = cpu_of(found, "ours")
    heads = [
        "contestant",
        "CPU s",
        *(["Ginstr"] if counts else []),
        "x `json.loads`",
        "x ours",
        "wall s",
        "peak MB",
        "requests",
        "amounts",
    ]
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 2)} --- |"]
    for turn in found:
        one, used = BY_NAME[turn.contestant], turn.usage
        title = f"**{one.title}**" if one.is_ours else one.title
        if used.outcome != "ended":
            lines.append(f"| {title} | {used.outcome} |{' |' * (len(heads) - 2)}")
            continue
        cells = [
            title,
            f"{used.cpu_s:.2f}",
            *([f"{used.instructions / 1e9:.2f}" if used.instructions else ""] if counts else []),
            f"{turn.times_json:.2f}" if turn.times_json else "",
            f"{used.cpu_s / ours:.2f}" if ours else "",
            f"{used.wall_s:.2f}",
            f"{used.peak_mb:,.0f}",
            f"{turn.requests:,}" if turn.requests else "",
            turn.amounts,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return f"## {title_of(cell)[0].upper()}{title_of(cell)[1:]}\n\n" + "\n".join(lines) + "\n"


def cpu_of(found: Sequence[Turn], name: str) -> float | None:
    """Processor time of one contestant, if it ended."""
    return next((t.usage.cpu_s for t in found if t.contestant == name and t.usage.outcome == "ended"), None)


def versions_table(versions: Mapping[str, Mapping[str, str]]) -> str:
    """Who was measured in which version."""
    rows = [
        f"| {title} | {', '.join(f'{name} {v}' for name, v in found.items())} |" for title, found in versions.items()
    ]
    return "\n".join(["| contestant | versions |", "| --- | --- |", *rows]) + "\n"


def panels(turns: Sequence[Turn]) -> list[Panel]:
    """Processor time and memory where most contestants met, over the largest books of those."""
    met = by_cell(turns)
    cell = max(met, key=lambda one: (len(met[one]), one.rows))
    ended = [turn for turn in met[cell] if turn.usage.outcome == "ended"]
    return [
        Panel(
            f"Processor seconds, {title_of(cell)}",
            tuple(_bar(t, t.usage.cpu_s, f"{t.usage.cpu_s:.1f} s") for t in ended),
        ),
        Panel(
            f"Peak memory, {title_of(cell)}",
            tuple(_bar(t, t.usage.peak_mb, f"{t.usage.peak_mb:,.0f} MB") for t in ended),
        ),
    ]


def _bar(turn: Turn, value: float, shown: str) -> Bar:
    one = BY_NAME[turn.contestant]
    return Bar(one.short.replace("`", ""), value, shown, one.is_ours)


def write(folder: Path, turns: Sequence[Turn], facts: Facts) -> None:
    """Page and chart, over those of an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.svg").write_text(chart(panels(turns)))
    (folder / "benchmarks.md").write_text(document(turns, facts, "benchmarks.svg"))
