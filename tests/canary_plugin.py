"""No test may tell a token: each is searched by what it printed, logged and raised, the session by the files it leaves.

What commands print to tests that call them is handed in through the fixture `listener`. Log records of every level are
searched. Searching fails the test, or the session, and names the place. Where several workers share the tests, each
searches what its own left, and the session fails with any of them.
"""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from canary import Canary, files_below, shown
from readable import reader

# Of the working tree: what belongs to no test, and is large.
_NOT_OURS = (".git", ".venv", ".bench", ".mypy_cache", ".ruff_cache", "__pycache__")
_WATCH = pytest.StashKey["Watch"]()
_FOUND = "tokens_told"


class Watch:
    """What one test session has told so far."""

    def __init__(self) -> None:
        self.canary = Canary()
        self.base: Path | None = None
        self.began = time.time()
        self.heard: list[str] = []
        self.told: list[str] = []
        self.summaries: list[str] = []
        self._folders: set[Path] = set()

    def learn(self, own_folder: Path | None, *, is_last: bool) -> None:
        """Know the tokens issued since the last look: in a test's own folder, and in those that tests share."""
        if self.base is None:
            return
        fresh = set(self.base.iterdir()) - self._folders
        if is_last:  # until then the test may make more in them
            self._folders |= fresh
        with contextlib.suppress(LookupError):  # told at the end
            for folder in fresh:
                self.canary.learn_from(folder)
        self.canary.learn_below(*([own_folder] if own_folder is not None else []))

    def keep(self, nodeid: str, texts: list[str]) -> None:
        """Put texts where the search at the end finds them: by then every token is known."""
        if self.base is not None and any(texts):
            with (self.base / "told-by-tests.txt").open("a", errors="backslashreplace") as file:
                file.writelines([f"==== {nodeid}\n", *texts])

    def search(self, tree: Path) -> None:
        """Every byte of every file that the session left, in its folder and in the working tree."""
        assert self.base is not None
        began = time.perf_counter()
        self.told += self.canary.learn_below(self.base)
        databases = reader()
        clean: set[bytes] = set()
        size = count = 0
        for path in self._files(tree):
            try:
                content = path.read_bytes()
            except FileNotFoundError:  # a process that a test left behind still tidies up
                continue
            digest = blake2b(content).digest()
            count, size = count + 1, size + len(content)
            if digest in clean:
                continue
            found = self.canary.told_by(path, databases)
            if found is None:
                clean.add(digest)
            else:
                self.told.append(f"{path}: {found}")
        took = time.perf_counter() - began
        self.summaries.append(f"{len(self.canary.known)} tokens, {count} files, {size / 1e6:.0f} MB, {took:.1f} s")

    def _files(self, tree: Path) -> Iterator[Path]:
        assert self.base is not None
        yield from files_below(self.base)
        for path in files_below(tree, without=_NOT_OURS):
            with contextlib.suppress(FileNotFoundError):  # another worker's tests are at work in the tree
                if path.stat().st_mtime >= self.began and not path.is_relative_to(self.base):
                    yield path


def pytest_configure(config: pytest.Config) -> None:
    """A watch for the session."""
    config.stash[_WATCH] = Watch()


@pytest.fixture(scope="session", autouse=True)
def canary_watch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Watch:
    """The watch, which knows from here on where tests put their files."""
    watch = request.config.stash[_WATCH]
    watch.base = tmp_path_factory.getbasetemp()
    return watch


@pytest.fixture
def listener(canary_watch: Watch) -> Callable[[str], None]:
    """Takes what a command told this test, to be searched like the test's own output."""
    return canary_watch.heard.append


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail the test that told a token, whatever else became of it."""
    report = yield
    watch = item.config.stash[_WATCH]
    watch.learn(getattr(item, "funcargs", {}).get("tmp_path"), is_last=report.when == "teardown")
    texts = [(place, text) for place, text in report.sections if place.endswith(f" {report.when}")]
    texts += [("the failure", report.longreprtext), *(("a command's output", text) for text in watch.heard)]
    watch.heard.clear()
    for place, text in texts:
        found = watch.canary.told_in(text.encode(errors="backslashreplace"))
        if found is not None:
            report.outcome = "failed"
            report.longrepr = f"{report.longreprtext}\na token was told in {place}: {shown(found)}"
    watch.keep(report.nodeid, [text for _, text in texts])
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session that left a token in a file; a worker hands over what it found."""
    watch = session.config.stash[_WATCH]
    if watch.base is not None:
        try:
            watch.search(session.config.rootpath)
        except Exception:  # noqa: BLE001 - a worker that raises here ends without a word
            watch.told.append(f"the search itself failed: {traceback.format_exc()}")
    if watch.told:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    handed_over = getattr(session.config, "workeroutput", None)
    if handed_over is not None:
        handed_over[_FOUND] = {"told": watch.told, "summaries": watch.summaries}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker found; one that cannot say what it found has not searched."""
    watch = node.config.stash[_WATCH]
    found = getattr(node, "workeroutput", {}).get(_FOUND)
    if found is None:
        watch.told.append(f"worker {node.gateway.id} ended before its files were searched")
        return
    watch.told += found["told"]
    watch.summaries += found["summaries"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was searched, and every file in which a token was found."""
    watch = config.stash[_WATCH]
    if watch.told:
        terminalreporter.section("tokens told", red=True)
        for line in watch.told:
            terminalreporter.line(line)
    for summary in watch.summaries:
        terminalreporter.line(f"searched for tokens: {summary}")
