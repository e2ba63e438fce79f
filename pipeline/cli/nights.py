"""Running a night from the command line, on a site or on the sandbox, and telling its result."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from pipeline import nightly, warehouse
from pipeline.cli.options import until_the_reader_leaves
from pipeline.cli.progress import shown
from pipeline.cli.results import as_text
from pipeline.cli.text import visible
from pipeline.errors import ConfigError, SourceUnavailable
from pipeline.model import RunReport
from pipeline.ops.records import document_of
from pipeline.ops.runs import pointer_of
from pipeline.ops.token_source import guarded_environment
from pipeline.readings import Wanted
from pipeline.settings import Api, Settings, Site, Storage, Token

_DEMO_TOKEN = "PROSPEND_DEMO_TOKEN"  # noqa: S105 - the name of a variable

DEMO_QUERIES = (
    (
        "Claim totals by status, in the claim's currency",
        """SELECT c.status, t.currency_code AS currency, count(DISTINCT c.id) AS claims, sum(t.gross_amount) AS gross
FROM prospend.claim c JOIN prospend.claim_currency_total t ON (t.company_id, t.claim_id) = (c.company_id, c.id)
GROUP BY ALL ORDER BY gross DESC LIMIT 8""",
    ),
    (
        "The five suppliers with the largest finalised invoices",
        """SELECT i.supplier_name AS supplier, t.currency_code AS currency,
       count(*) AS invoices, sum(t.net_amount) AS net
FROM prospend.invoice i JOIN prospend.invoice_transaction_total t ON (t.company_id, t.invoice_id) = (i.company_id, i.id)
WHERE i.status = 'Finalised' GROUP BY ALL ORDER BY net DESC LIMIT 5""",
    ),
    (
        "Who waits longest for an approval",
        """SELECT claimant_name AS claimant, id AS claim, created_date::DATE AS created, summary
FROM prospend.claim WHERE status = 'PendingApproval' ORDER BY created_date, id LIMIT 5""",
    ),
)


def listed(text: str | None) -> tuple[str, ...]:
    """The names in a list with commas."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def wanted_of(*, is_full: bool, only: str | None, since: datetime | None) -> Wanted:
    """What the options of `run` ask for.

    Raises:
        ConfigError: they contradict each other.
    """
    if is_full and since is not None:
        raise ConfigError("--full reads everything, --since only what changed", where="run", do="give one of the two")
    return Wanted(is_full, listed(only), since.replace(tzinfo=UTC) if since else None)


def closing(settings: Settings, closed_until: date) -> Settings:
    """The settings of one run in which the accounting periods up to a day are closed."""
    return replace(settings, checks=replace(settings.checks, closed_until=closed_until))


def run_and_tell(
    settings: Settings,
    wanted: Wanted | None = None,
    *,
    accepts_shrink: Sequence[str] = (),
    as_json: bool,
    quiet: bool,
    environ: dict[str, str] | None = None,
) -> None:
    """One run; the result on standard output, as JSON also when it failed. `environ` is the process's own by default.

    Raises:
        PipelineError: as the run.
    """
    environ = guarded_environment(settings.token, os.environ if environ is None else environ)
    told: list[RunReport] = []
    try:
        with shown(quiet=quiet) as observe:
            nightly.run(
                settings,
                wanted=wanted,
                accepts_shrink=accepts_shrink,
                environ=environ,
                observe=observe,
                on_report=told.append,
            )
    finally:
        if as_json and told:
            _tell(json.dumps(document_of(told[-1]), indent=2))
    if not as_json and not quiet:
        _tell(_summary(told[-1]))


def run_demo(data: Path, *, claims: int, as_json: bool, quiet: bool) -> None:
    """The sandbox with books that end this week, one run against it, and three queries with their answers."""
    data = data.absolute()
    yesterday = datetime.now(UTC).date() - timedelta(days=1)  # all of it has happened: nothing lies in the future
    with sandbox_process(data / "sandbox", claims, "--until", yesterday.isoformat()) as served:
        settings = Settings(
            site=Site(name="sandbox", base_url=served["base_url"]),
            token=Token(env=_DEMO_TOKEN),
            storage=Storage(data_dir=data),
            api=Api(ca_file=Path(served["ca_file"])),
        )
        # Taken out, so that no variable that a traceback could show holds it.
        run_and_tell(settings, as_json=as_json, quiet=quiet, environ={_DEMO_TOKEN: served.pop("token")})
    if as_json:
        return
    with until_the_reader_leaves():
        _show_queries(data)


def _show_queries(data: Path) -> None:
    """Three queries with their answers, and how to go on."""
    with warehouse.connect(pointer_of(data)) as connection:
        for title, sql in DEMO_QUERIES:
            click.echo(f"\n{title}\n\n{sql}\n")
            click.echo(as_text(warehouse.query(connection, sql)))
    here = Path.cwd()
    shown_data = data.relative_to(here) if data.is_relative_to(here) else data
    click.echo(
        f"\nYours to explore:\n"
        f"  open {shown_data}/reports/latest/index.html in your browser, and prospend.xlsx beside it\n"
        f'  {_own_name()} query --data {shown_data} "FROM meta.data_dictionary LIMIT 20"\n'
        f"  {_own_name()} status --data {shown_data}\n"
        f"  or open {shown_data}/warehouse.duckdb, read-only, with any tool that speaks DuckDB"
    )


def _own_name() -> str:
    """How the user can call this program from where they are."""
    if shutil.which("prospend"):
        return "prospend"
    beside = Path(sys.executable).with_name("prospend")
    return str(beside.relative_to(Path.cwd())) if beside.is_relative_to(Path.cwd()) else str(beside)


@contextmanager
def sandbox_process(state_dir: Path, claims: int, *options: str) -> Iterator[dict[str, Any]]:
    """A sandbox in a process of its own, ended with the block; what it printed when it listened.

    `options` are more of `prospend sandbox serve`.

    Raises:
        SourceUnavailable: it did not start.
    """
    command = (sys.executable, "-m", "pipeline", "sandbox", "serve", "--json", "--claims", str(claims))
    process = subprocess.Popen(  # noqa: S603 - our own program
        (*command, "--state", str(state_dir), *options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline() or "{}")
        if not facts:
            raise SourceUnavailable(
                "the sandbox did not start", where="demo", do="run `prospend sandbox serve` to see why"
            )
        facts["pid"] = process.pid
        yield facts
    finally:
        process.terminate()
        process.wait()


def _tell(text: str) -> None:
    # The run is over: a closed or full standard output must not turn its result into another one.
    with contextlib.suppress(OSError, ValueError):
        click.echo(text)


def _planned(report: RunReport) -> str:
    return f" ({report.calls_planned:,} planned)" if report.calls_planned is not None else ""


def _ageing(report: RunReport) -> str:
    """The token's days, once they are few."""
    token = report.token
    return f", token: {token.days_left} days left" if token is not None and token.warning is not None else ""


def _moved(report: RunReport) -> str:
    """What the run did to the rows, in brackets; nothing for a first run, to which every row is new."""
    if not any(one.unchanged for one in report.resources):
        return ""
    kinds = ("new", "changed", "deleted", "restored")
    counts = {kind: sum(getattr(one, kind) or 0 for one in report.resources) for kind in kinds}
    told = ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)
    return f" ({told or 'nothing changed'})"


def _summary(report: RunReport) -> str:
    rows = sum(one.rows for one in report.resources)
    quarantined = sum(one.quarantined for one in report.resources)
    seconds = (report.finished_at - report.started_at).total_seconds()
    passed = sum(check.passed for check in report.checks)
    kept_out = f", {quarantined:,} quarantined" if quarantined else ""
    lines = [
        (
            f"published {report.run_id}: {rows:,} rows of {len(report.resources)} resources{_moved(report)}{kept_out}, "
            f"{report.calls_used:,} calls{_planned(report)}, {passed} of {len(report.checks)} checks passed, "
            f"{seconds:.1f} s{_ageing(report)}"
        ),
        *(f"  note: {visible(check.detail)} ({check.name})" for check in report.checks if not check.passed),
        f"  readers open {pointer_of(Path(report.warehouse or '').parent.parent)}",
        *(f"  {'page' if one == report.page else 'workbook'}: {one}" for one in (report.page, report.workbook) if one),
    ]
    return "\n".join(lines)
