"""The record each run leaves: `runs/<run_id>/report.json`, the same document that `run --json` prints."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.durable import document_bytes, document_hash, make_folder, not_ours, storing, write_sealed
from pipeline.model import Checked, Finding, RunReport, TokenState, run_order

# What a record of version 0.1.0 consists of: those alone state no hash of their own.
_OF_0_1_0 = set("run_id outcome exit_code started_at finished_at warehouse calls resources checks error".split())


def document_of(report: RunReport) -> dict[str, Any]:
    """A run's result as JSON: stable names, nothing that a later version would need to remove."""
    return {
        "run_id": report.run_id,
        "outcome": report.outcome,
        "exit_code": report.exit_code,
        "started_at": report.started_at.isoformat(),
        "finished_at": report.finished_at.isoformat(),
        "warehouse": report.warehouse,
        "calls": {"planned": report.calls_planned, "used": report.calls_used},
        "resources": {
            one.name: {key: value for key, value in asdict(one).items() if key != "name"} for one in report.resources
        },
        "checks": [
            {"name": one.name, "required": one.required, "passed": one.passed, "detail": one.detail}
            for one in report.checks
        ],
        "error": asdict(report.error) if report.error else None,
        "token": token_document(report.token) if report.token else None,
        "report": {"page": report.page, "workbook": report.workbook} if report.page or report.workbook else None,
    }


def token_document(token: TokenState) -> dict[str, Any]:
    """What a run or a status says of its token, as JSON."""
    return {**asdict(token), "expires_at": token.expires_at.isoformat() if token.expires_at else None}


def save(data_dir: Path, report: RunReport) -> None:
    """The record stands on disk."""
    folder = data_dir / "runs" / report.run_id
    with storing(f"record · {folder}"):
        make_folder(folder)
        document = document_of(report)
        document["sha256"] = document_hash(document)
        write_sealed(folder / "report.json", document_bytes(document), mode=0o640)


def unrecorded(data_dir: Path, run_ids: Iterable[str]) -> tuple[str, ...]:
    """Those of the runs that left no record: they ended without a word."""
    return tuple(one for one in run_ids if not (data_dir / "runs" / one / "report.json").exists())


def seconds_of(data_dir: Path, run_id: str) -> float | None:
    """How long a run took; None if its record does not say, or a clock that was set back makes it less than nothing."""
    try:
        found = json.loads((data_dir / "runs" / run_id / "report.json").read_bytes())
        seconds = datetime.fromisoformat(found["finished_at"]) - datetime.fromisoformat(found["started_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return max(seconds.total_seconds(), 0.0) or None


def recent(data_dir: Path, count: int) -> tuple[Mapping[str, Any], ...]:
    """The records of the last runs, newest first; one that cannot be read is left out."""
    return tuple(islice(newest_first(data_dir), count))


def newest_first(data_dir: Path) -> Iterator[Mapping[str, Any]]:
    """The record of each run, read as it is wanted; one that cannot be read is left out."""
    for path in sorted((data_dir / "runs").glob("*/report.json"), key=_order, reverse=True):
        try:
            document = json.loads(path.read_bytes())
            document.pop("sha256", None)
        except (OSError, ValueError, AttributeError):
            continue
        yield document


def verify(data_dir: Path) -> Checked:
    """Every record of a run against the hash that it states; records of version 0.1.0 state none."""
    owner = data_dir.stat().st_uid
    findings, count, size = [], 0, 0
    for path in sorted((data_dir / "runs").glob("*/report.json"), key=_order):
        try:
            content = path.read_bytes()
            problem = not_ours(path, owner) or _altered(content)
        except OSError as error:
            content, problem = b"", f"it cannot be read: {os.strerror(error.errno or 0)}"
        count, size = count + 1, size + len(content)
        if problem:
            where = str(path.relative_to(data_dir))
            findings.append(Finding(where, problem, "remove it: only `prospend status` reads it; then check the disk"))
    return Checked(tuple(findings), count, size)


def _altered(content: bytes) -> str:
    try:
        document = json.loads(content)
        stated = document.get("sha256")
        hash_holds = stated == document_hash(document) if stated else document.keys() <= _OF_0_1_0
        is_same = hash_holds and document_bytes(document) == content
    except (ValueError, AttributeError, TypeError, RecursionError):
        return "it is no record of a run"
    return "" if is_same else "it is not what was written: its own hash does not hold"


def _order(path: Path) -> tuple[str, int]:
    return run_order(path.parent.name)
