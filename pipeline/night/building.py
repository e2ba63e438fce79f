"""Loading: the new warehouse file, aside, from the sealed parts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pipeline import warehouse
from pipeline.account import Achieved, program_version
from pipeline.durable import make_folder
from pipeline.night.values import Night
from pipeline.snapshot import SealedResource, Staging


def load(
    night: Night,
    sealed: Sequence[SealedResource],
    staging: Staging,
    achieved: Achieved,
    manifest_sha256: str,
    data_as_at: datetime,
) -> warehouse.Built:
    """The new warehouse file stands aside, loaded from the sealed parts."""
    parts = tuple(
        warehouse.Parts(night.catalogue[one.name], tuple(night.data_dir / part.path for part in one.parts))
        for one in sealed
        if not one.is_special
    )
    facts = warehouse.RunFacts(
        run_id=night.run_id,
        started_at=night.started_at,
        site=night.settings.site.name,
        program_version=program_version(),
        resources=achieved.results,
        control_totals=staging.page_totals(),
        quarantined=staging.quarantined(),
        notes=staging.notes(),
        manifest_sha256=manifest_sha256,
        data_as_at=data_as_at,
    )
    target = night.building
    make_folder(target.parent)
    temp_dir = night.data_dir / "staging" / night.run_id / "spill"
    temp_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    run_parts = warehouse.RunParts(night.run_id, data_as_at, parts, deleted=None, facts=facts)
    return warehouse.build(target, [run_parts], temp_dir=temp_dir)
