"""What people read of the published warehouse: written into `reports/<run_id>/`, found under `reports/latest`.

A report is made aside, in a folder of its own, and `latest` is switched to it when all of it is there; so whoever opens
the page sees one night. Reports go with the generation that they tell of, and in an erasure: they name people. The
folder's name says of a report that it names none, so that those which do can go where nobody is to be named any more.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline import warehouse
from pipeline.durable import make_folder, own_folder, storing, sync
from pipeline.errors import PipelineError
from pipeline.marts import for_readers
from pipeline.ops.runs import generation_of, pointer_of
from pipeline.report import ReportFacts
from pipeline.settings import Report
from pipeline.warehouse import DuckDB

PAGE, WORKBOOK = "index.html", "prospend.xlsx"
_LATEST, _NEXT, _ASIDE, _MASKED = "latest", ".latest.next", ".building-", ".masked"
_READABLE = 0o640


@dataclass(frozen=True, slots=True)
class Written:
    """Where a report lies, below `latest`; None for what was not asked for."""

    run_id: str
    page: Path | None
    workbook: Path | None


def write(
    data_dir: Path,
    wanted: Report,
    *,
    written_at: datetime,
    token_expires_at: datetime | None = None,
) -> Written | None:
    """The report of the night that readers have now is written, and found under `reports/latest`.

    Called under the run lock. None if nothing is wanted, or the warehouse has no marts to tell of.

    Raises:
        ConfigError: there is no warehouse yet.
        LocalResource, LocalAccess: it cannot be written; the report before it stays.
    """
    folder = data_dir / "reports"
    if not (wanted.marts and (wanted.page or wanted.workbook)):
        if folder.is_dir():
            _remove_old(data_dir, folder, keeps_latest=False)
        return None
    with closing(warehouse.connect(pointer_of(data_dir))) as connection, storing(f"report · {folder}"):
        info = warehouse.snapshot_info(connection)
        if not warehouse.has_marts(connection):
            return None
        facts = ReportFacts(
            site=info.site,
            timezone=warehouse.timezone(connection),
            run_id=info.run_id,
            written_at=written_at,
            token_expires_at=token_expires_at,
            mask_people=wanted.mask_people,
        )
        make_folder(folder)
        _gone(folder.glob(f"{_ASIDE}*"))  # of one that was cut off
        building = folder / f"{_ASIDE}{info.run_id}"
        own_folder(building)
        try:
            files = [
                _written(building / name, make, connection, facts)
                for name, make, is_wanted in ((PAGE, _page, wanted.page), (WORKBOOK, _workbook, wanted.workbook))
                if is_wanted
            ]
            _switch(folder, building, info.run_id, is_masked=wanted.mask_people)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    with suppress(PipelineError):  # the report stands; the next one removes what could not be removed now
        _remove_old(data_dir, folder, masked_only=wanted.mask_people)
    latest = {name: folder / _LATEST / name for name in files}
    return Written(info.run_id, latest.get(PAGE), latest.get(WORKBOOK))


def follow(data_dir: Path) -> bool:
    """`latest` leads to the report of the night that readers have now; whether one of it is kept.

    Called under the run lock, after readers were led to another night.
    """
    folder, run_id = data_dir / "reports", pointer_of(data_dir).resolve().stem
    with storing(f"report · {folder}"):
        kept = _reports_of(folder, run_id)
        if kept:
            _lead_to(folder, kept[-1])
    return bool(kept)


def remove(data_dir: Path) -> int:
    """No report is left: each may name people who are to be forgotten. How many there were."""
    folder = data_dir / "reports"
    with storing(f"report · {folder}"):
        (folder / _LATEST).unlink(missing_ok=True)
        found = [path for path in folder.glob("*") if path.is_dir() and not path.is_symlink()]
        _gone(found)
    return len(found)


def _written(
    path: Path, make: Callable[[DuckDB, Path, ReportFacts], None], connection: DuckDB, facts: ReportFacts
) -> str:
    make(connection, path, facts)
    path.chmod(_READABLE)
    sync(path)
    return path.name


def _page(connection: DuckDB, path: Path, facts: ReportFacts) -> None:
    from pipeline.report.page import page

    path.write_text(page(connection, facts), "utf-8")


def _workbook(connection: DuckDB, path: Path, facts: ReportFacts) -> None:
    from pipeline.report.workbook import write_workbook

    write_workbook(connection, path, facts, order=for_readers())


def _switch(folder: Path, building: Path, run_id: str, *, is_masked: bool) -> None:
    """The report has its name - a new one, if the run's is in use - and `latest` leads to it."""
    sync(building)
    kept = _reports_of(folder, run_id)
    name = _name_of(run_id, _turn_of(kept[-1]) + 1 if kept else 1, is_masked=is_masked)
    building.rename(folder / name)
    _lead_to(folder, name)


def _lead_to(folder: Path, name: str) -> None:
    aside = folder / _NEXT
    aside.unlink(missing_ok=True)
    aside.symlink_to(name)
    aside.replace(folder / _LATEST)
    sync(folder)


def _remove_old(data_dir: Path, folder: Path, *, keeps_latest: bool = True, masked_only: bool = False) -> None:
    """What a later report of the same run replaced is gone, and what tells of a generation that is gone.

    With `masked_only` also what names people.
    """
    with storing(f"report · {folder}"):
        found = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
        newest = {_run_of(path.name): path for path in sorted(found, key=lambda path: _turn_of(path.name))}
        staying = {path for run_id, path in newest.items() if generation_of(data_dir, run_id).exists()}
        if masked_only:
            staying = {path for path in staying if path.name.endswith(_MASKED)}
        latest = (folder / _LATEST).resolve()
        _gone(path for path in found if path not in staying and not (keeps_latest and path == latest))
        if not latest.exists():
            (folder / _LATEST).unlink(missing_ok=True)


def _reports_of(folder: Path, run_id: str) -> list[str]:
    """The names of the reports of a run that are kept, the newest last."""
    return sorted((path.name for path in folder.glob(f"{run_id}*") if _run_of(path.name) == run_id), key=_turn_of)


def _name_of(run_id: str, turn: int, *, is_masked: bool) -> str:
    return run_id + (f".{turn}" if turn > 1 else "") + (_MASKED if is_masked else "")


def _run_of(name: str) -> str:
    return name.partition(".")[0]


def _turn_of(name: str) -> int:
    """Which report of its run a folder holds, from 1."""
    number = name.removesuffix(_MASKED).partition(".")[2]
    return int(number) if number.isdecimal() else 1


def _gone(folders: Iterable[Path]) -> None:
    for path in folders:
        shutil.rmtree(path)
