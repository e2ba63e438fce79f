"""Nights on books that move and drift, and what a warehouse made again from their snapshots must be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import duckdb
from histories import fast_folder
from sandbox_site import TOKEN_VARIABLE, site_of

from pipeline.night.rebuilding import Rebuilt, rebuild
from pipeline.nightly import run
from pipeline.readings import Wanted
from pipeline.resources import read_catalogue
from pipeline.sandbox import Running, SandboxSettings, in_thread
from pipeline.settings import Checks, Extract, Settings

CATALOGUE = read_catalogue()
# What a source may begin to send: a field nobody knows, a value no page lists, text for an amount, no date for a date.
DRIFTS = (
    {"mood": {"sunny": 1}},
    {"status": "Pondering"},
    {"claimCurrencyTotals": [{"grossAmount": "ten", "currencyCode": "AUD"}]},
    {"submittedDate": "soon"},
)
# Records that come and go, and do not fit, are the subject here; that checks hold them back is shown elsewhere.
TOLERANT = Checks(
    max_shrink_percent=100, max_deleted_percent=100, min_key_overlap_percent=0, max_quarantined_percent=100
)


@dataclass(frozen=True)
class Drifting:
    """A site whose nights have passed."""

    site: Settings
    nights: int

    @property
    def data_dir(self) -> Path:
        return self.site.storage.data_dir

    def counted(self, sql: str) -> int:
        """One number from what readers open."""
        with duckdb.connect(str((self.data_dir / "warehouse.duckdb").resolve()), read_only=True) as connection:
            ((found,),) = connection.execute(sql).fetchall()
        return int(found)

    def deleted(self) -> int:
        """Rows of all lists that are marked deleted."""
        counts = (f"(SELECT count(*) FROM prospend.{name} WHERE _deleted_at IS NOT NULL)" for name in CATALOGUE.names)
        return self.counted(f"SELECT {' + '.join(counts)}")

    def rebuilt(self) -> Rebuilt:
        """A warehouse from the snapshots alone, compared with the one that grew night by night."""
        return rebuild(self.data_dir, CATALOGUE, datetime.now(UTC))


@contextmanager
def drifting_nights(authority: Path, night_count: int, seed: int) -> Iterator[Drifting]:
    """Nights that read in full now and then, and changes otherwise; about every other one meets something new.

    The last one reads in full: what went away by then is known to be gone.
    """
    draw = Random(seed)
    settings = SandboxSettings(state_dir=authority, seed=seed, claims=30)
    with fast_folder() as folder, in_thread(settings) as running:
        site = replace(
            site_of(running, folder / "data", marts=True), extract=Extract(recheck_percent=5), checks=TOLERANT
        )
        for number in range(night_count):
            if number:
                running.advance(draw.choice((1, 1, 2)))
            if draw.random() < 0.5:
                _drift(running, draw, number)
            wanted = Wanted(is_full=number == night_count - 1 or draw.random() < 0.25)
            run(site, wanted=wanted, environ={TOKEN_VARIABLE: running.token})
        yield Drifting(site, night_count)


def _drift(running: Running, draw: Random, number: int) -> None:
    """One more claim, with something new in it; sometimes it is one of those before, changed once more."""
    key = f"drift-{draw.randrange(max(1, number))}"
    at = f"2026-08-{1 + number % 28:02}T00:00:00Z"
    record = {"id": key, "companyId": "1", "status": "Approved", "updatedDate": at, **draw.choice(DRIFTS)}
    running.inject("claim", ("1",), [json.dumps(record).encode()])
