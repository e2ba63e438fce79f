"""Faults of what surrounds a run: zone and environment of whoever starts it, what other versions left, a source that hangs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from fault_rows.case import Case, Scene, faults, told_in_environment
from pipeline.durable import document_bytes, document_hash
from pipeline.snapshot.erasures import ERASURE_FORMAT
from pipeline.snapshot.manifest import MANIFEST_FORMAT
from pipeline.snapshot.rewrites import REWRITE_FORMAT

# What a manifest of version 0.1.0 did not say.
SINCE_FORMAT_2 = set("base accepted reading_began_at went_on_from closed_before accepted_shrink checks schema".split())


def rewrite(path: Path, document: Mapping[str, object]) -> None:
    """The document stands there as if its writer had written it so."""
    content = document_bytes({**document, "sha256": document_hash(document)})
    path.unlink()
    path.write_bytes(content)


def left_by_0_1_0(scene: Scene) -> None:
    (path,) = (scene.data / "runs").glob("*/manifest.json")
    older = {key: value for key, value in json.loads(path.read_bytes()).items() if key not in SINCE_FORMAT_2}
    rewrite(path, {**older, "format": 1})


def newer_manifest(scene: Scene) -> None:
    (path,) = (scene.data / "runs").glob("*/manifest.json")
    rewrite(path, {**json.loads(path.read_bytes()), "format": MANIFEST_FORMAT + 1})


def newer_document(folder: str, newest_format: int):
    """The first of a folder's numbered documents is of a format to come."""

    def spoil(scene: Scene) -> None:
        path = scene.data / folder / "00001.json"
        path.parent.mkdir()
        path.touch()
        rewrite(path, {"format": newest_format + 1})

    return spoil


NEWER = {"code": 60, "calls": 0}

CASES = (
    # ---- 130: zones with and without a summer of their own
    Case(130, "half an hour of summer", told_in_environment(TZ="Australia/Lord_Howe"), 0),
    # ---- 138: the run hangs
    Case(138, "a source that says nothing", faults("silence:path=/beta/company/1/division", run_deadline_s=1), 30,
         ("time budget of 1 s", "was used up"), "run ", "api.run_deadline_s"),
    # ---- 139, 140: what other versions left
    Case(139, "a data folder of version 0.1.0", left_by_0_1_0, 0),
    Case(140, "a newer manifest", newer_manifest, **NEWER, what=f"manifest format {MANIFEST_FORMAT + 1}, this program reads up to",
         where="manifest.json", do=("install the newer version", "move storage.data_dir aside")),
    *(Case(140, f"newer {folder}", newer_document(folder, newest), **NEWER, what=f"format {newest + 1} of ", where="00001.json")
      for folder, newest in (("rewrites", REWRITE_FORMAT), ("erasures", ERASURE_FORMAT))),
)  # fmt: skip
