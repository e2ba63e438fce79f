"""Every byte of the snapshots against what the manifests say. Reads only; what is found is told, nothing is mended."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.durable import document_bytes, not_ours, sha256_of
from pipeline.errors import StoredDataDamaged
from pipeline.model import Checked, ControlTotal, Finding, run_order
from pipeline.resources import Catalogue, Resource
from pipeline.snapshot.erasures import erased_people, erasures, pending
from pipeline.snapshot.kept import wholeness
from pipeline.snapshot.manifest import is_older, manifest_of, sealed_runs
from pipeline.snapshot.parts import read_back, rows_by_run
from pipeline.snapshot.rewrites import HeldPart, parts_of, rewrites
from pipeline.totals import add_totals

_RESTORE = "restore the file from a backup, then run `prospend verify` again; the published warehouse does not need it"
_RESTORE_MANIFEST = "restore the file from a backup; until then do not rebuild and do not prune"
_PLANTED = "find out who put it there, then remove it; nothing of this program opens it"
_SWEPT = "nothing: the next run removes it"


@dataclass(slots=True)
class _Audit:
    """What has been found so far."""

    data_dir: Path
    owner: int
    findings: list[Finding] = field(default_factory=list)
    file_count: int = 0
    size_bytes: int = 0
    as_sealed: dict[HeldPart, bool] = field(default_factory=dict)
    counted: dict[str, Mapping[str, int]] = field(default_factory=dict)

    def damaged(self, path: Path | str, what: str, do: str) -> None:
        self.findings.append(Finding(self.below(path), what, do))

    def left_over(self, path: Path, what: str, do: str = _SWEPT) -> None:
        self.findings.append(Finding(self.below(path), what, do, is_damage=False))

    def below(self, path: Path | str) -> str:
        return str(path.relative_to(self.data_dir) if isinstance(path, Path) else path)

    def rows_in(self, below: str) -> Mapping[str, int]:
        """The rows of each run in a file, which is read once."""
        if below not in self.counted:
            self.counted[below] = rows_by_run(self.data_dir / below)
        return self.counted[below]

    def looks_ours(self, path: Path, do: str) -> bool:
        """The file is there and a plain one of ours; it is counted. Else that is a finding."""
        try:
            problem = not_ours(path, self.owner)
            size = path.lstat().st_size
        except OSError as error:
            self.damaged(path, f"it cannot be looked at: {os.strerror(error.errno or 0)}", do)
            return False
        self.file_count += 1
        self.size_bytes += size
        if problem:
            self.damaged(path, problem, do)
        return not problem

    def exactly(self, path: Path, document: Mapping[str, Any]) -> None:
        """The file has the very bytes that were written, not only some that mean the same."""
        if path.read_bytes() != document_bytes(document):
            self.damaged(path, "it says the same as when it was written, in other bytes", _RESTORE_MANIFEST)


def verify(data_dir: Path, catalogue: Catalogue) -> Checked:
    """Every manifest and its chain, every part to the last byte, and that nothing else stands there.

    Args:
        data_dir: the data folder.
        catalogue: names what the parts hold. Rows, hashes and page checksums are verified for every part; amounts and
            elements only for parts of a run with this catalogue.

    Raises:
        VersionMismatch: a newer version of this program wrote something of it.
    """
    audit = _Audit(data_dir, data_dir.stat().st_uid)
    manifests = _manifests(audit)
    documents = _documents(audit, "rewrites", rewrites)
    if waiting := pending(_documents(audit, "erasures", _erasures)):
        people = "1 person is" if len(waiting) == 1 else f"{len(waiting):,} people are"
        what = f"{people} listed to be erased, but it is not proven that nothing tells of them"
        audit.left_over(data_dir / "erasures", what, "run `prospend erase` for them again")
    listed: set[str] = set()
    for manifest in manifests.values():
        listed |= _run(audit, manifest, documents, catalogue)
    _not_listed(audit, listed, set(sealed_runs(data_dir)), documents)
    _kept_pages(audit)
    return Checked(tuple(audit.findings), audit.file_count, audit.size_bytes)


def _erasures(data_dir: Path) -> tuple[dict[str, Any], ...]:
    """Their documents, if the key beside them is theirs."""
    erased_people(data_dir)
    return erasures(data_dir)


def _manifests(audit: _Audit) -> dict[str, dict[str, Any]]:
    """The sound manifests by run; what is wrong with others, or with their chain, is found."""
    sound: dict[str, dict[str, Any]] = {}
    sealed = sealed_runs(audit.data_dir)
    for run_id in sealed:
        path = audit.data_dir / "runs" / run_id / "manifest.json"
        if audit.looks_ours(path, _RESTORE_MANIFEST):
            try:
                sound[run_id] = manifest_of(audit.data_dir, run_id)
            except StoredDataDamaged as error:
                audit.damaged(path, error.what, _RESTORE_MANIFEST)
            else:
                audit.exactly(path, sound[run_id])
    for older, newer in pairwise([None, *sealed]):
        if newer in sound and (older is None or older in sound):
            named = {"run_id": older, "sha256": sound[older]["sha256"]} if older else None
            if sound[newer]["previous"] != named:
                audit.damaged(f"runs/{newer}/manifest.json", "it names another manifest before it", _RESTORE_MANIFEST)
    for run_id, manifest in sound.items():
        base = None if is_older(manifest) else manifest["base"]
        if base is not None and not _can_be_base(sound.get(base), run_id) and (base in sound or base not in sealed):
            audit.damaged(f"runs/{run_id}/manifest.json", "it builds on what was not accepted", _RESTORE_MANIFEST)
    return sound


def _can_be_base(base: Mapping[str, Any] | None, run_id: str) -> bool:
    if base is None or is_older(base):
        return False
    return bool(base["accepted"]) and run_order(base["run_id"]) < run_order(run_id)


def _documents(
    audit: _Audit, folder: str, read_all: Callable[[Path], tuple[dict[str, Any], ...]]
) -> tuple[dict[str, Any], ...]:
    """The numbered documents in a folder; what is wrong with them is found."""
    for path in sorted((audit.data_dir / folder).glob("*")):
        if audit.looks_ours(path, _RESTORE_MANIFEST) and path.name.startswith("."):
            audit.left_over(path, "an unfinished document")
    try:
        documents = read_all(audit.data_dir)
    except StoredDataDamaged as error:
        audit.damaged(Path(error.where), error.what, error.do)
        return ()
    for document in documents:
        audit.exactly(audit.data_dir / folder / f"{document['number']:05}.json", document)
    return documents


# ---- parts ----------------------------------------------------------------------------------------------------------


def _run(
    audit: _Audit, manifest: Mapping[str, Any], documents: Sequence[Mapping[str, Any]], catalogue: Catalogue
) -> set[str]:
    """Every part of a run; returns the paths that it lists."""
    listed: set[str] = set()
    resources = {one.name: one for one in catalogue if manifest["catalogue_sha256"] == catalogue.text_sha256}
    for name, parts in parts_of(audit.data_dir, manifest, documents=documents).items():
        sound = [part for part in parts if _as_sealed(audit, part)]
        listed |= {part.path for part in parts}
        if len(sound) < len(parts) or (not parts and manifest["parts"][name]["files"]):
            continue  # found already, or gone on purpose
        resource = resources.get(name)
        if resource is None:
            _count(audit, parts, manifest["run_id"])
        else:
            _add_up(audit, parts, resource, manifest)
    return listed


def _as_sealed(audit: _Audit, part: HeldPart) -> bool:
    """The file has the size and the hash that were sealed; one that several runs share is read once."""
    file = replace(part, rows=0)
    if file not in audit.as_sealed:
        audit.as_sealed[file] = _is_as_sealed(audit, file)
    return audit.as_sealed[file]


def _is_as_sealed(audit: _Audit, part: HeldPart) -> bool:
    path = audit.data_dir / part.path
    if not audit.looks_ours(path, _RESTORE):
        return False
    try:
        size = path.stat().st_size
        is_same = size == part.size_bytes and sha256_of(path) == part.sha256
    except OSError as error:
        audit.damaged(path, f"it cannot be read: {os.strerror(error.errno or 0)}", _RESTORE)
        return False
    if not is_same:
        what = (
            f"{size:,} bytes, sealed with {part.size_bytes:,}" if size != part.size_bytes else "its hash does not hold"
        )
        audit.damaged(path, what, _RESTORE)
    return is_same


def _count(audit: _Audit, parts: Sequence[HeldPart], run_id: str) -> None:
    for part in parts:
        path = audit.data_dir / part.path
        try:
            rows = audit.rows_in(part.path).get(run_id, 0)
        except StoredDataDamaged as error:
            audit.damaged(path, error.what, _RESTORE)
            continue
        if rows != part.rows:
            audit.damaged(path, f"{rows:,} rows of run {run_id}, sealed with {part.rows:,}", _RESTORE)


def _add_up(audit: _Audit, parts: Sequence[HeldPart], resource: Resource, manifest: Mapping[str, Any]) -> None:
    """Rows, amounts per currency and list elements of one resource in one run are those in the manifest."""
    totals: tuple[ControlTotal, ...] = ()
    elements: dict[str, int] = {}
    for part in parts:
        path = audit.data_dir / part.path
        try:
            found = read_back(path, resource, of_run=manifest["run_id"] if part.is_shared else None)
        except StoredDataDamaged as error:
            audit.damaged(path, error.what, _RESTORE)
            return
        if found.rows != part.rows:
            audit.damaged(path, f"{found.rows:,} rows, sealed with {part.rows:,}", _RESTORE)
        totals = add_totals(totals, found.totals)
        elements = {table: elements.get(table, 0) + count for table, count in found.elements}
    where = f"runs/{manifest['run_id']}/manifest.json"
    stated = [one for one in manifest["control_totals"] if one[0] == resource.name]
    added = [[t.resource, t.table, t.column, t.currency, t.value_count, f"{t.total:f}"] for t in totals]
    if added != stated:
        audit.damaged(where, f"{resource.name}: the amounts in its parts are not the control totals", _RESTORE_MANIFEST)
    if parts and elements != manifest["parts"][resource.name].get("elements", elements):
        audit.damaged(where, f"{resource.name}: its parts hold other counts of list elements", _RESTORE_MANIFEST)


# ---- what else stands there -----------------------------------------------------------------------------------------


def _not_listed(audit: _Audit, listed: set[str], sealed: set[str], documents: Sequence[Mapping[str, Any]]) -> None:
    """Files in `snapshots/` that nothing lists: planted ones, and what a run that was killed left for the next."""
    replaced = {one["path"] for document in documents for one in document["replaced"]}
    for path in _files(audit.data_dir / "snapshots"):
        below = audit.below(path)
        if below in listed:
            continue
        kind, _, name = path.parent.name.partition("=")
        is_link = path.is_symlink()
        if below in replaced and not is_link:
            audit.left_over(path, "a part whose rows have been rewritten")
        elif kind == "run" and name not in sealed and not is_link and not _was_published(audit.data_dir, name):
            audit.left_over(path, "a part of a run that did not finish")
        elif kind == "rewrite" and int(name) > len(documents) and not is_link:
            audit.left_over(path, "a file of a rewrite that did not finish")
        else:
            audit.damaged(path, "no manifest lists it", _PLANTED)


def _files(folder: Path) -> Iterator[Path]:
    """Everything below a folder but folders, in order; links are not followed."""
    if folder.is_symlink():
        yield folder
        return
    for path in sorted(folder.glob("*")):
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        else:
            yield path


def _was_published(data_dir: Path, run_id: str) -> bool:
    """Whether a generation of a run without a manifest stands: then it is the manifest that is missing."""
    return (data_dir / "warehouse" / f"{run_id}.duckdb").exists()


def _kept_pages(audit: _Audit) -> None:
    again = "nothing: the next run asks the source again for what cannot be read"
    for path in sorted((audit.data_dir / "staging").glob("*/pages.kept")):
        if not audit.looks_ours(path, _PLANTED):
            continue
        whole, size = wholeness(path)
        if whole < size:
            audit.left_over(path, f"kept pages: {size - whole:,} of {size:,} bytes at the end are not whole", again)
