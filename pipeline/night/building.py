"""Loading: the new warehouse file, aside: the one before it, with what this night has read applied; then its marts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pipeline import warehouse
from pipeline.account import Achieved, program_version
from pipeline.durable import make_folder
from pipeline.marts import MartFinding
from pipeline.night.reporting import made_with, reporting_facts
from pipeline.night.standing import spill
from pipeline.night.values import Night
from pipeline.snapshot import DELETED, SealedResource, Staging
from pipeline.tables import all_tables


def load(
    night: Night, sealed: Sequence[SealedResource], staging: Staging, achieved: Achieved, began_at: datetime
) -> warehouse.Built:
    """The new warehouse file stands aside, with the sealed parts applied to the file that the night builds on."""
    files = {one.name: tuple(night.data_dir / part.path for part in one.parts) for one in sealed}
    facts = warehouse.RunFacts(
        run_id=night.run_id,
        started_at=night.started_at,
        site=night.settings.site.name,
        program_version=program_version(),
        resources=achieved.results,
        control_totals=staging.page_totals(),
        quarantined=staging.quarantined(),
        notes=staging.notes(),
        manifest_sha256=None,
        data_as_at=began_at,
        closed_before=night.closed_before,
    )
    parts = tuple(warehouse.Parts(one, files.get(one.name, ())) for one in night.catalogue)
    deleted = files.get(DELETED, ())
    tonight = warehouse.RunParts(night.run_id, began_at, parts, deleted[0] if deleted else None, facts)
    make_folder(night.building.parent)
    return warehouse.build(
        night.building, [tonight], base=night.base.path, temp_dir=spill(night.data_dir, night.run_id)
    )


def add_marts(night: Night, built: warehouse.Built, began_at: datetime) -> tuple[MartFinding, ...]:
    """The new warehouse file holds the marts, as the site reports; what their tests found."""
    reporting = made_with(reporting_facts(night.settings), began_at, night.settings.site.timezone)
    temp_dir = spill(night.data_dir, night.run_id)
    return warehouse.make_marts(built, all_tables(night.catalogue), reporting, temp_dir=temp_dir)
