"""Progress on standard error: a live table on a terminal, otherwise a line every half minute."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from pipeline.cli.going import Going
from pipeline.cli.text import counted
from pipeline.model import (
    EarlierRunUnfinished,
    ErasureEnded,
    Event,
    NotExported,
    NotLogged,
    NotTold,
    Observe,
    PageRead,
    QuarantineLeft,
    ReadingPlanned,
    ReportFailed,
    RunBegan,
    RunEnded,
    RunPublished,
    StageBegan,
    SurroundingsIgnored,
    TokenAgeing,
)

Notice = (
    EarlierRunUnfinished
    | TokenAgeing
    | SurroundingsIgnored
    | QuarantineLeft
    | ErasureEnded
    | NotTold
    | NotLogged
    | NotExported
    | ReportFailed
)
_Silent = RunBegan | RunPublished | RunEnded  # the result says it, or nobody needs it
_NOT_DONE = {NotTold: "not told", NotLogged: "not logged", NotExported: "not exported"}
_LINE_EVERY_S = 30.0
_STAGES = {
    "extract": "reading every list",
    "seal": "sealing Parquet snapshots",
    "load": "loading DuckDB",
    "marts": "making the reporting tables",
    "check": "checking",
    "publish": "publishing",
    "report": "writing page and workbook",
}


@contextmanager
def shown(*, quiet: bool) -> Iterator[Observe]:
    """An observer that shows a run's progress until the block ends; a quiet one tells what nobody has told before."""
    if quiet or sys.stderr is None:  # None: closed before we began
        yield _quietly
    elif sys.stderr.isatty():
        with _live() as observe:
            yield observe
    else:
        yield _Lines()


class _Lines:
    """One line when a stage begins, and one every half minute while reading."""

    def __init__(self) -> None:
        self.began = self.last = time.monotonic()
        self.going = Going(self.began)

    def __call__(self, event: Event) -> None:
        now = time.monotonic()
        if isinstance(event, _Silent):
            return
        if isinstance(event, Notice):
            told = _notice(event)
        elif isinstance(event, ReadingPlanned):
            self.going.plan(event)
            return
        elif isinstance(event, PageRead):
            self.going.take(event, now)
            if now - self.last < _LINE_EVERY_S:
                return
            told = self.going.told(now)
        else:
            read = f" ({self.going.records.total():,} records read)" if event.stage == "seal" else ""
            told = _STAGES[event.stage] + read
        self.last = now
        _say(f"{now - self.began:6.1f} s  {told}")


@contextmanager
def _live() -> Iterator[Observe]:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=False) as progress:
        lines = {}
        going = Going(time.monotonic())
        current = [progress.add_task("starting", total=None, told="")]

        def observe(event: Event) -> None:
            if isinstance(event, _Silent):
                return
            if isinstance(event, Notice):
                progress.console.print(_notice(event))
                return
            if isinstance(event, StageBegan):
                progress.update(current[0], total=1, completed=1)
                current[0] = progress.add_task(_STAGES[event.stage], total=None, told="")
                return
            now = time.monotonic()
            if isinstance(event, ReadingPlanned):
                going.plan(event)
                return
            name = event.resource
            going.take(event, now)
            if name not in lines:
                lines[name] = progress.add_task(f"  {name}", total=going.planned.get(name, (None,))[0], told="")
            progress.update(lines[name], completed=going.pages[name], told=going.told_of(name, now))
            progress.update(current[0], told=going.told(now))

        yield observe
        for task in progress.tasks:
            progress.update(task.id, total=1, completed=1)


def _quietly(event: Event) -> None:
    """Cron mails what is printed: each milestone of the token's age once, a missing report, and what was not told."""
    if isinstance(event, NotTold | NotLogged | NotExported | ReportFailed) or (
        isinstance(event, TokenAgeing) and event.is_new
    ):
        _say(_notice(event))


def _notice(event: Notice) -> str:
    if isinstance(event, SurroundingsIgnored):
        return f"ignored: {', '.join(event.names)} (only the settings count; a proxy is named by api.proxy)"
    if isinstance(event, QuarantineLeft):
        return fits_now(event.record_count)
    if isinstance(event, ErasureEnded):
        people = counted(event.people_count, "person", "people")
        return f"an erasure that was cut off is ended: nothing stored tells of {people} any more"
    if isinstance(event, NotTold | NotLogged | NotExported):
        return f"{_NOT_DONE[type(event)]}: {event.what}"
    if isinstance(event, ReportFailed):
        return f"published, but page and workbook could not be written: {event.what}; then run `prospend report`"
    if isinstance(event, TokenAgeing):
        return f"{event.warning}; `prospend token show --renewal` tells how"
    how = "did not finish" if event.was_killed else "stopped early"
    if not event.pages:
        became = "what it left is tidied up"
    elif event.not_used:
        became = f"its {event.pages:,} pages are not used: {event.not_used}"
    else:
        became = f"its {event.pages:,} pages are used and not asked for again"
    return f"earlier run {event.run_id} {how}, readers were not affected; {became}"


def fits_now(record_count: int) -> str:
    """How a changed catalogue took records out of quarantine."""
    return f"{record_count:,} quarantined {'record fits' if record_count == 1 else 'records fit'} now"


def _say(line: str) -> None:
    # A closed or full standard error must not end a run.
    with suppress(OSError, ValueError):
        click.echo(line, err=True)
