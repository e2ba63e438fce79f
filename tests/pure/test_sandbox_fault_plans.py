"""Fault plans without sockets: how they are read and listed, what is drawn, how long answers wait."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from random import Random

import pytest
from click.testing import CliRunner

from pipeline.cli.sandbox_faults import faults_command
from pipeline.errors import ConfigError
from pipeline.sandbox.faults import SCENARIOS, Fault, Plan, UnknownFault, Where, keys_of, plan
from pipeline.sandbox.faults.injector import Injector
from pipeline.sandbox.faults.plan import Case, Certificate, Options
from pipeline.sandbox.model import Answer, Drip, Repeat, Reply, Request, Script, Send, Wait

NOW = datetime(2026, 7, 1, 9, 0, 0, 250_000, tzinfo=UTC)
PAGE = Reply(200, b'{"page":[{"id":"1","amount":1.50},{"id":"2"}],"nextCursor":"c2"}')
WORDS = "request-timeout"


def request(target: str = "/beta/company/1/claim", token: str = "t") -> Request:
    path, _, query = target.partition("?")
    pairs = tuple(tuple(pair.split("=", 1)) for pair in query.split("&") if pair)
    return Request("GET", target, tuple(path[1:].split("/")), pairs, {"authorization": token, "host": "h:1"}, NOW)


def sound(_request: Request) -> Answer:
    return PAGE


def happens(text: str, *, reply: Reply = PAGE, hit: int = 1, seed: int = 0, shape: str = "object") -> Answer | None:
    """What a scenario makes of an answer, whomever it would hit."""
    [fault] = plan(text).faults
    on_request = SCENARIOS[fault.scenario].on_request
    assert on_request is not None
    return on_request(Case(request(), reply, 1, hit, fault.options, Random(seed), seed, shape, sound))


def names(injector: Injector, *targets: str, token: str = "t", resource: str = "claim") -> list[str]:
    """Which fault hits each of some requests, in order."""
    return [injector.respond(request(target, token), PAGE, resource, sound)[1] for target in targets]


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_the_table_is_fit_to_be_listed(scenario):
    """One line each, an own function for one kind of thing, and defaults that could have been typed in."""
    assert scenario.name.replace("-", "").isalnum()
    assert scenario.name.islower()
    assert 0 < len(scenario.description) <= 70
    assert "\n" not in scenario.description
    assert not scenario.description.endswith(".")
    assert (scenario.on_request is None) != (scenario.on_connection is None)
    typed = [f"{key.name}={'drawn' if default is None else default}" for key, default in keys_of(scenario)]
    assert plan(f"{scenario.name}:{','.join(typed)}") == plan(scenario.name)
    assert len({key.name for key, _ in keys_of(scenario)}) == len(keys_of(scenario))


def test_the_command_lists_every_scenario_once():
    """In the order of the table, name first; with a name, what it can be told; as JSON, everything."""
    listed = CliRunner().invoke(faults_command, []).output.splitlines()
    assert [line.split()[0] for line in listed] == list(SCENARIOS)
    assert all(SCENARIOS[line.split()[0]].description in line for line in listed)
    detailed = CliRunner().invoke(faults_command, ["mix"]).output
    assert "\n    share=0.2: " in detailed
    assert "\n    status=drawn by the seed: " in detailed
    documents = json.loads(CliRunner().invoke(faults_command, ["--json"]).output)
    assert [document["name"] for document in documents] == list(SCENARIOS)
    assert isinstance(CliRunner().invoke(faults_command, ["mixx"]).exception, ConfigError)


def test_a_plan_is_a_plain_value():
    """Read from text it equals the one put together by hand, it hashes, and order and seed count."""
    by_hand = Plan((Fault("rate-limit", Options((("after", 7), ("status", 429))), Where(share=0.25, times=3)),), seed=9)
    assert plan("rate-limit:after=7,share=0.25,times=3", seed=9) == by_hand
    assert hash(by_hand) == hash(plan("rate-limit:after=7,share=0.25,times=3", seed=9))
    assert plan("reset", "nan") != plan("nan", "reset")
    assert plan("reset") != plan("reset", seed=1)
    assert plan("redirect-foreign:origin=https://127.0.0.2:8443").faults[0].options.text("origin").endswith(":8443")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        "reset:",
        "reset:at",
        "reset:at=1.5",
        "latency:seconds=nan",
        "latency:seconds=-1",
        "latency:seconds=drawn",
        "mix:share=1.1",
        "mix:status=200",
        "mix:status=600",
        "nan:value=7",
        "rate-limit:after=99999999999",
        "rate-limit-absurd:value=a\r\nX: y",
        "redirect-foreign:origin=https://\u00e9",
        "shrunken-list:hidden=2",
        "tls-expired:path=/",
        "reset:share=0.1;times=2",
    ],
)
def test_what_does_not_fit_is_refused(text):
    """Unknown names and keys, values of another kind or beyond their bounds, and what would break a header."""
    if text == "reset:":
        assert plan(text) == plan("reset")
        return
    with pytest.raises(UnknownFault):
        plan(text)


def waited(given: Answer | None) -> float:
    assert isinstance(given, Script)
    first, reply = given.steps
    assert isinstance(first, Wait)
    assert reply == PAGE
    return first.seconds


def test_how_long_late_answers_wait():
    """A fixed time; a step more each hit, up to a limit; or between two limits, as drawn."""
    assert waited(happens("latency:seconds=1.5")) == 1.5
    growing = [waited(happens("latency-growing:seconds=1,step=2,most=6", hit=hit)) for hit in (1, 2, 3, 4, 5)]
    assert growing == [1, 3, 5, 6, 6]
    drawn = [waited(happens("latency-jittered:seconds=1,most=3", seed=seed)) for seed in range(50)]
    assert all(1 <= seconds <= 3 for seconds in drawn)
    assert max(drawn) - min(drawn) > 1.5
    assert waited(happens("latency-jittered:seconds=1,most=3", seed=4)) == drawn[4]


def test_slow_bodies_are_one_byte_a_second_unless_told_otherwise():
    """And silence lasts ten minutes."""
    slow = happens("slow-body")
    assert isinstance(slow, Script)
    assert slow.steps[1] == Drip(PAGE.body, 1, 1.0)
    assert slow.served == PAGE.served
    silent = happens("silence")
    assert isinstance(silent, Script)
    assert Wait(600.0) in silent.steps


def test_bodies_without_measure_hold_no_memory():
    """Ten gigabytes are a few small pieces and how often each is written; the promised length is exact."""
    for text in ("huge-body", "gzip-bomb"):
        given = happens(text)
        assert isinstance(given, Script)
        sizes = [len(step.raw) for step in given.steps if isinstance(step, Send | Repeat)]
        assert sum(sizes) < 100_000
        first, middle, last = given.steps
        assert isinstance(first, Send)
        assert isinstance(middle, Repeat)
        assert isinstance(last, Send)
        head, _, start = first.raw.partition(b"\r\n\r\n")
        length = len(start) + len(middle.raw) * middle.times + len(last.raw)
        assert f"Content-Length: {length}\r\n".encode() in head


def test_dates_of_retry_after_are_rounded_up():
    """A date has whole seconds: never sooner than asked for."""
    given = happens("rate-limit-date:after=10")
    assert isinstance(given, Reply)
    assert dict(given.headers)["Retry-After"] == "Wed, 01 Jul 2026 09:00:11 GMT"


@pytest.mark.parametrize(
    ("body", "text", "expected"),
    [
        (b'{"page":[],"nextCursor":null}', "nan", b'{"note":NaN,"page":[],"nextCursor":null}'),
        (b'{"id":"7","gst":10.000}', "nan", b'{"id":"7","gst":NaN}'),
        (b'{"page":[{}]}', "duplicate-names", None),
        (b'{"page":[{}]}', "deep-nesting:depth=2", b'{"page":[{"note":[[]]}]}'),
        (b'{"id":"7"}', "duplicate-names", b'{"id":"0","id":"7"}'),
        (b'[{"id":"7"}]', "invalid-utf8", None),
        (b'{"page":[not json', "endless-pages", None),
        (b'{"page":[{"id":7}],"nextCursor":null}', "shrunken-list:hidden=1", b'{"page":[],"nextCursor":null}'),
        (b'{"page":[{"id":7}]}', "shrunken-list:hidden=0", b'{"page":[{"id":7}]}'),
        (b'{"id":"7"}', "other-tenant", None),
    ],
)
def test_what_content_faults_make_of_bodies_of_any_shape(body, text, expected):
    """They keep the rest to the byte, and leave alone what they do not understand."""
    given = happens(text, reply=dataclasses.replace(PAGE, body=body))
    assert (given.body if isinstance(given, Reply) else given) == expected


def test_errors_are_no_pages():
    """Faults of content leave answers alone that are not 200."""
    refused = Reply(404, b'{"code":"RESOURCE_NOT_FOUND"}')
    for text in ("nan", "invalid-utf8", "duplicate-names", "deep-nesting", "endless-pages", "shrunken-list"):
        assert happens(text, reply=refused) is None


def test_errors_have_the_form_the_sandbox_is_switched_to():
    """Whatever the fault, as all other errors."""
    for text in ("server-error", "request-timeout", "rate-limit", "rate-limit-bare", "revoked-token"):
        given = happens(text, shape="problem")
        assert isinstance(given, Reply)
        assert dict(given.headers)["Content-Type"] == "application/problem+json"


def test_an_empty_plan_asks_and_breaks_nothing():
    """The answer is the one given, the very object."""
    injector = Injector(Plan())
    given, name = injector.respond(request(), PAGE, "claim", sound)
    assert given is PAGE
    assert name == ""
    assert injector.connect() == (None, "")


def test_the_share_is_kept_and_drawn_by_seed_and_request():
    """A fifth of many requests, the same ones in any order, others with another seed; each attempt is drawn anew."""
    targets = [f"/beta/company/1/claim?limit={n}" for n in range(2000)]
    hit = names(Injector(plan(f"{WORDS}:share=0.2", seed=1)), *targets)
    assert 340 < hit.count(WORDS) < 460
    assert names(Injector(plan(f"{WORDS}:share=0.2", seed=1)), *targets[::-1])[::-1] == hit
    assert names(Injector(plan(f"{WORDS}:share=0.2", seed=2)), *targets) != hit
    attempts = names(Injector(plan(f"{WORDS}:share=0.5", seed=1)), *targets[:1] * 40)
    assert 10 < attempts.count(WORDS) < 30


def test_conditions_hold_together():
    """Path, resource, attempts, nth and times, alone and with each other."""
    assert names(Injector(plan(f"{WORDS}:nth=2")), "/a", "/a", "/a") == ["", WORDS, ""]
    assert names(Injector(plan(f"{WORDS}:times=2")), "/a", "/b", "/c") == [WORDS, WORDS, ""]
    assert names(Injector(plan(f"{WORDS}:attempts=1")), "/a", "/a", "/b", "/b") == [WORDS, "", WORDS, ""]
    assert names(Injector(plan(f"{WORDS}:path=/b,nth=2")), "/b", "/a", "/bc", "/b") == ["", "", WORDS, ""]
    assert names(Injector(plan(f"{WORDS}:resource=supplier")), "/a") == [""]
    assert names(Injector(plan(f"{WORDS}:page=1")), "/a", "/a?cursor=x") == [WORDS, ""]


def test_pages_are_counted_by_the_cursors_given_out():
    """The second page of one walk is not that of another; late answers give cursors out, broken ones do not."""
    injector = Injector(plan("server-error:page=2", "latency:path=/slow", "reset:path=/gone"))
    walks = ("/a?limit=5", "/slow?limit=5", "/gone?limit=5")
    first = ["", "latency", "reset"]
    assert names(injector, *walks) == first
    assert names(injector, *(f"{walk}&cursor=c2" for walk in walks)) == ["server-error", "server-error", "reset"]
    assert names(injector, "/a?limit=6&cursor=c2") == [""]


def test_a_revoked_token_stays_revoked():
    """For whatever is asked with it, from the page on; not for another token, and not for another fault."""
    injector = Injector(plan("revoked-token:page=2", f"{WORDS}:path=/beta"))
    assert names(injector, "/a", "/a?cursor=c2", "/a", "/x") == ["", "revoked-token", "revoked-token", "revoked-token"]
    assert names(injector, "/a", "/a?cursor=c2", token="other") == ["", "revoked-token"]
    assert names(injector, "/a", token="third") == [""]
    assert names(injector, "/beta/a", token="third") == [WORDS]


def test_what_is_remembered_is_bounded():
    """The longest unseen is forgotten: its next attempt is a first one again."""
    injector = Injector(plan(f"{WORDS}:attempts=1"), remembered=3)
    assert names(injector, "/a", "/a", "/b", "/c", "/d", "/a", "/d") == [WORDS, "", WORDS, WORDS, WORDS, WORDS, ""]


def test_scripts_of_others_are_left_alone():
    """What a test put in place of an answer is not broken on top."""
    script = Script((Send(b"x"),))
    assert Injector(plan(WORDS)).respond(request(), script, "claim", sound) == (script, "")


def test_connections_are_drawn_by_their_number():
    """The same share of the same connections by the same seed; request faults do not touch connections."""
    seen = [Injector(plan("tls-expired:share=0.3", "tls-reset:nth=2", WORDS, seed=4)) for _ in range(2)]
    first, second = ([injector.connect()[1] for _ in range(300)] for injector in seen)
    assert first == second
    assert 60 < first.count("tls-expired") < 120
    assert first.count("tls-reset") == 1
    assert Injector(plan("tls-self-signed")).connect() == (Certificate.SELF_SIGNED, "tls-self-signed")
