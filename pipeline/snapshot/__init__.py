"""The snapshot stage: a run's Parquet parts and the manifest that seals them. No network from here on."""

from pipeline.snapshot.manifest import previous_manifest, read_manifest, seal, sealed_runs, sweep
from pipeline.snapshot.parts import QUARANTINE, Part, SealedResource, Staging, read_back

__all__ = [
    "QUARANTINE",
    "Part",
    "SealedResource",
    "Staging",
    "previous_manifest",
    "read_back",
    "read_manifest",
    "seal",
    "sealed_runs",
    "sweep",
]
