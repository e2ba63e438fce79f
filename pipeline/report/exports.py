"""Tables as files for other programs: CSV and Parquet, a folder at a time, written aside and renamed when whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.durable import FOLDER_MODE, move, storing, sync
from pipeline.errors import ConfigError
from pipeline.report.reading import Column, Connection, Table, quoted, rows

Form = Literal["csv", "parquet"]
NOTE = "export.json"
_FILE_MODE = 0o640
# What a spreadsheet takes for a formula if a text begins with it.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """One table that was written: its name, its file in the folder, its rows."""

    name: str
    file: str
    row_count: int


def export(
    connection: Connection,
    tables: Sequence[Table],
    folder: Path,
    form: Form,
    facts: dict[str, str],
    *,
    for_spreadsheets: bool = False,
    force: bool = False,
) -> tuple[ExportedTable, ...]:
    """The folder holds one file a table, and `export.json` that says which night they show.

    Args:
        connection: open; all files show what it shows.
        tables: what to write.
        folder: where to; it appears when everything in it is whole.
        form: of the files.
        facts: what `export.json` says besides: `run_id` at least.
        for_spreadsheets: CSV with a byte order mark, and an apostrophe before text that would be taken for a formula.
        force: an earlier export may stand there; it is replaced.

    Raises:
        ConfigError: something stands at `folder` that may not be replaced.
    """
    where = f"export {form} · {folder}"
    with storing(where):
        _refuse_occupied(folder, where, force=force)
        aside = folder.with_name(f".{folder.name}.part")
        if aside.exists():
            shutil.rmtree(aside)  # of one that was cut off
        aside.mkdir(mode=FOLDER_MODE)
        try:
            done = tuple(
                _exported(connection, one, aside, form, facts["run_id"], for_spreadsheets=for_spreadsheets)
                for one in tables
            )
            note = {
                **facts,
                "format": form,
                "for_spreadsheets": for_spreadsheets,
                "tables": [{"name": one.name, "file": one.file, "rows": one.row_count} for one in done],
            }
            _write(aside / NOTE, lambda path: path.write_text(json.dumps(note, indent=2) + "\n", "utf-8"))
            sync(aside)
            _put_in_place(aside, folder)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
    return done


def write_parquet(connection: Connection, table: Table, path: Path, *, run_id: str) -> int:
    """The table stands in one Parquet file, with run and the meaning of each column; how many rows that are."""
    reader = rows(connection, f"FROM {table.place}")
    schema = _described(reader.schema, table, run_id)
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        for one in reader:
            writer.write_batch(pa.RecordBatch.from_arrays(one.columns, schema=schema))
            count += one.num_rows
    return count


def write_csv(connection: Connection, table: Table, path: Path, *, for_spreadsheets: bool = False) -> int:
    """The table stands in one CSV file (RFC 4180, UTF-8); how many rows that are.

    DuckDB makes the text: decimals are exact, days and UTC instants ISO 8601, lists JSON. A missing value is empty, an
    empty text is `""`.
    """
    line = " || ',' || ".join(_field(one, for_spreadsheets=for_spreadsheets) for one in table.columns)
    header = ",".join(_quoted_field(one.name) for one in table.columns)
    count = 0
    with path.open("w", encoding="utf-8-sig" if for_spreadsheets else "utf-8", newline="") as file:
        file.write(f"{header}\r\n")
        for some in rows(connection, f"SELECT {line} FROM {table.place}"):  # noqa: S608 - quoted names
            file.writelines(f"{text}\r\n" for text in some.column(0).to_pylist())
            count += some.num_rows
    return count


def _exported(
    connection: Connection, table: Table, folder: Path, form: Form, run_id: str, *, for_spreadsheets: bool
) -> ExportedTable:
    path = folder / f"{table.full_name}.{form}"
    if form == "parquet":
        count = _write(path, lambda path: write_parquet(connection, table, path, run_id=run_id))
    else:
        count = _write(path, lambda path: write_csv(connection, table, path, for_spreadsheets=for_spreadsheets))
    return ExportedTable(table.full_name, path.name, count)


def _write(path: Path, write: Callable[[Path], int]) -> int:
    """A file that is on the disk, readable for the group whatever the umask."""
    count = write(path)
    path.chmod(_FILE_MODE)
    sync(path)
    return count


def _refuse_occupied(folder: Path, where: str, *, force: bool) -> None:
    """Nothing, if nothing stands at `folder` that could be missed."""
    if not folder.parent.is_dir():
        raise ConfigError("the folder to write into has no parent folder", where=where, do="make it, or name another")
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir() or folder.is_symlink():
        raise ConfigError("there is something else than a folder", where=where, do="name another folder")
    held = {path.name for path in folder.iterdir()}
    if not held:
        return
    if not force:
        raise ConfigError("the folder is not empty", where=where, do="name another, or give --force to replace it")
    if NOTE not in held or held - _files_of(folder):
        raise ConfigError("the folder holds other files than an export", where=where, do="name another folder")


def _files_of(folder: Path) -> set[str]:
    try:
        note = json.loads((folder / NOTE).read_bytes())
        return {NOTE, *(one["file"] for one in note["tables"])}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()


def _put_in_place(aside: Path, folder: Path) -> None:
    """The folder is the new one. An earlier export is out of the way for the time of two renames."""
    earlier = folder.with_name(f".{folder.name}.earlier")
    if folder.exists():
        if earlier.exists():
            shutil.rmtree(earlier)
        folder.rename(earlier)
    move(aside, folder)
    if earlier.exists():
        shutil.rmtree(earlier)


def _described(schema: pa.Schema, table: Table, run_id: str) -> pa.Schema:
    """The columns with what they mean, and the table's meaning, for whoever opens the file alone."""
    fields = [
        field.with_metadata({"description": column.about}) if column.about else field
        for field, column in zip(schema, table.columns, strict=True)
    ]
    return pa.schema(fields, {"description": table.about, "table": table.full_name, "run_id": run_id})


# ---- CSV as SQL -----------------------------------------------------------------------------------------------------


def _field(column: Column, *, for_spreadsheets: bool) -> str:
    """An expression with a value of the column as it stands in the file."""
    text, is_text = _as_text(column)
    if not is_text:
        return f"coalesce({text}, '')"
    if for_spreadsheets:
        starts = ", ".join(f"'{one}'" if one.isprintable() else f"chr({ord(one)})" for one in FORMULA_STARTS)
        text = f"CASE WHEN left({text}, 1) IN ({starts}) THEN chr(39) || {text} ELSE {text} END"
    special = " OR ".join(f"contains({text}, {one})" for one in ("'\"'", "','", "chr(13)", "chr(10)"))
    inside = f"'\"' || replace({text}, '\"', '\"\"') || '\"'"
    return f"CASE WHEN {text} IS NULL THEN '' WHEN {text} = '' OR {special} THEN {inside} ELSE {text} END"


def _as_text(column: Column) -> tuple[str, bool]:
    """An expression with a value as text, and whether that text can hold anything."""
    name = quoted(column.name)
    if column.type == "TIMESTAMP WITH TIME ZONE":
        return f"replace(make_timestamp(epoch_us({name}))::VARCHAR, ' ', 'T') || 'Z'", False
    if column.type.endswith("]"):
        return f"to_json({name}::VARCHAR[])::VARCHAR", True
    is_plain = column.type.startswith(("DECIMAL", "BOOLEAN", "DATE", "DOUBLE", "FLOAT"))
    is_plain = is_plain or column.type.endswith(("INT", "INTEGER"))
    return (f"{name}::VARCHAR", not is_plain)


def _quoted_field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(char in text for char in '",\r\n') else text
