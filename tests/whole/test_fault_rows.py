"""Every fault of the table by the real command, on top of an earlier night: exit code, four lines, and what never is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_rows.case import Case, Scene, scene_on, wanted
from fault_rows.cases import CASES
from fault_rows.never import Contents, Left, assert_never, contents, no_token_told, seen_before
from fault_rows.warm import Ended, Warm, warm_command

from pipeline.ops.runs import pointer_of, started_at_of
from pipeline.sandbox import Running, SandboxSettings, in_thread

pytestmark = pytest.mark.marts

LONGEST_LINE = 400
# These are also run with all that can be told: every log record, tracebacks with variables, and the result as JSON.
FIRST_OF_EACH = {case.row: case for case in reversed(CASES)}


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    """The command, loaded once."""
    with warm_command() as running:
        yield running


@pytest.fixture(scope="module")
def sound(earlier_night: Path) -> Contents:
    """What the books hold: what a night without a fault publishes."""
    return contents(earlier_night)


@pytest.fixture(scope="module")
def serving(authority: Path) -> Iterator[Running]:
    """One sandbox for all faults."""
    with in_thread(SandboxSettings(state_dir=authority, claims=60)) as running:
        yield running


@pytest.fixture
def sandbox(serving: Running) -> Iterator[Running]:
    """The same, as sound as at its start."""
    sound_state = serving.host.state
    serving.journal.clear()
    yield serving
    serving.host.state = sound_state
    serving.faults()


@pytest.fixture
def scene(sandbox: Running, site_file: Path, earlier_night: Path) -> Iterator[Scene]:
    """A sound site on top of an earlier night, and another origin to which nobody may come."""
    with scene_on(sandbox, site_file, earlier_night) as made:
        yield made


def readers_remain(scene: Scene) -> str:
    """What STATE must say of the generation that readers stay on."""
    since = started_at_of(pointer_of(scene.data).resolve().stem)
    return f"nothing published; readers remain on the warehouse of {since:%Y-%m-%d %H:%M} UTC"


def assert_four_lines(case: Case, scene: Scene, ended: Ended) -> None:
    """Each line is there once, short, and holds what it must and nothing it must not."""
    lines = ended.lines
    assert list(lines) == ["WHAT", "WHERE", "STATE", "DO"], ended.err
    told = {label: ended.err.count(f"\n{label} ") + ended.err.startswith(label) for label in lines}
    assert set(told.values()) == {1}, ended.err
    assert f"({case.code})" in lines["WHAT"]
    for label, texts in (("WHAT", case.what), ("WHERE", case.where), ("DO", case.do)):
        for text in wanted(texts):
            assert text in lines[label], f"{label} without {text!r}:\n{ended.err}"
    assert (case.state or readers_remain(scene)) in lines["STATE"], ended.err
    for label, line in lines.items():
        assert 0 < len(line) <= LONGEST_LINE, label
    for text in case.unsaid:
        assert text not in ended.err


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_fault_ends_as_the_table_says(case: Case, scene: Scene, warm: Warm, sound: Contents, listener):
    """Exit code and four lines are the documented ones, and nothing of what must never happen has happened."""
    case.spoil(scene)
    before = seen_before(scene.data)
    allowed = {"limits": scene.limits, "refused": scene.refused}
    ended = warm.run(scene.arguments, home=scene.folder / "home", environ=scene.environ, **allowed)
    assert ended.code == case.code, ended.err
    if case.code:
        assert ended.out == ""
        assert_four_lines(case, scene, ended)
    else:
        for text in wanted(case.what):
            assert text in ended.out
    if case.calls is not None:
        assert scene.sandbox.journal.counts.requests <= case.calls
    listener(ended.out + ended.err)
    assert_never(Left(scene, before, ended, sound))
    if case in FIRST_OF_EACH.values() and case.code:
        scene.move_token_to_environment()
        arguments = [*scene.arguments, "--debug", "--json"]
        # Who types a token as an argument has told it to the whole machine: variables hold arguments.
        is_telling = not any(scene.sandbox.token in argument for argument in arguments)
        told = warm.run(arguments, home=scene.folder / "home", environ=scene.environ, is_telling=is_telling, **allowed)
        assert told.code == case.code, told.err[-4000:]
        assert ("ERROR:telling:deep" in told.err) is is_telling
        listener(told.out + told.err)
        no_token_told(Left(scene, before, told, sound))
