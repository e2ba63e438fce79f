"""Nights that read what changed: what they ask for, what they publish, and what it takes to call a record deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from checker import any_of, books_of, differences, exactly, read

import pipeline
from pipeline.errors import CheckRefused, ConfigError, PipelineError
from pipeline.model import PageRead, RunReport, StageBegan
from pipeline.nightly import run as run_night
from pipeline.readings import Wanted
from pipeline.resources import read_catalogue
from pipeline.sandbox import Running
from pipeline.sandbox.faults import plan
from pipeline.settings import Checks, Settings
from pipeline.snapshot import manifest_of

FULL = Wanted(is_full=True)
ANY_FALL = Checks(max_shrink_percent=100, max_deleted_percent=100, min_key_overlap_percent=0)
LISTS = 19  # company once; at each of two companies eight lists, that of suppliers twice: active ones and others
COUNTED = ("new", "changed", "deleted", "restored")


@pytest.fixture
def night(sandbox: Running, site: Settings) -> Callable[..., RunReport]:
    """One night on the test's own site; nothing is rechecked unless asked for."""

    def run(
        wanted: Wanted | None = None, *, accepts: tuple[str, ...] = (), recheck: float = 0.0, **limits: float
    ) -> RunReport:
        sandbox.journal.clear()
        extract = replace(site.extract, recheck_percent=recheck)
        settings = replace(site, extract=extract, checks=replace(site.checks, **limits))
        return run_night(settings, wanted=wanted, accepts_shrink=accepts)

    return run


def published(data_dir: Path) -> Path:
    return (data_dir / "warehouse.duckdb").resolve()


def of(report: RunReport, name: str):
    return next(one for one in report.resources if one.name == name)


def moved(report: RunReport) -> dict[str, tuple[int, ...]]:
    """Resources whose rows changed at all, with how."""
    counts = {one.name: tuple(getattr(one, kind) for kind in COUNTED) for one in report.resources}
    return {name: found for name, found in counts.items() if any(found)}


def test_a_night_without_changes_asks_each_list_once(night, sandbox, site):
    """One request a list, no row touched, published all the same: the data is as old as tonight."""
    night()
    first = published(site.storage.data_dir)
    report = night()
    assert sandbox.journal.counts.requests == LISTS
    assert moved(report) == {}
    assert of(report, "claim").mode == "incremental"
    assert published(site.storage.data_dir) != first
    assert not differences(read(published(site.storage.data_dir)), exactly(books_of(sandbox.records)))


def test_what_changed_is_read_and_nothing_else(night, sandbox, site):
    """After a day of the books: far fewer requests than in full, and every table as the books are, but for deletions."""
    everything = night().calls_used
    before = books_of(sandbox.records)
    sandbox.advance(1)
    report = night()
    assert of(report, "claim").changed + of(report, "claim").new > 0
    assert report.calls_used < everything / 2
    now = books_of(sandbox.records)
    found = differences(read(published(site.storage.data_dir)), any_of([before, now]))
    assert not found
    assert of(report, "claim").deleted == of(report, "expense").deleted == 0 or moved(report)


def test_a_full_night_shows_what_was_deleted(night, sandbox, site):
    """After weeks of the books the warehouse equals them: what is gone is marked, proven by a look-up, not erased."""
    night()
    sandbox.advance(30)
    night()
    report = night(FULL, accepts=read_catalogue().names)
    assert not differences(read(published(site.storage.data_dir)), exactly(books_of(sandbox.records)))
    gone = [one for one in report.resources if one.deleted]
    assert gone
    assert any(one.looked_up for one in gone)
    with pipeline.connect(site.storage.data_dir) as connection:
        for one in gone:
            ((marked,),) = connection.execute(
                f"SELECT count(*) FROM prospend.{one.name} WHERE _deleted_at IS NOT NULL"
            ).fetchall()
            assert marked >= one.deleted


def test_lists_that_shrink_beyond_the_limit_hold_the_night(night, sandbox, site):
    """Exit 41 with the numbers and the way on: nothing is published, nothing taken for deleted; once accepted, it is."""
    first = night()
    sandbox.faults(plan("shrunken-list:resource=supplier,hidden=0.6"))
    with pytest.raises(CheckRefused) as caught:
        night()
    assert "supplier" in caught.value.what
    assert "--accept-shrink supplier" in f"{caught.value.what} {caught.value.do}"
    assert published(site.storage.data_dir).stem == first.run_id
    refused = [path.parent.name for path in (site.storage.data_dir / "runs").glob("*/manifest.json")]
    assert [manifest_of(site.storage.data_dir, one)["accepted"] for one in sorted(refused)] == [True, False]
    sandbox.faults()
    assert night().outcome == "published"


def test_a_record_that_only_a_list_hides_stays(night, sandbox, site):
    """Some suppliers are missing from their list, but answer when looked up: none is deleted, and that is told."""
    night()
    sandbox.faults(plan("shrunken-list:resource=supplier,hidden=0.3"))
    report = night(max_deleted_percent=60.0, max_shrink_percent=60.0)
    sandbox.faults()
    assert of(report, "supplier").deleted == 0
    assert of(report, "supplier").looked_up > 0
    assert not next(one for one in report.checks if one.name == "nothing_hidden").passed
    assert not differences(read(published(site.storage.data_dir)), exactly(books_of(sandbox.records)))


def test_books_that_move_while_they_are_read(night, sandbox, site):
    """Each row is as the source had it at some moment of the run, none that was there throughout is missing; then all is."""
    states = [books_of(sandbox.records)]
    small = replace(site, api=replace(site.api, page_limit=10), checks=ANY_FALL)
    read_pages: list[PageRead] = []

    def advance(event: object) -> None:
        if isinstance(event, PageRead) and event.resource in ("claim", "expense"):
            read_pages.append(event)
            if len(read_pages) in (1, 2, 20):
                sandbox.advance(1)
                states.append(books_of(sandbox.records))

    for wanted in (FULL, Wanted()):
        read_pages.clear()
        run_night(small, wanted=wanted, observe=advance)
        assert not differences(read(published(site.storage.data_dir)), any_of(states))
    assert len(states) == 6
    run_night(small, wanted=FULL)
    assert not differences(read(published(site.storage.data_dir)), exactly(states[-1]))


def test_an_import_at_one_instant_and_a_late_commit_are_read(night, sandbox, site):
    """More changes of one moment than fit on a page, and one that appeared behind the newest: none is missed."""
    night()
    before = books_of(sandbox.records)
    events = [one for one in sandbox.advance(3) if one.resource == "claim"]
    imported, late = ([one for one in events if one.name == name] for name in ("imported", "committed late"))
    assert (len({one.at_s for one in imported}), len(imported) > 40, len(late)) == (1, True, 1)
    run_night(replace(site, api=replace(site.api, page_limit=10), checks=ANY_FALL))
    found = read(published(site.storage.data_dir))
    assert not differences(found, any_of([before, books_of(sandbox.records)]))
    assert {(*one.context, one.key) for one in (*imported, *late)} <= found.rows["claim"].keys()


def test_a_recheck_finds_what_changed_without_a_sign(night, sandbox, site):
    """With every unchanged parent in the sample all lines are read again, and what differed is told."""
    everything = night().calls_used
    report = night(recheck=100.0)
    assert report.calls_used > everything / 2
    assert of(report, "expense").rechecked > 0
    assert of(report, "expense").recheck_differed == 0


def test_only_some_lists(night, sandbox, site):
    """The named list and what hangs under it; the others keep rows and watermarks."""
    night()
    sandbox.advance(3)
    before = manifest_of(site.storage.data_dir, published(site.storage.data_dir).stem)["resources"]
    report = night(Wanted(only=("claim",)))
    asked = sandbox.journal.counts.requests_by_resource
    assert set(asked) <= {"company", "claim", "expense", "expense_split"}
    after = manifest_of(site.storage.data_dir, report.run_id)["resources"]
    assert after["invoice"]["watermarks"] == before["invoice"]["watermarks"]
    assert all(after["claim"]["watermarks"][one] >= mark for one, mark in before["claim"]["watermarks"].items())
    assert after["claim"]["watermarks"] != before["claim"]["watermarks"]
    assert of(report, "invoice").mode == "kept"
    assert of(report, "invoice").rows > 0
    assert moved(report).keys() <= {"claim", "expense", "expense_split"}


def test_what_hangs_under_a_company_that_is_gone_ends_with_it_though_only_one_list_is_read(night, sandbox, site):
    """Lists that are kept are not asked; but no later night would look under a company that has ended."""
    sandbox.inject("company", (), [b'{"companyId":"9","companyName":"n"}'])
    sandbox.inject("entity", ("9",), [b'{"id":"e-9","name":"n","code":"c","status":"active"}'])
    sandbox.inject("claim", ("9",), [b'{"id":"c-9","companyId":"9","updatedDate":"2026-06-30T00:00:00Z"}'])
    night()
    sandbox.host.state = replace(sandbox.host.state, injected={}, parents={})
    report = night(Wanted(only=("claim",)), max_deleted_percent=50.0, max_shrink_percent=50.0)
    assert of(report, "entity").mode == "kept"
    assert {one.name: one.deleted for one in report.resources if one.deleted} == {"company": 1, "entity": 1, "claim": 1}
    assert "entity" not in sandbox.journal.counts.requests_by_resource
    with pipeline.connect(site.storage.data_dir) as connection:
        left = connection.execute("SELECT count(*) FROM prospend.entity WHERE company_id = '9' AND _deleted_at IS NULL")
        assert left.fetchone() == (0,)
    night(FULL)
    assert not differences(read(published(site.storage.data_dir)), exactly(books_of(sandbox.records)))


def test_since_reads_once_more_and_moves_no_watermark_over_a_gap(night, site):
    """From a moment after the watermark: what lies between was not read, so the watermark stays."""
    night()
    before = manifest_of(site.storage.data_dir, published(site.storage.data_dir).stem)["resources"]["claim"]
    marks = [datetime.fromisoformat(mark) for mark in before["watermarks"].values()]
    report = night(Wanted(since=max(marks) + timedelta(days=1)))
    after = manifest_of(site.storage.data_dir, report.run_id)["resources"]["claim"]
    assert after["watermarks"] == before["watermarks"]
    assert after["full_at"] == before["full_at"]


def test_a_resource_that_there_is_not(night):
    """Exit 10, with the nearest name."""
    with pytest.raises(ConfigError) as caught:
        night(Wanted(only=("claims",)))
    assert "did you mean claim?" in caught.value.do


def test_a_fall_is_not_accepted_of_what_there_is_not(night, sandbox, site):
    """Exit 10 with the nearest name or all of them, before any request: mistyped, it would accept nothing."""
    for name, hint in (("suplier", "did you mean supplier?"), ("x", "known are company, ")):
        with pytest.raises(ConfigError) as caught:
            night(accepts=("supplier", name))
        assert caught.value.where == "run --accept-shrink"
        assert hint in caught.value.do
    assert sandbox.journal.counts.requests == 0
    assert not site.storage.data_dir.exists()


@pytest.mark.parametrize("how", [Wanted(), FULL], ids=["incremental", "full"])
def test_a_run_cut_off_after_its_seal_is_published_by_the_next(night, sandbox, site, how):
    """Sealed and accepted is enough: the next run makes the warehouse from the snapshots and goes on from there."""
    night()
    sandbox.advance(2)

    def fail(event: object) -> None:
        if event == StageBegan("publish"):
            raise OSError(28, "No space left on device")

    with pytest.raises(PipelineError):
        run_night(site, observe=fail)
    report = night(how)
    assert report.outcome == "published"
    if how is FULL:
        assert not differences(read(published(site.storage.data_dir)), exactly(books_of(sandbox.records)))
    sealed = sorted(path.parent.name for path in (site.storage.data_dir / "runs").glob("*/manifest.json"))
    assert manifest_of(site.storage.data_dir, report.run_id)["base"] == sealed[1]
    assert (site.storage.data_dir / "warehouse" / f"{sealed[1]}.duckdb").exists()


def test_a_refused_run_is_not_built_on(night, sandbox, site):
    """Its parts stay for inspection; the next night builds on the last accepted one."""
    first = night()
    sandbox.faults(plan("shrunken-list:resource=supplier,hidden=0.6"))
    with pytest.raises(CheckRefused):
        night()
    sandbox.faults()
    report = night()
    assert manifest_of(site.storage.data_dir, report.run_id)["base"] == first.run_id


def test_a_catalogue_with_one_more_column_fills_it_for_all_nights(sandbox, site, tmp_path, monkeypatch):
    """The field was kept in `_extra` from the first night on; no record is asked for again."""
    catalogue = Path(pipeline.__file__).parents[1] / "configs" / "prospend.toml"
    less = tmp_path / "less.toml"
    text = catalogue.read_text()
    line = next(line for line in text.splitlines() if line.startswith("summary = "))
    less.write_text(text.replace(line + "\n", "", 1))
    small = replace(site, api=replace(site.api, resources=less), extract=replace(site.extract, recheck_percent=0.0))
    run_night(small)
    with pipeline.connect(site.storage.data_dir) as connection:
        assert connection.execute("SELECT count(*) FROM prospend.claim WHERE _extra IS NOT NULL").fetchone()[0] > 0
    sandbox.journal.clear()
    report = run_night(replace(small, api=replace(small.api, resources=None)))
    assert sandbox.journal.counts.requests <= LISTS
    assert report.outcome == "published"
    assert not differences(read(published(site.storage.data_dir)), exactly(books_of(sandbox.records)))


def test_a_run_says_what_it_did_to_the_rows(prospend, sandbox, site_file):
    """The first night counts, a night without changes says so, later ones tell what moved."""
    first, second = (prospend("run", "--config", site_file).out for _ in range(2))
    assert " resources, " in first
    assert " resources (nothing changed), " in second
    sandbox.advance(5)
    assert " new, " in prospend("run", "--config", site_file).out
