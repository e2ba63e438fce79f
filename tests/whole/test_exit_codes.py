"""Every exit code comes about by the real command, says what to do, and whoever does that has a published night next."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fault_rows.case import Scene, scene_on
from fault_rows.warm import Ended, Warm, warm_command
from histories import fast_folder
from killing import small_catalogue
from sandbox_site import TOKEN_VARIABLE, site_of
from ways_out import ROWS, Row

import pipeline.nightly
from pipeline import errors
from pipeline.ops.records import recent
from pipeline.ops.runs import pointer_of
from pipeline.sandbox import Running, SandboxSettings, in_thread
from pipeline.sandbox.variants import Variants


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    """The command, loaded once."""
    with warm_command() as running:
        yield running


@pytest.fixture(scope="module")
def serving(authority: Path) -> Iterator[Running]:
    """One sandbox for all rows, which refuses pages that are too large instead of making them smaller."""
    settings = SandboxSettings(state_dir=authority, claims=8, variants=Variants(over_cap="refuse"))
    with in_thread(settings) as running:
        yield running


@pytest.fixture(scope="module")
def fast() -> Iterator[Path]:
    """A folder in memory: what a night waits for most is the disk."""
    with fast_folder() as folder:
        yield folder


@pytest.fixture
def tmp_path(fast: Path) -> Path:
    """A folder of it for one test."""
    return Path(tempfile.mkdtemp(dir=fast))


@pytest.fixture(scope="module")
def small(fast: Path) -> Path:
    """A catalogue of a few resources."""
    return small_catalogue(fast)


@pytest.fixture(scope="module")
def earlier(serving: Running, small: Path) -> Path:
    """A data folder with one published night."""
    site = site_of(serving, small.parent / "data", resources=small)
    site = replace(site, report=replace(site.report, marts=False))
    pipeline.nightly.run(site, environ={TOKEN_VARIABLE: serving.token})
    return site.storage.data_dir


@pytest.fixture
def sandbox(serving: Running) -> Iterator[Running]:
    """The same, as sound as at its start."""
    yield serving
    serving.faults()
    serving.release()


@pytest.fixture
def scene(sandbox: Running, site_file: Path, small: Path, earlier: Path, warm: Warm) -> Iterator[Scene]:
    """A sound site on top of an earlier night."""
    with scene_on(sandbox, site_file, earlier) as made:
        made.warm = warm
        made.set("api", resources=f'"{small}"')
        made.set("report", marts="false")
        yield made


def test_every_exit_code_and_every_error_has_a_row():
    """Who adds one says here how it comes about and how it is got over."""
    kinds = {one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.PipelineError)}
    kinds -= {errors.PipelineError}
    fixed = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert {row.kind for row in ROWS} == kinds | {None}
    assert {row.code for row in ROWS} == fixed | {kind.exit_code for kind in kinds}
    assert all(row.code == row.kind.exit_code for row in ROWS if row.kind)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_whoever_does_what_the_message_says_has_a_published_night_next(row: Row, scene: Scene, warm: Warm, listener):
    """The failure leaves readers where they were and names a way out; the way is gone, and leads to exit 0."""

    def do(line: str) -> Ended:
        command, *more = line.split()
        sub = more[:1] if command == "token" else []
        arguments = [command, *sub, "--config", str(scene.site_file), *more[len(sub) :]]
        ended = warm.run(arguments, home=scene.folder / "home", environ=scene.environ, planted=scene.planted)
        listener(ended.out + ended.err)
        return ended

    before = pointer_of(scene.data).resolve()
    row.comes_about(scene)
    failed = do("run")
    assert failed.code == row.code, failed.err
    if row.code:
        assert pointer_of(scene.data).resolve() == before
        assert row.do in (failed.lines.get("DO") or recent(scene.data, 1)[0]["error"]["do"]), failed.err
    row.follow(scene, do)
    published = do(" ".join(("run", *row.then, "--json")))
    assert published.code == 0, published.err
    assert json.loads(published.out)["outcome"] == "published"
