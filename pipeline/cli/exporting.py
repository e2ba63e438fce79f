"""`export`: tables as files for other programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import data_folder, shared
from pipeline.cli.text import counted

if TYPE_CHECKING:
    from pipeline.report.exports import Form
    from pipeline.report.reading import Connection, Table

_FOLDER = click.argument("folder", type=click.Path(path_type=Path))
_TABLE = click.option("--table", "names", multiple=True, metavar="SCHEMA.TABLE", help="Only this one; may be repeated.")
_ALL = click.option("--all", "is_all", is_flag=True, help="The marts and the current state (schema prospend).")
_FORCE = click.option("--force", is_flag=True, help="Replace an earlier export that stands there.")


@click.group(short_help="Write tables as files for other programs.")
def export() -> None:
    """Write what readers have as files for other programs.

    \b
    Examples:
      prospend export csv /tmp/marts                       every mart, one file each
      prospend export xlsx /tmp/prospend.xlsx              a workbook, one sheet a mart
      prospend export parquet /tmp/all --all               the current state, too
      prospend export csv /tmp/spend --table mart.spend_line --for-spreadsheets
    """


@export.command(short_help="One CSV file a table.")
@_FOLDER
@_TABLE
@_ALL
@_FORCE
@click.option(
    "--for-spreadsheets", is_flag=True, help="With a byte order mark, and no text that is taken for a formula."
)
@shared
def csv(
    folder: Path,
    names: tuple[str, ...],
    is_all: bool,
    force: bool,
    for_spreadsheets: bool,
    config: Path | None,
    data: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Write each mart as a CSV file into FOLDER, which appears when all of them are whole.

    \b
    Examples:
      prospend export csv /tmp/marts
      prospend export csv /tmp/claims --table prospend.claim --table prospend.claim_currency_total

    UTF-8 by RFC 4180: comma, quotes where needed, CR LF, names in the first line. Decimals are exact, days are
    2026-06-30, instants 2026-06-30T14:00:00Z, lists are JSON. A missing value is empty, an empty text is "".

    Values stand as they are, and a spreadsheet takes text such as =1+1 for a formula. With --for-spreadsheets such text
    has an apostrophe in front; a workbook (prospend export xlsx) needs none. Tables of schema prospend also hold the
    rows that are deleted at the source: those where _deleted_at is not empty.
    """
    tell(folder, "csv", names, is_all, force, (config, data), as_json, quiet, for_spreadsheets=for_spreadsheets)


@export.command(short_help="One Parquet file a table.")
@_FOLDER
@_TABLE
@_ALL
@_FORCE
@shared
def parquet(
    folder: Path,
    names: tuple[str, ...],
    is_all: bool,
    force: bool,
    config: Path | None,
    data: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Write each mart as a Parquet file into FOLDER, which appears when all of them are whole.

    \b
    Examples:
      prospend export parquet /tmp/marts
      prospend export xlsx /tmp/prospend.xlsx              a workbook, one sheet a mart
      prospend export parquet /tmp/all --all

    Amounts are DECIMAL, instants are UTC; each column carries its meaning as `description`. Tables of schema prospend
    also hold the rows that are deleted at the source: those with a `_deleted_at`.
    """
    tell(folder, "parquet", names, is_all, force, (config, data), as_json, quiet)


@export.command(short_help="A workbook with one sheet a mart.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--mask-people", "masks", is_flag=True, help="Made-up names in place of people's, as report.mask_people.")
@click.option("--force", is_flag=True, help="Replace a file that stands there.")
@shared
def xlsx(
    file: Path,
    masks: bool,
    force: bool,
    config: Path | None,
    data: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Write a workbook into FILE: a cover with the age of the data and control totals, and one sheet a mart.

    \b
    Examples:
      prospend export xlsx /tmp/prospend.xlsx
      prospend export xlsx /tmp/for-the-auditor.xlsx --mask-people

    Days and times are by the clock of the site. Nothing in it is a formula. What a spreadsheet cannot hold (numbers of
    more than 15 digits, very long texts, days before 1900, more rows than a sheet should have) is told on its cover.
    """
    from contextlib import closing
    from datetime import UTC, datetime

    from pipeline import warehouse
    from pipeline.cli.options import site_settings
    from pipeline.errors import ConfigError
    from pipeline.marts import for_readers
    from pipeline.ops.runs import pointer_of
    from pipeline.report.values import ReportFacts
    from pipeline.report.workbook import write_workbook

    where = f"export xlsx · {file}"
    if not file.parent.is_dir() or file.is_dir():
        raise ConfigError("no file can be written there", where=where, do="name a file in a folder that exists")
    if file.exists() and not force:
        raise ConfigError("there is a file already", where=where, do="name another, or give --force to replace it")
    settings = site_settings(config, data) if data is None or config is not None else None
    masks = masks or (settings is not None and settings.report.mask_people)
    with closing(warehouse.connect(pointer_of(data_folder(config, data)))) as connection:
        info = warehouse.snapshot_info(connection)
        zone = settings.site.timezone if settings else warehouse.timezone(connection)
        facts = ReportFacts(info.site, zone, info.run_id, datetime.now(UTC), mask_people=masks)
        with warehouse.asking("export xlsx"):
            sheets = write_workbook(connection, file, facts, order=for_readers())
    rows = sum(one.sheet.shown for one in sheets)
    if as_json:
        told = [
            {"name": one.sheet.table.full_name, "rows": one.sheet.row_count, "shown": one.sheet.shown} for one in sheets
        ]
        click.echo(json.dumps({"file": str(file), "run_id": info.run_id, "sheets": told}, indent=2))
    elif not quiet:
        click.echo(f"{file}: {counted(len(sheets), 'sheet')} of run {info.run_id}, {counted(rows, 'row')}")


def tell(
    folder: Path,
    form: Form,
    names: Sequence[str],
    is_all: bool,
    force: bool,
    place: tuple[Path | None, Path | None],
    as_json: bool,
    quiet: bool,
    *,
    for_spreadsheets: bool = False,
) -> None:
    """Export, and say what was written."""
    from contextlib import closing

    from pipeline import warehouse
    from pipeline.ops.runs import pointer_of
    from pipeline.report import exports

    with closing(warehouse.connect(pointer_of(data_folder(*place)))) as connection:
        info = warehouse.snapshot_info(connection)
        facts = {"site": info.site, "run_id": info.run_id, "data_as_at": info.data_as_at.isoformat()}
        with warehouse.asking(f"export {form}"):
            done = exports.export(
                connection,
                wanted_tables(connection, names, is_all=is_all),
                folder,
                form,
                facts,
                for_spreadsheets=for_spreadsheets,
                force=force,
            )
    if as_json:
        told = [{"name": one.name, "file": one.file, "rows": one.row_count} for one in done]
        click.echo(json.dumps({"folder": str(folder), **facts, "tables": told}, indent=2))
    elif not quiet:
        rows = sum(one.row_count for one in done)
        click.echo(f"{folder}: {counted(len(done), 'table')} of run {info.run_id}, {counted(rows, 'row')}")


def wanted_tables(connection: Connection, names: Sequence[str], *, is_all: bool) -> tuple[Table, ...]:
    """The tables that a command line asks for: those named, all that readers use, or the marts.

    Raises:
        ConfigError: there is no such table, or there are no marts.
    """
    from pipeline.errors import ConfigError
    from pipeline.report.reading import CURRENT, MARTS, chosen, tables

    if names and is_all:
        raise ConfigError("--table and --all exclude each other", where="command line", do="give one of them")
    if names:
        return chosen(connection, names)
    found = tables(connection, (MARTS, CURRENT) if is_all else (MARTS,))
    if not found:
        raise ConfigError(
            "the warehouse has no marts",
            where="schema mart",
            do="run `prospend run` for a night with marts, or name tables with --table or --all",
        )
    return found
