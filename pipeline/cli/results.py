"""Query results as text, CSV, JSON or Parquet, and the status of a data folder."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from pipeline.cli.text import aligned, counted, visible
from pipeline.durable import storing
from pipeline.errors import ConfigError, TokenError

if TYPE_CHECKING:
    from pipeline.warehouse import Answer

_ROWS_AT_ONCE = 10_000
_WIDEST_CELL = 60


def print_query(data: Path, sql: str, form: str, output: Path | None) -> None:
    """The result of one read-only statement, in the wanted form, on standard output or in a file.

    Raises:
        ConfigError: the statement is not right, or parquet was asked for without a file.
    """
    from pipeline import warehouse
    from pipeline.ops.runs import pointer_of

    if form == "parquet" and output is None:
        raise ConfigError("parquet is not text", where="query --format parquet", do="name a file with --output")
    with warehouse.connect(pointer_of(data)) as connection:
        found = warehouse.query(connection, sql)
        if form == "parquet":
            assert output is not None
            with storing(f"query --output {output}"):
                _write_parquet(found, output)
            return
        if output is None:
            _write_text(found, form, sys.stdout)
            return
        with storing(f"query --output {output}"), output.open("w", encoding="utf-8", newline="") as file:
            _write_text(found, form, file)


def _write_text(found: Answer, form: str, out: Any) -> None:
    if form == "csv":
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(found.columns)
        for rows in _blocks(found):
            writer.writerows([["" if value is None else _plain(value) for value in row] for row in rows])
    elif form == "json":
        _write_json(found, out)
    else:
        out.write(as_text(found) + "\n")


def _write_json(found: Answer, out: Any) -> None:
    import msgspec

    twice = sorted({name for name in found.columns if found.columns.count(name) > 1})
    if twice:
        raise ConfigError(
            f"two columns are called {', '.join(twice)}", where="query", do="give each column its own name with AS"
        )
    encoder = msgspec.json.Encoder(decimal_format="number")  # exact: 0.10 stays 0.10
    before = "[\n "
    for rows in _blocks(found):
        for row in rows:
            out.write(before + encoder.encode(dict(zip(found.columns, row, strict=True))).decode())
            before = ",\n "
    out.write("[]\n" if before.startswith("[") else "\n]\n")


def _write_parquet(found: Answer, output: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(found.to_arrow_table(), output, compression="zstd", write_page_checksum=True)
    click.echo(f"{output}: written", err=True)


def _blocks(found: Answer) -> Iterator[list[tuple[Any, ...]]]:
    while rows := found.fetchmany(_ROWS_AT_ONCE):
        yield rows


def as_text(found: Answer) -> str:
    """An aligned table: header, rule, rows; numbers to the right."""
    rows = found.fetchall()
    cells = [[_shortened(visible(_plain(value))) if value is not None else "" for value in row] for row in rows]
    right = [any(isinstance(row[i], int | float | Decimal) for row in rows) for i in range(len(found.columns))]
    return aligned(found.columns, cells, right)


def _shortened(text: str) -> str:
    """A cell that keeps a table readable; the other formats give values whole."""
    return text if len(text) <= _WIDEST_CELL else text[: _WIDEST_CELL - 1] + "…"


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


# ---- status ---------------------------------------------------------------------------------------------------------


def status_document(config: Path | None, data: Path | None, last: int) -> dict[str, Any]:
    """What `status --json` prints. Works without a valid token, and with `--data` without a site."""
    from pipeline import warehouse
    from pipeline.cli.options import existing, site_settings
    from pipeline.ops import records
    from pipeline.ops.runs import pointer_of
    from pipeline.snapshot import erasures, pending

    settings = site_settings(config, data) if data is None or config is not None else None
    # The folder of the settings is made by the first run; one that is named is taken to be there.
    folder = existing(data) if data is not None else settings.storage.data_dir  # type: ignore[union-attr]  # one is set
    now = datetime.now(UTC)
    document: dict[str, Any] = {
        "site": settings.site.name if settings else None,
        "timezone": settings.site.timezone if settings else "UTC",
        "data_as_at": None,
        "age_hours": None,
        "warehouse": None,
        "tables": {},
        "generations": [],
        "runs": list(records.recent(folder, last)),
        "erasures_pending": len(pending(erasures(folder))),
        "token": _token_status(settings, now),
        "budget": _budget_status(settings, now),
    }
    pointer = pointer_of(folder)
    with storing(f"status · {folder}"):
        if not pointer.is_symlink():
            return document
    with warehouse.connect(pointer) as connection:
        info = warehouse.snapshot_info(connection)
        document["tables"] = warehouse.table_rows(connection)
    document["site"] = document["site"] or info.site
    document["data_as_at"] = info.data_as_at.isoformat()
    document["age_hours"] = round((now - info.data_as_at).total_seconds() / 3600, 2)
    document["warehouse"] = str(pointer.resolve())
    document["generations"] = [
        {"run_id": one.run_id, "size_bytes": one.size_bytes, "is_current": one.is_current}
        for one in warehouse.generations(folder / "warehouse", pointer)
    ]
    return document


def _token_status(settings: Any, now: datetime) -> dict[str, Any] | None:
    """What the token says of itself; None without a site."""
    import os

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


def _budget_status(settings: Any, now: datetime) -> dict[str, Any] | None:
    """Calls used and left; None without a site."""
    from pipeline.ops import ledger

    if settings is None:
        return None
    folder = ledger.folder_of(settings.storage.data_dir, settings.site.name)
    return ledger.document_of(folder, settings.budget, now)


def print_status(document: dict[str, Any]) -> None:
    """The status for people."""
    name = document["site"] or "this data folder"
    if document["data_as_at"] is None:
        click.echo(f"{name}: nothing published yet")
    else:
        rows = sum(document["tables"].values())
        as_at = datetime.fromisoformat(document["data_as_at"]).astimezone(ZoneInfo(document["timezone"]))
        click.echo(f"{name}: data as at {as_at:%Y-%m-%d %H:%M %Z}, {document['age_hours']:.1f} hours old")
        click.echo(f"warehouse: {document['warehouse']} ({rows:,} rows in {len(document['tables'])} tables)")
    if waiting := document["erasures_pending"]:
        people = counted(waiting, "person", "people")
        click.echo(f"an erasure of {people} is not finished: the next run ends it, or `prospend erase` for them again")
    token = document["token"]
    if token is not None:
        left = f"{token['days_left']} days left" if token["days_left"] is not None else "expiry unknown"
        click.echo(f"token: {token['problem'] or left}{' (assumed)' if token['is_assumed'] else ''}")
        if token["problem"]:
            click.echo("  `prospend token show --renewal` tells how to renew it")
    if document["budget"] is not None:
        from pipeline.cli.plans import budget_lines

        for line in budget_lines(document["budget"]):
            click.echo(line)
    _print_runs(document)
    _print_generations(document)


def _print_runs(document: dict[str, Any]) -> None:
    cells = []
    for one in document["runs"]:
        started, finished = (datetime.fromisoformat(one[key]) for key in ("started_at", "finished_at"))
        rows = sum(resource["rows"] for resource in one["resources"].values())
        told = one["error"]["what"] if one["error"] else ""
        calls = one["calls"]["used"]
        known = (
            ("?", "?", "?")
            if calls is None
            else (f"{(finished - started).total_seconds():.1f}", f"{rows:,}", f"{calls:,}")
        )
        cells.append(
            [
                one["run_id"],
                one["outcome"],
                str(one["exit_code"]),
                *known,  # of a run that was killed, nobody counted
                told,
            ]
        )
    click.echo("\nlast runs")
    if cells:
        header = ["run", "outcome", "exit", "seconds", "rows", "calls", "error"]
        click.echo(aligned(header, cells, [False, False, True, True, True, True, False]))
    else:
        click.echo("none")


def _print_generations(document: dict[str, Any]) -> None:
    cells = [
        [one["run_id"], f"{one['size_bytes'] / 1e6:,.1f} MB", "readers open this one" if one["is_current"] else ""]
        for one in document["generations"]
    ]
    if cells:
        click.echo("\ngenerations")
        click.echo(aligned(["run", "size", ""], cells, [False, True, False]))
