"""`export dbt`: a dbt project over the published warehouse."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pipeline.cli.options import data_folder, shared
from pipeline.cli.text import counted


@click.command(short_help="A dbt project whose sources are the warehouse.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Write models/sources/ and tests/generic/ anew; the rest stays as it is.")
@shared
def dbt(
    folder: Path,
    force: bool,
    config: Path | None,
    data: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Write a dbt project into FOLDER: sources with the meaning of every column, freshness, tests, two example models.

    \b
    Examples:
      prospend export dbt analytics                   then: cd analytics && dbt build
      prospend export dbt analytics --force           after a change of the warehouse's tables

    dbt-duckdb attaches the published file read-only and writes models to a file of its own beside the project. What
    stands in FOLDER already is never replaced, but for the sources with --force.
    """
    from contextlib import closing

    from pipeline import warehouse
    from pipeline.durable import storing
    from pipeline.ops.runs import pointer_of
    from pipeline.report.dbt import project, sources
    from pipeline.report.dictionary import Dictionary, described

    pointer = pointer_of(data_folder(config, data))
    with closing(warehouse.connect(pointer)) as connection, warehouse.asking("export dbt"):
        info = warehouse.snapshot_info(connection)
        found = Dictionary(described(connection), info.site, info.run_id)
    users = project(str(pointer.absolute()), has_marts=bool(found.of_schema("mart")))
    with storing(f"export dbt · {folder}"):
        written = [
            path
            for files, is_replaced in ((sources(found), force), (users, False))
            for path, text in files.items()
            if _written(folder / path, text, is_replaced=is_replaced)
        ]
    if as_json:
        click.echo(json.dumps({"folder": str(folder), "run_id": info.run_id, "written": written}, indent=2))
    elif not quiet:
        kept = "" if written else "; all of it stands there already (--force writes the sources anew)"
        click.echo(f"{folder}: {counted(len(written), 'file')} of a dbt project{kept}")


def _written(path: Path, text: str, *, is_replaced: bool) -> bool:
    """Whether the file was written: one that stands there is the user's, if it is not to be replaced."""
    if path.exists() and not is_replaced:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    return True
