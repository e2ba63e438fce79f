"""What is remembered of a run whose end is cut off, and that nothing in telling reaches the run."""

from __future__ import annotations

from listening import webhook

from pipeline.errors import RunActive
from pipeline.model import EarlierRunUnfinished, NotTold, RunPublished
from pipeline.ops.notify import Message
from pipeline.settings import Api, Notify, Settings, Site, Storage, Token
from pipeline.telling import Teller, Told, read_told, write_told


def teller_of(folder, urls=("https://127.0.0.1:1/hook",), ca_file=None, **more):
    events = []
    site = Settings(
        site=Site(name="acme", base_url="https://x.example"),
        token=Token(env="T"),
        storage=Storage(data_dir=folder),
        api=Api(ca_file=ca_file),
        notify=Notify(urls=urls, **more),
    )
    return Teller(site, {}, events.append), events


def test_a_run_that_is_terminated_is_told_by_the_next(tmp_path):
    """There is no time to wait for a server: it is written down, with the run that was killed before it."""
    teller, events = teller_of(tmp_path)
    teller.heard(EarlierRunUnfinished("20261126T000000Z", was_killed=True, pages=0, not_used=""))
    teller.failed(SystemExit(143))
    told = read_told(tmp_path)
    assert told.failing
    assert [one.exit_code for one in told.unsent] == [None, 143]
    assert not [one for one in events if isinstance(one, NotTold)]


def test_a_run_that_is_cut_off_after_its_publication_has_not_failed(tmp_path):
    """Readers have the night: nobody hears that there is no new data."""
    teller, _ = teller_of(tmp_path)
    teller.heard(RunPublished("20261127T000000Z"))
    teller.failed(SystemExit(143))
    assert not read_told(tmp_path).failing


def test_whoever_stops_it_at_a_terminal_knows(tmp_path):
    """Under cron an interruption is one like any other: DuckDB turns a termination into it."""
    teller, _ = teller_of(tmp_path)
    teller.is_attended = True
    teller.failed(KeyboardInterrupt())
    assert not read_told(tmp_path).failing
    teller.is_attended = False
    teller.failed(KeyboardInterrupt())
    assert read_told(tmp_path).failing


def test_what_nobody_took_is_kept_and_the_address_tried_once(tmp_path):
    """Twenty messages do not wait for one dead server twenty times."""
    teller, events = teller_of(tmp_path)
    for _ in range(3):
        teller.failed(ValueError())
    assert len(read_told(tmp_path).unsent) == 3
    assert len([one for one in events if isinstance(one, NotTold)]) == 3  # one a run


def test_a_message_is_written_down_before_it_is_said(tmp_path):
    """A kill while somebody is being told loses nothing; once it was taken it is not kept."""
    with webhook(tmp_path) as heard:
        teller, _ = teller_of(tmp_path / "data", urls=(f"{heard.url}/hook",), ca_file=heard.ca_file)
        (tmp_path / "data").mkdir()
        meanwhile = []
        heard.on_post = lambda: meanwhile.append(read_told(tmp_path / "data"))
        teller.failed(ValueError())
    assert [len(one.unsent) for one in meanwhile] == [1]
    assert read_told(tmp_path / "data") == Told(failing=True)


def test_another_active_run_remembers_for_itself(tmp_path):
    """What this one knows is not written over what that one writes, nor said again; the next run knows both."""
    place = tmp_path / "state" / "told.json"
    write_told(place, Told(unsent=(Message("drift", "acme", "new", "a field"),)))
    before = place.read_bytes()
    with webhook(tmp_path) as heard:
        teller, _ = teller_of(tmp_path, urls=(f"{heard.url}/hook",), ca_file=heard.ca_file)
        teller.failed(RunActive("another run is active"))
        heard.status = 500
        teller.failed(RunActive("another run is active"))
    assert [one["exit_code"] for one in heard.messages] == [50, 50]
    assert place.read_bytes() == before
    told = read_told(tmp_path)
    assert told.failing
    assert [one.kind for one in told.unsent] == ["drift", "failure"]
    teller_of(tmp_path)[0].failed(SystemExit(143))
    assert [one.exit_code for one in read_told(tmp_path).unsent] == [None, 50, 143]


def test_a_bug_in_telling_is_told_by_its_name_and_goes_no_further(tmp_path):
    """Whatever an address or a store of certificates does."""
    teller, events = teller_of(tmp_path, urls=(), ping_url="https://[x/s3cret")
    teller.began()
    teller.failed(ValueError())
    assert events
    assert "s3cret" not in str(events)
