"""`dictionary`: what every table and column means."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import catalogue_of, data_folder, shared, until_the_reader_leaves

if TYPE_CHECKING:
    from pipeline.report.dictionary import Dictionary

_FORMATS = ("md", "html", "json")


@click.command(short_help="What every table and column means, and where it comes from.")
@click.option("--format", "form", type=click.Choice(_FORMATS), help="Default: md; with --json: json.")
@click.option("--output", type=click.Path(path_type=Path), help="Write to a file.")
@click.option(
    "--catalogue-only",
    is_flag=True,
    help="Of the built-in catalogue, or the site's with --config; without a warehouse.",
)
@shared
def dictionary(
    form: str | None,
    output: Path | None,
    catalogue_only: bool,
    config: Path | None,
    data: Path | None,
    as_json: bool,
    quiet: bool,  # noqa: ARG001
    debug: bool,  # noqa: ARG001
) -> None:
    """Write the data dictionary: each table, view and column with type, key, currency and meaning.

    \b
    Examples:
      prospend dictionary > dictionary.md
      prospend dictionary --format html --output dictionary.html
      prospend dictionary --data data/demo --json
      prospend dictionary --catalogue-only          before there is a warehouse

    Each column names the API's fields that its value is made of, also through marts, and whether the vendor documents
    them. The HTML file has a diagram of the tables and needs nothing from elsewhere.
    """
    from pipeline.durable import storing
    from pipeline.report.dictionary import as_html, as_markdown
    from pipeline.report.dictionary import as_json as as_document

    found = (
        _of_catalogue(catalogue_of(config, data) if config else None) if catalogue_only else _of_warehouse(config, data)
    )
    writes = {"md": as_markdown, "html": as_html, "json": as_document}
    text = writes[form or ("json" if as_json else "md")](found)
    if output is None:
        with until_the_reader_leaves():
            click.echo(text, nl=False)
        return
    with storing(f"dictionary --output {output}"):
        output.write_text(text, encoding="utf-8", newline="\n")


def _of_warehouse(config: Path | None, data: Path | None) -> Dictionary:
    """What the published file says of itself; of the catalogue while nothing is published."""
    from pipeline import warehouse
    from pipeline.cli.options import existing
    from pipeline.ops.runs import pointer_of
    from pipeline.report.dictionary import Dictionary, described

    folder = data_folder(config, data)
    pointer = pointer_of(existing(data) if data is not None else folder)
    if not pointer.is_symlink():
        return _of_catalogue(catalogue_of(config, data))
    with closing(warehouse.connect(pointer)) as connection, warehouse.asking("dictionary"):
        info = warehouse.snapshot_info(connection)
        return Dictionary(described(connection), info.site, info.run_id)


def _of_catalogue(path: Path | None) -> Dictionary:
    """What a file of this catalogue will hold, the built-in one by default."""
    from pipeline import warehouse
    from pipeline.report.dictionary import Dictionary, described
    from pipeline.resources import read_catalogue

    with warehouse.blank(read_catalogue(path)) as connection:
        return Dictionary(described(connection))
