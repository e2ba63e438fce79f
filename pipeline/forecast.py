"""What earlier runs tell of the one that begins: its plan, whether its token outlives it, which warning is news."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pipeline import auth
from pipeline.durable import storing
from pipeline.model import TokenAgeing, TokenState
from pipeline.ops import records
from pipeline.ops.token_source import place_of
from pipeline.planning import RunPlan, expected_duration, plan_of
from pipeline.readings import Reading, Wanted, readings
from pipeline.resources import Catalogue, read_catalogue
from pipeline.settings import Settings, seconds_of
from pipeline.snapshot import is_older, manifest_of, newest_accepted, sealed_runs

_NIGHTS = 3  # one of them may have been short, having gone on from what another had read
_REPORTS = 10  # a killed run's tells of no token


def plan_next(settings: Settings, now: datetime, wanted: Wanted) -> RunPlan:
    """What the next run would read and cost, told from earlier ones; makes no request.

    Args:
        settings: of the site.
        now: when it would begin.
        wanted: what it would be asked for beside the settings.

    Raises:
        ConfigError: the catalogue is not right, or `wanted` names a resource that there is not.
        StoredDataDamaged: a manifest is not what was written.
    """
    data_dir = settings.storage.data_dir
    catalogue = read_catalogue(settings.api.resources)
    last = newest_accepted(data_dir)
    modes = {name: reading.mode for name, reading in readings_of(settings, catalogue, last, now, wanted).items()}
    found = (manifest_of(data_dir, run_id) for run_id in reversed(sealed_runs(data_dir)))
    history = [manifest for manifest in found if not is_older(manifest)]
    return plan_of(catalogue, modes, history, partial(records.seconds_of, data_dir))


def readings_of(
    settings: Settings, catalogue: Catalogue, last: Mapping[str, Any] | None, now: datetime, wanted: Wanted
) -> dict[str, Reading]:
    """How a run that begins `now` reads each resource, building on the run whose manifest is `last`."""
    return readings(
        catalogue,
        last,
        now,
        wanted=wanted,
        asked=settings.extract.switched_on,
        full_every_s=seconds_of(settings.extract.full_every),
        overlap_s=seconds_of(settings.extract.overlap),
    )


def refuse_short_lived(token: auth.Secret, settings: Settings, started_at: datetime) -> None:
    """Nothing, if the token outlives the run that begins: one that does not would die in the middle of a walk.

    Raises:
        TokenError: it says itself that it does not.
    """
    data_dir = settings.storage.data_dir
    with storing(f"storage.data_dir = {data_dir}"):
        sealed = sealed_runs(data_dir)
    took = [records.seconds_of(data_dir, one) or 0.0 for one in sealed[-_NIGHTS:]]
    auth.refuse_expired(
        auth.passport(token, started_at),
        started_at,
        place=place_of(settings.token),
        within=expected_duration(max(took, default=None), settings.api.run_deadline_s),
        zone=ZoneInfo(settings.site.timezone),
    )


def ageing_of(data_dir: Path, token: TokenState, warn_days: int) -> TokenAgeing | None:
    """What is to be told of the token's age at a run's start, and whether a run before has told it already."""
    if token.warning is None:
        return None
    told = (one.get("token") for one in records.recent(data_dir, _REPORTS))
    earlier = next((one for one in told if isinstance(one, dict)), None)
    return TokenAgeing(token.warning, is_new=auth.newly_crossed(earlier, token, warn_days) is not None)
