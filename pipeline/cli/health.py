"""`status`: how a site stands, for people and programs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pipeline.cli.plans import budget_lines
from pipeline.cli.text import aligned, counted, say, tinted, visible
from pipeline.errors import EXIT_PUBLISHED, TokenError

if TYPE_CHECKING:
    from pipeline.settings import Settings

_BAD, _LATE, _GOOD = "red", "yellow", "green"
_DAYS_FROM_HOURS = 48
_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"))


def status_document(config: Path | None, data: Path | None, last: int) -> dict[str, Any]:
    """What `status --json` prints. Works without a valid token, and with `--data` without a site."""
    from pipeline.cli.options import existing, site_settings
    from pipeline.watching import health_of

    settings = site_settings(config, data) if data is None or config is not None else None
    # The folder of the settings is made by the first run; one that is named is taken to be there.
    folder = existing(data) if data is not None else settings.storage.data_dir  # type: ignore[union-attr]  # one is set
    now = datetime.now(UTC)
    return health_of(folder, settings, now, last=last, token=_token(settings, now))


def _token(settings: Settings | None, now: datetime) -> dict[str, Any] | None:
    """What the token says of itself; None without a site."""
    from pipeline import auth
    from pipeline.ops import records
    from pipeline.ops.token_source import find_token, guarded_environment

    if settings is None:
        return None
    try:
        token = find_token(settings.token, guarded_environment(settings.token, os.environ))
    except TokenError as error:
        return {"expires_at": None, "days_left": None, "is_assumed": False, "warning": None, "problem": error.what}
    state = auth.state_of(auth.passport(token, now), now, settings.token.warn_days)
    return {**records.token_document(state), "problem": state.warning}


def print_status(document: dict[str, Any]) -> None:
    """The status for people."""
    for line in (*_data(document), *_running(document), *_left(document)):
        say(line)
    for title, lines in (
        ("data", _resources(document)),
        ("last runs", _runs(document)),
        ("generations", _generations(document)),
    ):
        if lines:
            say(f"\n{title}")
        for line in lines:
            say(line)


def _data(document: Mapping[str, Any]) -> Iterator[str]:
    """How old the data is, and why, if it is too old."""
    name = document["site"] or "this data folder"
    last = next(iter(document["runs"]), None)
    failed = None
    if last is not None and last["exit_code"] != EXIT_PUBLISHED:
        what = (last["error"] or {}).get("what", "no reason recorded")
        failed = f"the last run ended with exit code {last['exit_code']}: {visible(what)}"
    if document["data_as_at"] is None:
        yield f"{name}: nothing published yet"
    else:
        rows = sum(document["tables"].values())
        as_at = datetime.fromisoformat(document["data_as_at"]).astimezone(ZoneInfo(document["timezone"]))
        told = f"{name}: data as at {as_at:%Y-%m-%d %H:%M %Z}, {document['age_hours']:.1f} hours old"
        yield tinted(told, _BAD if document["is_stale"] else _GOOD)
        if document["is_stale"]:
            told = f"STALE: the data is {_age(document['age_hours'])} old, where each night should bring new"
            yield tinted(told, _BAD, bold=True)
        yield f"warehouse: {document['warehouse']} ({rows:,} rows in {len(document['tables'])} tables)"
    if failed is not None:
        yield tinted(failed, _BAD)


def _running(document: Mapping[str, Any]) -> Iterator[str]:
    if (running := document["running"]) is not None:
        yield f"under way: {running['run_id'] or 'a run'}, pid {running['pid']}, started {running['started_at']}"
    if waiting := document["erasures_pending"]:
        people = counted(waiting, "person", "people")
        yield f"an erasure of {people} is not finished: the next run ends it, or `prospend erase` for them again"


def _left(document: Mapping[str, Any]) -> Iterator[str]:
    """What is left of token, calls and disk, and what is held in quarantine."""
    token = document["token"]
    if token is not None:
        left = f"{token['days_left']} days left" if token["days_left"] is not None else "expiry unknown"
        told = f"token: {token['problem'] or left}{' (assumed)' if token['is_assumed'] else ''}"
        yield tinted(told, _LATE if token["problem"] else None)
        if token["problem"]:
            yield "  `prospend token show --renewal` tells how to renew it"
    if document["budget"] is not None:
        yield from budget_lines(document["budget"])
    if held := document["quarantined"]:
        of = ", ".join(f"{name} {one['quarantined']:,}" for name, one in _quarantined(document))
        yield tinted(f"quarantine: {counted(held, 'record')} ({of}); meta.quarantine tells why", _LATE)
    if document["disk"] is not None:
        yield _disk(document["disk"])


def _quarantined(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((name, one) for name, one in document["resources"].items() if one["quarantined"])


def _disk(disk: Mapping[str, Any]) -> str:
    largest = sorted(disk["sizes"].items(), key=lambda item: -item[1])
    folders = ", ".join(f"{name} {_size(size)}" for name, size in largest if size >= 10**5)
    told = f"disk: {_size(disk['total_bytes'])}{f' ({folders})' if folders else ''}, {_size(disk['free_bytes'])} free"
    if disk["growth_bytes_a_night"] is None:
        return f"{told}; how fast it fills shows after the second night"
    told += f"; a night adds about {_size(disk['growth_bytes_a_night'])}"
    nights = disk["nights_until_full"]
    return f"{told}, and there is room for {nights:,} more" if nights is not None else told


def _resources(document: Mapping[str, Any]) -> list[str]:
    cells, colours = [], []
    for name, one in document["resources"].items():
        late = [word for word, is_late in (("READ", one["is_read_late"]), ("CHANGE", one["is_change_late"])) if is_late]
        cells.append(
            [
                name,
                f"{one['rows']:,}",
                _ago(one["read_age_hours"]),
                _age(one["max_read_age_hours"]),
                _ago(one["change_age_hours"]),
                _age(one["max_change_age_hours"], unknown="no target"),
                f"LATE: {' and '.join(late)}" if late else "",
            ]
        )
        colours.append(_BAD if late else None)
    header = ["resource", "rows", "last read", "target", "last change", "target", ""]
    return _table(header, cells, [False, True, True, True, True, True, False], colours)


def _runs(document: Mapping[str, Any]) -> list[str]:
    cells, colours = [], []
    for one in document["runs"]:
        started, finished = (datetime.fromisoformat(one[key]) for key in ("started_at", "finished_at"))
        is_known = one["calls"]["used"] is not None  # of a run that was killed, nobody counted
        resources = one["resources"].values()
        counts = (sum(resource["rows"] for resource in resources) if is_known else None, *_moved(one))
        cells.append(
            [
                one["run_id"],
                one["outcome"],
                str(one["exit_code"]),
                f"{(finished - started).total_seconds():.1f}" if is_known else "?",
                *(_count(count) for count in (*counts, one["calls"]["planned"], one["calls"]["used"])),
                visible(one["error"]["what"]) if one["error"] else "",
            ]
        )
        colours.append(None if one["exit_code"] == EXIT_PUBLISHED else _BAD)
    header = "run outcome exit seconds rows new changed deleted planned calls error".split()
    right = [False, False, *([True] * 8), False]
    return _table(header, cells, right, colours) if cells else ["none"]


def _moved(run: Mapping[str, Any]) -> Iterator[int | None]:
    """Rows new, changed and deleted over all resources; None where the run did not come to know."""
    for kind in ("new", "changed", "deleted"):
        counts = [one.get(kind) for one in run["resources"].values()]
        known = [count for count in counts if count is not None]
        yield sum(known) if known else None


def _generations(document: Mapping[str, Any]) -> list[str]:
    cells = [
        [one["run_id"], _size(one["size_bytes"]), "readers open this one" if one["is_current"] else ""]
        for one in document["generations"]
    ]
    return _table(["run", "size", ""], cells, [False, True, False], [None] * len(cells))


def _table(
    header: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool], colours: Sequence[str | None]
) -> list[str]:
    """Aligned lines, each row in its colour; nothing without a row."""
    if not cells:
        return []
    lines = aligned(header, cells, right).split("\n")
    return [tinted(line, colour) for line, colour in zip(lines, [None, None, *colours], strict=True)]


def _count(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def _age(hours: float | None, unknown: str = "?") -> str:
    if hours is None:
        return unknown
    return f"{hours:.1f} h" if hours < _DAYS_FROM_HOURS else f"{hours / 24:.1f} d"


def _ago(hours: float | None) -> str:
    return "not known" if hours is None else f"{_age(hours)} ago"


def _size(size_bytes: int) -> str:
    unit, name = next(((unit, name) for unit, name in _UNITS if size_bytes >= unit), _UNITS[-1])
    return f"{size_bytes / unit:,.1f} {name}"
