"""Records that did not fit: never lost, never taken for deleted, and rows once the catalogue takes them, without a call."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from published import contents

import pipeline
from pipeline import warehouse
from pipeline.model import Event, QuarantineLeft, RunReport
from pipeline.night.rebuilding import Rebuilt, rebuild
from pipeline.nightly import run as run_night
from pipeline.readings import Wanted
from pipeline.resources import default_path, read_catalogue
from pipeline.sandbox import Running
from pipeline.settings import Settings
from pipeline.snapshot import manifest_of

MONEY = '[{"grossAmount":1.10,"netAmount":1.00,"taxAmount":0.10,"currencyCode":"AUD"}]'
BAD = (
    '{"id":"bad-1","companyId":"1","status":"Finalised","fromDate":"the first of June","approvers":[],'
    f'"claimCurrencyTotals":{MONEY},"transactionTotals":{MONEY},"updatedDate":"2026-06-30T00:00:00Z"}}'
).encode()
LINE = (
    b'{"id":"line-1","companyId":"1","claimId":"bad-1","type":"Receipt","transactionTotal":%b,"claimCurrencyTotal":%b,'
    b'"updatedDate":"2026-06-30T00:00:00Z"}' % ((MONEY[1:-1].encode(),) * 2)
)
FULL = Wanted(is_full=True)
LISTS = 19  # what a night without changes asks for: each list once


@dataclass
class Place:
    """A site whose source serves one claim that the built-in catalogue does not take, and the catalogue that does."""

    sandbox: Running
    settings: Settings
    wider: Path

    @property
    def data_dir(self) -> Path:
        return self.settings.storage.data_dir

    def night(self, wanted: Wanted | None = None, *, observe: Callable[[Event], None] = lambda _: None) -> RunReport:
        self.sandbox.journal.clear()
        return run_night(self.settings, wanted=wanted, observe=observe)

    def change_the_catalogue(self) -> None:
        self.settings = replace(self.settings, api=replace(self.settings.api, resources=self.wider))

    def rebuilt(self, data_dir: Path | None = None) -> Rebuilt:
        catalogue = read_catalogue(self.settings.api.resources)
        return rebuild(data_dir or self.data_dir, catalogue, datetime(2026, 12, 1, tzinfo=UTC))

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with pipeline.connect(self.data_dir) as connection:
            return connection.execute(sql).fetchall()

    def unlisted(self, *, is_gone: bool) -> None:
        """The lists show the claim no more: it has not changed, or it is gone altogether."""
        state = self.sandbox.host.state
        parents = {} if is_gone else state.parents
        self.sandbox.host.state = dataclasses.replace(state, injected={}, parents=parents)


@pytest.fixture
def place(sandbox: Running, site: Settings, tmp_path: Path) -> Place:
    sandbox.inject("claim", ("1",), [BAD])
    sandbox.inject("expense", ("1", "bad-1"), [LINE])
    wider, head = tmp_path / "wider.toml", "[resource.claim.column]\n"
    before, claims = default_path().read_text().split(head)
    column = 'fromDate = { type = "timestamp"'
    assert column in claims
    wider.write_text(before + head + claims.replace(column, 'fromDate = { type = "text"', 1))
    limits = replace(site.checks, max_quarantined_percent=5.0)
    extract = replace(site.extract, recheck_percent=0.0)
    return Place(sandbox, replace(site, checks=limits, extract=extract), wider)


def test_a_changed_catalogue_makes_a_row_of_it_in_a_rebuild_and_on_the_next_night(place: Place, tmp_path: Path):
    """No call for it either way, and both warehouses hold the same; a later rebuild equals the live one, hash by hash."""
    first = place.night()
    assert place.rows("SELECT resource, key, field FROM meta.quarantine") == [("claim", ["1", "bad-1"], "fromDate")]
    assert place.rows("SELECT id FROM prospend.claim WHERE id = 'bad-1'") == []
    assert next(one for one in first.resources if one.name == "claim").quarantined == 1
    aside = tmp_path / "aside"
    shutil.copytree(place.data_dir, aside, symlinks=True)
    place.change_the_catalogue()
    place.unlisted(is_gone=False)

    place.sandbox.journal.clear()
    done = place.rebuilt(aside)
    assert place.sandbox.journal.counts.requests == 0
    assert (done.fit_now, done.run_count) == (1, 1)

    told: list[Event] = []
    report = place.night(observe=told.append)
    assert [event for event in told if isinstance(event, QuarantineLeft)] == [QuarantineLeft(1)]
    assert place.sandbox.journal.counts.requests == LISTS
    assert report.outcome == "published"
    assert contents(place.data_dir) == contents(aside)

    row = "SELECT id, from_date, _run_id FROM prospend.claim WHERE id = 'bad-1'"
    assert place.rows(row) == [("bad-1", "the first of June", first.run_id)]
    assert place.rows("SELECT gross_amount::VARCHAR FROM prospend.claim_currency_total WHERE claim_id = 'bad-1'") == [
        ("1.1000",)
    ]
    assert place.rows("FROM meta.quarantine") == []
    books = "SELECT bool_and(record_count = quarantined_count + superseded_count + read_count) FROM meta.run_resource"
    assert place.rows(books) == [(True,)]
    assert place.rebuilt().differs == ()
    assert [event for event in _told_by(place) if isinstance(event, QuarantineLeft)] == []


def _told_by(place: Place) -> list[Event]:
    told: list[Event] = []
    place.night(observe=told.append)
    return told


def test_what_still_does_not_fit_is_in_the_books_of_every_later_night(place: Place):
    """Not shown again because it did not change: its entry stays, nothing ends it, the watermark goes on without it."""
    first = place.night()
    entry = place.rows("SELECT run_id, key, deleted_at FROM meta.quarantine")
    assert entry == [(first.run_id, ["1", "bad-1"], None)]
    place.unlisted(is_gone=False)
    for _ in range(2):
        report = place.night()
        assert place.rows("SELECT run_id, key, deleted_at FROM meta.quarantine") == entry
        assert sum(one.deleted or 0 for one in report.resources) == 0
    marks = [
        manifest_of(place.data_dir, run)["resources"]["claim"]["watermarks"] for run in (first.run_id, report.run_id)
    ]
    assert marks[0] == marks[1]
    assert place.rebuilt().differs == ()


def test_one_that_a_full_night_shows_again_is_no_deletion(place: Place):
    """It is quarantined once more, and its lines, which fit, stay."""
    place.night()
    report = place.night(FULL)
    assert sum(one.deleted or 0 for one in report.resources) == 0
    assert place.rows("SELECT count(*), count(deleted_at) FROM meta.quarantine") == [(2, 0)]
    assert place.rows("SELECT count(*) FROM prospend.expense WHERE id = 'line-1' AND _deleted_at IS NULL") == [(1,)]


def test_what_is_gone_at_the_source_does_not_come_back_when_it_fits(place: Place):
    """Its end is proven by a look-up while it is in quarantine; the row that it becomes is a deleted one, with its lines."""
    place.night()
    place.unlisted(is_gone=True)
    report = place.night(FULL)
    assert {one.name: one.deleted for one in report.resources if one.deleted} == {"expense": 1}
    assert place.rows("SELECT count(*) FROM meta.quarantine WHERE deleted_at IS NULL") == [(0,)]
    asked = place.sandbox.journal.counts.requests
    place.night(FULL)
    assert place.sandbox.journal.counts.requests == asked - 1  # not looked up again
    place.change_the_catalogue()
    assert place.rebuilt().fit_now == 1
    ended = "SELECT _deleted_at IS NOT NULL FROM prospend.{} WHERE {} = 'bad-1'"
    for table, key in (("claim", "id"), ("claim_currency_total", "claim_id"), ("expense", "claim_id")):
        assert place.rows(ended.format(table, key)) == [(True,)], table
    place.night()
    assert place.rebuilt().differs == ()


def test_what_was_never_a_row_counts_for_no_limit_of_deletions(place: Place):
    """Many that did not fit go at once: their ends are proven, and the night is not held for rows that nobody had."""
    more = [BAD.replace(b"bad-1", b"bad-%d" % number) for number in range(2, 8)]
    place.sandbox.inject("claim", ("1",), more)
    place.settings = replace(place.settings, checks=replace(place.settings.checks, max_quarantined_percent=50.0))
    place.night()
    place.unlisted(is_gone=True)
    (claim,) = [one for one in place.night(FULL).resources if one.name == "claim"]
    assert claim.deleted == 0
    assert place.rows("SELECT count(*), count(deleted_at) FROM meta.quarantine") == [(7, 7)]


def test_the_command_says_how_many_fit_now(place: Place, prospend, site_file: Path):
    """One line, and a number in the JSON document; rebuilding again tells the same."""
    place.night()
    text = site_file.read_text().replace("[api]\n", f'[api]\nresources = "{place.wider}"\n')
    site_file.write_text(text)
    done = prospend("rebuild", "--config", site_file)
    assert done.code == 0, done.err
    assert "  1 quarantined record fits now\n" in done.out
    assert '"fit_now": 1' in prospend("rebuild", "--json", "--config", site_file).out
    with closing(warehouse.connect(place.data_dir / "warehouse.duckdb")) as connection:
        assert connection.execute("SELECT from_date FROM prospend.claim WHERE id = 'bad-1'").fetchall() == [
            ("the first of June",)
        ]


def test_a_column_that_became_too_narrow_stops_the_rebuild_and_the_night(place: Place, prospend, site_file: Path):
    """Both say which field and how many values; no call is made, and readers keep what they have, every value of it."""
    place.night()
    held = (
        "SELECT count(exchange_rate), count(*) FILTER (exchange_rate <> round(exchange_rate, 2)) FROM history.expense"
    )
    before, ((_, unfit),) = contents(place.data_dir), place.rows(held)
    assert isinstance(unfit, int)
    assert unfit > 1
    own, text = place.wider.with_name("narrow.toml"), default_path().read_text()
    wide, narrow = (f'exchangeRate = {{ type = "decimal(18,{places})"' for places in (8, 2))
    head, lines = text.split("[resource.expense.column]\n")
    assert wide in lines
    own.write_text(f"{head}[resource.expense.column]\n{lines.replace(wide, narrow, 1)}")
    site_file.write_text(site_file.read_text().replace("[api]\n", f'[api]\nresources = "{own}"\n'))

    place.sandbox.journal.clear()
    for command in ("rebuild", "run"):
        done = prospend(command, "--config", site_file)
        assert done.code == 10, done.err
        assert f"{unfit:,} values of expense.exchangeRate do not fit its column" in done.err
        assert "use the resource file from before" in done.err
        assert contents(place.data_dir) == before
    assert place.sandbox.journal.counts.requests == 0
    site_file.write_text(site_file.read_text().replace(str(own), str(place.wider)))
    assert prospend("rebuild", "--config", site_file).code == 0
    assert place.rows(held)[0][1] == unfit
