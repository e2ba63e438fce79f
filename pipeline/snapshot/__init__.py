"""The snapshot stage: a run's Parquet parts and the manifest that seals them. No network from here on."""

from pipeline.snapshot.kept import Began, KeptPages, Left, begin, go_on, left_by_earlier, why_not
from pipeline.snapshot.manifest import previous_manifest, read_manifest, seal, sealed_runs, sweep
from pipeline.snapshot.parts import QUARANTINE, Part, SealedResource, Staging, read_back

__all__ = [
    "QUARANTINE",
    "Began",
    "KeptPages",
    "Left",
    "Part",
    "SealedResource",
    "Staging",
    "begin",
    "go_on",
    "left_by_earlier",
    "previous_manifest",
    "read_back",
    "read_manifest",
    "seal",
    "sealed_runs",
    "sweep",
    "why_not",
]
