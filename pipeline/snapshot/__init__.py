"""The snapshot stage: a run's Parquet parts and the manifest that seals them. No network from here on."""

from pipeline.snapshot.erasures import KEY_BYTES, erased_people, erasures, list_people, pending, record_done
from pipeline.snapshot.kept import Began, KeptPages, Left, begin, go_on, is_too_old, left_by_earlier, why_not
from pipeline.snapshot.manifest import (
    accepted_runs,
    is_older,
    manifest_of,
    newest_accepted,
    previous_manifest,
    read_manifest,
    seal,
    sealed_runs,
    sweep,
)
from pipeline.snapshot.parts import Part, SealedResource, read_back, refuse_changed
from pipeline.snapshot.proofs import (
    DELETED,
    PAGES,
    QUARANTINE,
    quarantined_of,
    read_deleted,
    read_pages,
    read_quarantine,
    with_raw,
)
from pipeline.snapshot.rewrites import HeldPart, parts_of, record_rewrite, remove_left_over, rewrites
from pipeline.snapshot.rewriting import Change, NewFile, OldFile, columns_of, rewrite, sound_tables
from pipeline.snapshot.staging import Staging
from pipeline.snapshot.verifying import verify

__all__ = [
    "DELETED",
    "KEY_BYTES",
    "PAGES",
    "QUARANTINE",
    "Began",
    "Change",
    "HeldPart",
    "KeptPages",
    "Left",
    "NewFile",
    "OldFile",
    "Part",
    "SealedResource",
    "Staging",
    "accepted_runs",
    "begin",
    "columns_of",
    "erased_people",
    "erasures",
    "go_on",
    "is_older",
    "is_too_old",
    "left_by_earlier",
    "list_people",
    "manifest_of",
    "newest_accepted",
    "parts_of",
    "pending",
    "previous_manifest",
    "quarantined_of",
    "read_back",
    "read_deleted",
    "read_manifest",
    "read_pages",
    "read_quarantine",
    "record_done",
    "record_rewrite",
    "refuse_changed",
    "remove_left_over",
    "rewrite",
    "rewrites",
    "seal",
    "sealed_runs",
    "sound_tables",
    "sweep",
    "verify",
    "why_not",
    "with_raw",
]
