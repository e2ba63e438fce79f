"""The record each run leaves: `runs/<run_id>/report.json`, the same document that `run --json` prints."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.durable import make_folder, storing, write_sealed
from pipeline.model import RunReport, TokenState, run_order


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
    }


def token_document(token: TokenState) -> dict[str, Any]:
    """What a run or a status says of its token, as JSON."""
    return {**asdict(token), "expires_at": token.expires_at.isoformat() if token.expires_at else None}


def save(data_dir: Path, report: RunReport) -> None:
    """The record stands on disk."""
    folder = data_dir / "runs" / report.run_id
    with storing(f"record · {folder}"):
        make_folder(folder)
        content = json.dumps(document_of(report), indent=1, ensure_ascii=False).encode()
        write_sealed(folder / "report.json", content, mode=0o640)


def unrecorded(data_dir: Path, run_ids: Iterable[str]) -> tuple[str, ...]:
    """Those of the runs that left no record: they ended without a word."""
    return tuple(one for one in run_ids if not (data_dir / "runs" / one / "report.json").exists())


def seconds_of(data_dir: Path, run_id: str) -> float | None:
    """How long a run took, None if its record does not say."""
    try:
        found = json.loads((data_dir / "runs" / run_id / "report.json").read_bytes())
        seconds = datetime.fromisoformat(found["finished_at"]) - datetime.fromisoformat(found["started_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return seconds.total_seconds() or None


def recent(data_dir: Path, count: int) -> tuple[Mapping[str, Any], ...]:
    """The records of the last runs, newest first; one that cannot be read is left out."""
    found: list[Mapping[str, Any]] = []
    for path in sorted((data_dir / "runs").glob("*/report.json"), key=_order, reverse=True):
        if len(found) == count:
            break
        try:
            found.append(json.loads(path.read_bytes()))
        except (OSError, ValueError):
            continue
    return tuple(found)


def _order(path: Path) -> tuple[str, int]:
    return run_order(path.parent.name)
