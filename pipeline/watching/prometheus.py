"""The last run and the state of a site as a file that Prometheus' node exporter picks up (its textfile collector).

Instants are told, not ages: whoever asks later subtracts, so data that nobody refreshes grows old in every query.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pipeline.durable import write_sealed
from pipeline.model import RunEnded

# The exporter is another user, and nothing in the file is anybody's secret.
_MODE: Final = 0o644
_OUTCOMES: Final = ("published", "refused", "failed")
METRICS: Final[Mapping[str, str]] = {
    "build_info": "1; the label says which version of prospend-pipeline wrote this file",
    "last_run_outcome": "1 for how the last run ended, 0 for how it did not",
    "last_run_exit_code": "Exit code of the last run, 0 if it published",
    "last_run_ended_timestamp_seconds": "When the last run ended",
    "last_run_duration_seconds": "How long the last run took",
    "last_run_calls": "Calls that the last run made of the source",
    "last_run_planned_calls": "Calls that the last run was expected to make",
    "last_run_rows": "Rows that were new, changed or deleted in the last run",
    "last_success_timestamp_seconds": "When the newest run that published ended",
    "data_timestamp_seconds": "The instant that readers' data is of",
    "resource_rows": "Rows of a resource that are not deleted",
    "resource_read_timestamp_seconds": "When a resource was last read",
    "resource_changed_timestamp_seconds": "The newest change time in a resource",
    "resource_quarantined_records": "Records of a resource that did not fit and stand in no row",
    "calls_used": "Calls made in the current UTC hour and month",
    "calls_limit": "The site's budget of calls in a UTC hour and month",
    "token_expiry_timestamp_seconds": "When the token expires, as far as it says so",
    "disk_bytes": "What a folder of the data folder takes",
    "disk_free_bytes": "What is free on the volume of the data folder",
    "disk_night_bytes": "What a night adds to the data folder",
}


@dataclass(slots=True)
class _Page:
    """The samples of each metric, in the order of `METRICS`, whatever the order they come in."""

    site: str
    samples: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in METRICS})

    def add(self, name: str, value: float | None, **labels: str) -> None:
        """One sample; none where there is nothing to tell: zero would be a claim."""
        if value is None:
            return
        named = ",".join(f'{label}="{_escaped(text)}"' for label, text in {"site": self.site, **labels}.items())
        self.samples[name].append(f"prospend_{name}{{{named}}} {value!r}")

    def text(self) -> str:
        return "".join(
            f"# HELP prospend_{name} {METRICS[name]}\n# TYPE prospend_{name} gauge\n" + "".join(f"{s}\n" for s in found)
            for name, found in self.samples.items()
            if found
        )


def page_of(health: Mapping[str, Any], ended: RunEnded, ended_at: datetime, *, version: str) -> str:
    """What the file says.

    Args:
        health: the document of `health_of`, after the run.
        ended: how the run ended.
        ended_at: when.
        version: of this program.
    """
    page = _Page(health["site"] or "")
    page.add("build_info", 1, version=version)
    for outcome in _OUTCOMES:
        page.add("last_run_outcome", int(outcome == ended.outcome), outcome=outcome)
    page.add("last_run_exit_code", ended.exit_code)
    page.add("last_run_ended_timestamp_seconds", ended_at.timestamp())
    page.add("last_run_duration_seconds", ended.seconds)
    page.add("last_run_calls", ended.calls_used)
    page.add("last_run_planned_calls", ended.calls_planned)
    for change in ("new", "changed", "deleted"):
        page.add("last_run_rows", getattr(ended, change), change=change)
    page.add("last_success_timestamp_seconds", _instant(health["last_success_at"]))
    page.add("data_timestamp_seconds", _instant(health["data_as_at"]))
    for name, one in health["resources"].items():
        page.add("resource_rows", one["rows"], resource=name)
        page.add("resource_read_timestamp_seconds", _instant(one["read_at"]), resource=name)
        page.add("resource_changed_timestamp_seconds", _instant(one["changed_at"]), resource=name)
        page.add("resource_quarantined_records", one["quarantined"], resource=name)
    for period, calls in (health["budget"] or {}).items():
        page.add("calls_used", calls["used"], period=period)
        page.add("calls_limit", calls["limit"], period=period)
    page.add("token_expiry_timestamp_seconds", _instant((health["token"] or {}).get("expires_at")))
    _add_disk(page, health["disk"])
    return page.text()


def _add_disk(page: _Page, disk: Mapping[str, Any] | None) -> None:
    if disk is None:
        return
    for folder, size in disk["sizes"].items():
        page.add("disk_bytes", size, folder=folder)
    page.add("disk_free_bytes", disk["free_bytes"])
    page.add("disk_night_bytes", disk["growth_bytes_a_night"])


def write(path: Path, text: str) -> None:
    """The file has this text, whole or not at all: the exporter never meets half of it.

    Raises:
        OSError: it cannot be written.
    """
    write_sealed(path, text.encode(), mode=_MODE)


def _instant(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
