"""The search for tokens finds them: in each form, in each place, and the test or session that told one fails."""

from __future__ import annotations

import base64
import os
import random
import re
import secrets
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from canary import LEAST, Canary, TokenToldError, assert_not_told, forms_of, traces_of

from pipeline.sandbox import tokens

TESTS = Path(__file__).parents[1]
NOW = datetime(2026, 3, 1, tzinfo=UTC)

# A test session that tells what it must not. Each test by one form of the token in one place.
LEAKS = """
import gzip, logging, sys, zipfile
from datetime import UTC, datetime
from pathlib import Path
import duckdb, pyarrow, pyarrow.parquet, pytest
from canary import traces_of
from pipeline.sandbox import tokens

EACH = pytest.mark.parametrize("form", range(21))

@pytest.fixture
def token(tmp_path):
    return tokens.new(tmp_path / "state", now=datetime.now(UTC)).text

@pytest.fixture
def trace(token, form):
    return traces_of(token)[form].decode()

@EACH
def test_stdout(trace):
    print("said", trace)

@EACH
def test_stderr(trace):
    sys.stderr.write(trace)

@EACH
def test_log(trace):
    logging.getLogger("some.library").debug("sending %r", {"Authorization": f"Bearer {trace}"})

@EACH
def test_command(trace, listener):
    listener(f"published {trace}")

@EACH
def test_locals(trace):
    def inside(value):
        raise ValueError("no word of it")
    inside({"header": trace})

@pytest.fixture
def ending(trace):
    yield
    print(trace)

@EACH
def test_teardown(ending):
    pass

@pytest.mark.xfail(strict=True)
def test_expected_to_fail(token):
    raise ValueError(token)

def test_part(token):
    print(token[90:110])

def test_nothing(token):
    print("the token has", len(token), "characters", token[:8])
    logging.getLogger("x").debug("nothing %s", token[:8])

@EACH
def test_file(trace, tmp_path, form):
    (tmp_path / f"plain-{form}.bin").write_bytes(b"\\xff" * 13 + trace.encode() + b"\\0\\0")

@EACH
def test_compressed(trace, tmp_path, form):
    (tmp_path / f"packed-{form}.gz").write_bytes(gzip.compress(b"x" * 99 + trace.encode()))

@EACH
def test_archive(trace, tmp_path, form):
    with zipfile.ZipFile(tmp_path / f"archive-{form}.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sheet.xml", trace * 2)

@EACH
def test_parquet(trace, tmp_path, form):
    rows = [{"a": n, "b": [{"c": f"{n * n} {trace if n == 700 else n}"}]} for n in range(1000)]
    place = tmp_path / f"part-{form}.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), place, compression="zstd", use_dictionary=False)
    assert trace.encode() not in place.read_bytes()

@EACH
def test_duckdb(trace, tmp_path, form):
    with duckdb.connect(str(tmp_path / f"warehouse-{form}.duckdb")) as made:
        made.execute("PRAGMA force_compression='zstd'")
        made.execute("CREATE SCHEMA s; CREATE TABLE s.t (i INT, x VARCHAR, y STRUCT(z VARCHAR)[])")
        made.execute(f"INSERT INTO s.t SELECT i, md5(i::VARCHAR) || if(i = 999 AND {form} < 9, $1, ''), [{{z: md5(i::VARCHAR) || if(i = 99 AND {form} > 8, $1, '')}}] FROM range(2000) r (i)", [trace])
    assert trace.encode() not in (tmp_path / f"warehouse-{form}.duckdb").read_bytes()

def test_tree(token):
    Path(__file__).with_name("left-in-the-tree.log").write_text(f"GET {token}")

def test_where_it_belongs(token, tmp_path):
    (tmp_path / "token").write_text(token)
"""
IN_TESTS = ("stdout", "stderr", "log", "command", "locals")
IN_FILES = {"plain": "bytes", "packed": "gzip", "archive": "sheet.xml", "part": "b", "warehouse": "values"}
FORMS = range(21)


def session(folder: Path, *arguments: str, tests: str = LEAKS) -> subprocess.CompletedProcess[str]:
    """A test session of its own, with the plugin and the leaks."""
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\nlog_level = DEBUG\naddopts = -p no:cacheprovider\n")
    (folder / "conftest.py").write_text('pytest_plugins = ["canary_plugin"]\n')
    (folder / "test_leaks.py").write_text(tests)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "--showlocals", f"--basetemp={folder / 'base'}", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module", params=[(), ("-n", "2")], ids=["alone", "two workers"])
def leaking(request, tmp_path_factory) -> subprocess.CompletedProcess[str]:
    """The session of all leaks; what it prints and leaves is deleted, for it would be found again."""
    folder = tmp_path_factory.mktemp("leaking") / "session"
    try:
        return session(folder, *request.param)
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)


def outcomes(done: subprocess.CompletedProcess[str], word: str) -> set[str]:
    return set(re.findall(rf"^{word} test_leaks\.py::(\S+)", done.stdout, re.MULTILINE))


def test_each_test_that_tells_a_form_of_the_token_fails(leaking):
    """Standard output and error, log at DEBUG, a command's output, locals of a failure, fixtures: by name, no other."""
    assert leaking.returncode == 1
    expected = {f"test_{place}[{form}]" for place in IN_TESTS for form in FORMS}
    assert outcomes(leaking, "FAILED") == expected | {"test_expected_to_fail", "test_part"}
    assert outcomes(leaking, "ERROR") == {f"test_teardown[{form}]" for form in FORMS}
    assert {"test_nothing", "test_where_it_belongs", "test_tree"} <= outcomes(leaking, "PASSED")
    for place, word in (("stdout", "Captured stdout call"), ("log", "Captured log call"), ("locals", "the failure")):
        (told,) = re.findall(rf"_ test_{place}\[0\] _.*?a token was told in ([^:]*):", leaking.stdout, re.DOTALL)[:1]
        assert told == word


def test_each_file_in_which_a_form_was_left_is_named(leaking):
    """Bytes, compressed bytes, values of Parquet and of DuckDB, the working tree; not the file a token belongs in."""
    told = leaking.stdout.split(" tokens told ")[1]
    found = set(re.findall(r"([a-z]+)-(\d+)\.\w+: ([\w.]+): ", told))
    assert found == {(kind, str(form), place) for kind, place in IN_FILES.items() for form in FORMS}
    assert "left-in-the-tree.log" in told
    assert "/token:" not in told


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "a worker"])
def test_a_session_that_tells_nothing_passes(tmp_path, workers):
    """Also where a token stands where it belongs."""
    done = session(tmp_path / "session", "-k", "nothing or belongs", *workers)
    assert done.returncode == 0, done.stdout
    assert outcomes(done, "PASSED") == {"test_nothing", "test_where_it_belongs"}
    assert re.search(r"searched for tokens: 2 tokens, \d+ files", done.stdout)


def test_a_session_whose_worker_died_before_it_searched_fails(tmp_path):
    """What nobody searched may hold anything."""
    dies = "import os\n\ndef test_that_dies():\n    os._exit(1)\n"
    done = session(tmp_path / "session", "-n", "1", "--max-worker-restart", "0", tests=dies)
    assert done.returncode != 0
    assert "ended before its files were searched" in done.stdout


def test_a_session_whose_search_failed_says_why(tmp_path):
    """Alone and as a worker: what could not be searched may hold anything."""
    spoils = "def test_it(tmp_path):\n    (tmp_path / 'broken.zip').write_bytes(b'PK\\3\\4')\n"
    for number, options in enumerate(((), ("-n", "1"))):
        done = session(tmp_path / f"session {number}", *options, tests=spoils)
        assert done.returncode != 0
        assert "the search itself failed: Traceback" in done.stdout
    for left in tmp_path.rglob("broken.zip"):  # or the search of this session fails, too
        left.unlink()


@pytest.fixture
def canary(tmp_path) -> Canary:
    canary = Canary()
    for name in ("", "another"):
        tokens.new(tmp_path, now=NOW, name=name)
    canary.learn_from(tmp_path)
    return canary


def test_twenty_characters_are_found_wherever_they_stand(canary):
    """Any piece of any form, at any offset; nineteen are not enough, so that chance is none."""
    draw = random.Random(1)
    for token in canary.known:
        assert len(traces_of(token)) == len(FORMS)
        for form in forms_of(token).values():
            for at in range(len(form) - LEAST + 1):
                around = draw.randbytes(draw.randrange(20)), draw.randbytes(9)
                piece = form[at : at + LEAST]
                assert canary.told_in(around[0] + piece + around[1])
                assert canary.told_in(piece[:-1]) is None


def test_what_is_no_token_is_not_found(canary):
    """Random texts in the same alphabet, other tokens' signatures, hashes and random bytes."""
    draw = random.Random(2)
    for _ in range(50):
        noise = draw.randbytes(20_000)
        for content in (noise, base64.urlsafe_b64encode(noise), noise.hex().encode()):
            assert canary.told_in(content) is None
    assert canary.told_in(secrets.token_urlsafe(40).encode()) is None


def test_a_token_across_the_pieces_of_a_large_file_is_found(canary):
    """The search takes large contents in pieces that overlap."""
    canary.piece_bytes = 4096
    (token, *_) = canary.known
    traces = [token[40:60].encode(), "".join(f"%{ord(c):02x}" for c in token[40:60]).encode()]
    for trace in traces:
        for at in range(4096 - 3 * LEAST, 4097):
            assert canary.told_in(bytes(at) + trace + bytes(9000))


def test_a_token_that_cannot_be_made_again_is_no_secret_gap(tmp_path):
    """A token the search cannot know stops it; it does not pass it over."""
    tokens.new(tmp_path, now=NOW, subject="someone else")
    with pytest.raises(LookupError, match="cannot be made again"):
        Canary().learn_from(tmp_path)
    assert "cannot be made again" in Canary().learn_below(tmp_path)[0]
    (tmp_path / "tokens.json").unlink()  # this test's own session would stop at it, too


def test_the_search_in_chosen_places_finds_each_form(tmp_path):
    """`assert_not_told` over texts and folders, for tests that know where to look."""
    token = tokens.new(tmp_path / "state", now=NOW).text
    place = tmp_path / "place"
    place.mkdir()
    assert_not_told(token, [place], "nothing", "")
    for trace in traces_of(token):
        with pytest.raises(TokenToldError, match="in a text"):
            assert_not_told(token, [], "x" + trace.decode() + "y")
        (place / "file").write_bytes(b"x" + trace + b"y")
        with pytest.raises(TokenToldError, match="place/file, bytes"):
            assert_not_told(token, [place])
        (place / "file").unlink()
