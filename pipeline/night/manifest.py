"""What a night writes into its manifest, and what is read out of the manifests of earlier ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from pipeline import checks
from pipeline.account import Achieved, versions
from pipeline.extract import WalksDone
from pipeline.model import CheckResult, ControlTotal, Note, ResourceResult
from pipeline.night.reporting import reporting_facts
from pipeline.night.values import Night, Read
from pipeline.readings import reached_after, reached_by
from pipeline.snapshot import (
    QUARANTINE,
    HeldPart,
    KeptPages,
    Staging,
    erased_people,
    parts_of,
    read_quarantine,
    refuse_changed,
    rewrites,
)
from pipeline.warehouse import RunFacts

_RESULT = tuple(spec.name for spec in fields(ResourceResult) if spec.name != "name")


def manifest_facts(night: Night, read: Read, staging: Staging, achieved: Achieved, kept: KeptPages) -> dict[str, Any]:
    """What the manifest says beside its parts."""
    settings, began_at = night.settings, kept.began.began_at
    return {
        "site": settings.site.name,
        "started_at": night.started_at.isoformat(),
        "reading_began_at": began_at.isoformat(),
        "went_on_from": list(kept.earlier),
        "versions": versions(),
        "settings_sha256": sha256(repr(replace(settings, source=None)).encode()).hexdigest(),
        "catalogue_sha256": night.catalogue.text_sha256,
        "page_limit": read.extracted.page_limit,
        "page_length": read.extracted.page_length,
        "timezone": settings.site.timezone,
        "reporting": reporting_facts(settings),
        "closed_before": night.closed_before.isoformat() if night.closed_before else None,
        "erased_people": len(erased.names) if (erased := erased_people(night.data_dir)) else 0,
        "accepted_shrink": sorted(night.accepts_shrink),
        "resources": {
            one.name: {
                **{key: value for key, value in asdict(one).items() if key != "name"},
                **_reached(night, read, one.name, began_at),
                "walks": _walks(walks, is_ascending=_is_ordered(night, read, one.name)),
            }
            for one, walks in zip(achieved.results, read.extracted.walks, strict=True)
        },
        "control_totals": [_total(one) for one in staging.page_totals()],
        "checks": [checks.to_document(one) for one in achieved.checks],
        "notes": [[note.resource, note.field, note.kind, note.record_count] for note in staging.notes()],
    }


@dataclass(frozen=True, slots=True)
class SealedRun:
    """A sealed run: its manifest, and the files in which its rows lie today, by name."""

    manifest: Mapping[str, Any]
    parts: Mapping[str, tuple[HeldPart, ...]]

    def files(self, data_dir: Path, name: str) -> tuple[Path, ...]:
        """The files of one name."""
        return tuple(data_dir / part.path for part in self.parts.get(name, ()))

    def is_shared(self, name: str) -> bool:
        """Whether rows of other runs stand in them as well."""
        return any(part.is_shared for part in self.parts.get(name, ()))


def sound_runs(data_dir: Path, manifests: Sequence[Mapping[str, Any]]) -> Iterator[SealedRun]:
    """Sealed runs one by one, every file read to its end: neither Arrow nor DuckDB would notice a changed byte.

    Raises:
        StoredDataDamaged: a file is gone, or not what was sealed.
    """
    documents, sound = rewrites(data_dir), set[tuple[str, str]]()
    for manifest in manifests:
        parts = parts_of(data_dir, manifest, documents=documents)
        for part in (one for held in parts.values() for one in held):
            if (part.path, part.sha256) not in sound:
                refuse_changed(data_dir, part.path, part.sha256)
                sound.add((part.path, part.sha256))
        yield SealedRun(manifest, parts)


def facts_of_run(data_dir: Path, run: SealedRun) -> RunFacts:
    """What a warehouse is to say of a run, from the manifest that sealed it."""
    manifest = run.manifest
    closed_before = manifest["closed_before"]
    return RunFacts(
        run_id=manifest["run_id"],
        started_at=datetime.fromisoformat(manifest["started_at"]),
        site=manifest["site"],
        program_version=manifest["versions"]["prospend-pipeline"],
        resources=tuple(
            ResourceResult(name, **{key: facts[key] for key in _RESULT})
            for name, facts in manifest["resources"].items()
        ),
        control_totals=tuple(_told(one) for one in manifest["control_totals"]),
        quarantined=read_quarantine(run.files(data_dir, QUARANTINE), manifest["run_id"]),
        notes=tuple(Note(*one) for one in manifest["notes"]),
        manifest_sha256=manifest["sha256"],
        data_as_at=datetime.fromisoformat(manifest["reading_began_at"]),
        checks=checks_of(manifest),
        closed_before=datetime.fromisoformat(closed_before) if closed_before else None,
    )


def checks_of(manifest: Mapping[str, Any]) -> tuple[CheckResult, ...]:
    """The verdicts of a sealed run."""
    return tuple(checks.from_document(one) for one in manifest["checks"])


def _is_ordered(night: Night, read: Read, name: str) -> bool:
    """Whether a list's change times ascended; what a full reading found otherwise holds until the next one."""
    is_full = night.how[name].mode == "full"
    return name not in read.unordered and (is_full or reached_by(night.base.last, name).is_ordered)


def _reached(night: Night, read: Read, name: str, began_at: datetime) -> dict[str, Any]:
    """From where a resource was read, and how far it is read now."""
    reading = night.how[name]
    newest = {company: mark for (resource, company), mark in read.newest.items() if resource == name}
    before, asked = reached_by(night.base.last, name), night.settings.extract.switched_on
    was_shared = any(one.resource == name and one.entry_count for one in read.extracted.walks)
    after = reached_after(reading, before, newest, began_at=began_at, asked=asked, was_shared=was_shared)
    return {
        "since": {company: moment.isoformat() for company, moment in reading.since.items()} or None,
        "watermarks": {company: mark.isoformat() for company, mark in after.watermarks.items()},
        "full_at": after.full_at.isoformat() if after.full_at else None,
        "asked": list(after.asked),
        "was_shared": after.was_shared,
    }


def _walks(walks: WalksDone, *, is_ascending: bool) -> dict[str, Any]:
    return {
        "count": walks.walk_count,
        "pages": walks.page_count,
        "records": walks.record_count,
        "restarts": walks.restart_count,
        # A list is proven, or the run ends: all of it was read between its beginning and the source's end marker.
        "entries": walks.entry_count,
        "ended_at_marker": walks.walk_count + walks.entry_count - walks.met_count - walks.given_up_count,
        "ended_at_neighbour": walks.met_count,
        "given_up": walks.given_up_count,
        "is_ascending": is_ascending,
    }


def _told(one: Sequence[Any]) -> ControlTotal:
    resource, table, column, currency, count, total = one
    return ControlTotal(resource, table, column, currency, count, Decimal(total))


def _total(one: ControlTotal) -> list[str | int]:
    return [one.resource, one.table, one.column, one.currency, one.value_count, f"{one.total:f}"]
