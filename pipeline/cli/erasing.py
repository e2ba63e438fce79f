"""`erase`: forgetting people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from pipeline.cli.options import catalogue_of, data_folder, existing, shared
from pipeline.cli.text import counted

if TYPE_CHECKING:
    from pipeline.night.erasing import Forgotten


@click.command(short_help="Forget people: in all snapshots and warehouse files, and in what is read from now on.")
@click.argument("person_ids", nargs=-1, metavar="[PERSON_ID]...")
@click.option("--file", "listed", type=click.File("rb"), help="A file with one id a line, - for standard input.")
@click.option("--dry-run", is_flag=True, help="Only say what would be rewritten and removed.")
@shared
def erase(
    person_ids: tuple[str, ...],
    listed: BinaryIO | None,
    dry_run: bool,
    config: Path | None,
    data: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Put a made-up name in place of everything that tells who people are, everywhere in the data folder, for good.

    \b
    Examples:
      prospend erase --dry-run 4007
      prospend erase --file people.txt         one id a line, so that no id stands in the shell's history

    PERSON_ID is a user id as in claimant_id or claim_approver.id. What of a record is theirs is marked as personal in
    configs/prospend.toml: id, name, number and code, and what they wrote: summaries, notes, descriptions, custom
    fields. Amounts, documents and their keys stay, so the books tie to the cent. Unknown fields of those records
    (_extra) and records that did not fit are emptied.

    All snapshots are rewritten, the warehouse is made again from them (with the history that they have), and every
    other warehouse file is removed, however young: there is nothing left to roll back to. Pages that a run kept are
    removed. Later nights put the same made-up name in place of what they read. The proof stands in erasures/. An
    erasure cannot be taken back.

    Not reached: backups and other copies, files that a reader has open, what other people wrote of them in free text,
    and names without an id, as in prospend.expense_recipient: where a colleague's record names them, the name stays.
    """
    import secrets

    from pipeline.errors import ConfigError
    from pipeline.night.erasing import forget, plan_forgetting
    from pipeline.resources import read_catalogue

    wanted = _ids(person_ids, listed)
    if not wanted:
        raise ConfigError("nobody is named", where="command line", do="name ids, or a file with ids by --file")
    folder = existing(data_folder(config, data))
    todo = plan_forgetting if dry_run else forget
    catalogue = read_catalogue(catalogue_of(config, data))
    done = todo(folder, catalogue, wanted, datetime.now(UTC), new_key=secrets.token_bytes)
    if as_json:
        click.echo(json.dumps(_document(done, dry_run=dry_run), indent=2))
    else:
        if dry_run:  # never of what was done: that is kept, in logs
            click.echo(f"ids given: {', '.join(wanted)}")
        _print(done, dry_run=dry_run, quiet=quiet)


def _ids(person_ids: Sequence[str], listed: BinaryIO | None) -> list[str]:
    """The ids that are given, without what editors and spreadsheets put around them."""
    from pipeline.errors import ConfigError

    try:
        lines = listed.read().decode("utf-8").splitlines() if listed else []
    except UnicodeDecodeError:
        raise ConfigError("the list of ids is not UTF-8", where="--file", do="save the file as UTF-8") from None
    found = [one.replace("\ufeff", "").strip() for one in (*person_ids, *lines)]
    if not all(one.isprintable() for one in found):
        raise ConfigError(
            "an id holds characters that cannot be printed", where="ids given", do="save the file as UTF-8"
        )
    return [one for one in found if one]


def _document(done: Forgotten, *, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "people": [] if dry_run else list(done.people),
        "rows": dict(done.rows),
        "files_rewritten": done.file_count,
        "generations_removed": list(done.generations),
        "kept_pages_removed": done.kept_pages,
        "was_done": done.was_done,
    }


def _print(done: Forgotten, *, dry_run: bool, quiet: bool) -> None:
    if not quiet:
        for name, count in done.rows.items():
            click.echo(f"{name}: {counted(count, 'row')} {'tells' if count == 1 else 'tell'} of them")
    people = counted(len(done.people), "person", "people")
    if done.was_done:
        click.echo(f"{people} erased before, nothing is left")
        return
    is_one = len(done.people) == 1
    are, removed = ("would be", "would be removed") if dry_run else ("is" if is_one else "are", "removed")
    click.echo(f"{people} {are} erased from {counted(done.file_count, 'snapshot file')}")
    older = counted(len(done.generations), "older warehouse file")
    click.echo(f"{older} {removed}; the newest is made again from the snapshots")
    if not dry_run:
        click.echo(f"made-up names: {', '.join(done.people)}")
        click.echo("not reached: backups, copies and files that a reader has open; names without an id, as in")
        click.echo("expense_recipient where a colleague's record names them")
