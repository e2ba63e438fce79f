"""Where a token comes from, and that the process that holds it gives it to nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from pipeline.errors import TokenError
from pipeline.ops.token_source import Surroundings, find_token
from pipeline.settings import Token

KEYRING = """
def get_password(service, user):
    if service == "broken":
        raise RuntimeError("secret backend details")
    return {("prospend", "site"): "abc.def.ghi", ("prospend", "bad"): "abc def"}.get((service, user))
"""


@pytest.fixture
def keyring(tmp_path, monkeypatch):
    """A keyring package of the test's own, found like the real one."""
    (tmp_path / "keyring.py").write_text(KEYRING)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "keyring", raising=False)
    yield
    sys.modules.pop("keyring", None)


def credential(folder: Path, mode: int, content: str = "abc.def.ghi\n") -> dict[str, str]:
    path = folder / "prospend-token"
    path.write_text(content)
    path.chmod(mode)
    return {"CREDENTIALS_DIRECTORY": str(folder)}


def test_a_keyring_entry_is_a_source(keyring):
    """Service and user name one entry."""
    assert find_token(Token(keyring="prospend/site"), {}).reveal() == "abc.def.ghi"


@pytest.mark.parametrize(
    ("entry", "said"),
    [("prospend/none", "no such entry"), ("broken/x", "RuntimeError"), ("prospend/bad", "position 4 of 7")],
)
def test_a_keyring_that_fails_is_told_without_what_it_holds(keyring, entry, said):
    """Exit 11, the entry is named, nothing of the backend's own words."""
    with pytest.raises(TokenError, match=said) as caught:
        find_token(Token(keyring=entry), {})
    assert entry in caught.value.where
    assert "secret backend" not in str(caught.value.lines())
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_missing_keyring_package_says_how_to_install_it(monkeypatch):
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(TokenError) as caught:
        find_token(Token(keyring="a/b"), {})
    assert "prospend-pipeline[keyring]" in caught.value.do


@pytest.mark.parametrize("mode", [0o400, 0o600])
def test_a_systemd_credential_is_a_source(tmp_path, mode):
    """The file of that name in the folder that systemd made."""
    assert find_token(Token(credential="prospend-token"), credential(tmp_path, mode)).reveal() == "abc.def.ghi"


def test_systemd_s_grant_to_the_unit_s_user_is_accepted(tmp_path):
    """It shows as a group bit of a file that is root's own; for the same file named as `token.file` it is refused."""
    environ = credential(tmp_path, 0o440)
    if (tmp_path / "prospend-token").stat().st_gid or os.getuid():
        pytest.skip("needs a file that belongs to root and its group")
    assert find_token(Token(credential="prospend-token"), environ).reveal() == "abc.def.ghi"
    with pytest.raises(TokenError, match="mode 0440"):
        find_token(Token(file=tmp_path / "prospend-token"), {})


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o666])
def test_a_credential_for_all_is_refused(tmp_path, mode):
    """As any token file."""
    with pytest.raises(TokenError, match=f"mode {mode:04o}"):
        find_token(Token(credential="prospend-token"), credential(tmp_path, mode))


def test_a_missing_credential_is_told_with_the_unit_s_line(tmp_path):
    """No folder: not run by systemd, or nothing loaded. A folder without the file: which one."""
    with pytest.raises(TokenError) as caught:
        find_token(Token(credential="t"), {})
    assert "LoadCredential=t:" in caught.value.do
    with pytest.raises(TokenError, match="cannot be read"):
        find_token(Token(credential="t"), {"CREDENTIALS_DIRECTORY": str(tmp_path)})


GUARDED = """
import ctypes, os, pathlib, resource, subprocess, sys
from pipeline.ops.token_source import find_token, guarded_environment
from pipeline.settings import Token
other = {"PLANTED": "abc.def.ghi"}
assert guarded_environment(Token(file=pathlib.Path("x")), other) == {"PLANTED": "abc.def.ghi"} == other
settings = Token(env="PLANTED")
secret = find_token(settings, guarded_environment(settings, os.environ))
assert secret.reveal() == "abc.def.ghi"
assert "PATH" in os.environ
subprocess.run(["env"], check=True)
print("core", resource.getrlimit(resource.RLIMIT_CORE), "dumpable", ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)
os.abort()
"""


def test_a_process_that_holds_a_token_gives_it_to_nobody(tmp_path):
    """No child inherits the variable; no core file is written on an abort; its memory is not readable by its user."""
    script, empty = tmp_path / "guarded.py", tmp_path / "empty"
    script.write_text(GUARDED)
    empty.mkdir()
    done = subprocess.run(
        ["sh", "-c", f"ulimit -c unlimited; exec {sys.executable} {script}"],
        env={"PATH": os.environ["PATH"], "PLANTED": "abc.def.ghi"},
        cwd=empty,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -6, done.stderr
    assert "core (0, 0) dumpable 0" in done.stdout
    assert "PATH=" in done.stdout
    assert "PLANTED" not in done.stdout
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize("shape", ['"{}"', "Bearer {}", "{}\u00e9", "{} "])
@pytest.mark.parametrize("source", ["env", "file", "command"])
def test_no_frame_of_a_refusal_holds_the_token(tmp_path, source, shape):
    """A traceback with locals, and every error behind the refusal, show nothing of what was found."""
    text = shape.format("abcdefgh.ijklmnop.qrstuvwx")
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(0o600)
    places = {"env": Token(env="T"), "file": Token(file=path), "command": Token(command=("cat", str(path)))}
    environ = Surroundings({"T": text, "PATH": os.environ["PATH"]})
    with pytest.raises(TokenError) as caught:
        find_token(places[source], environ)
    told = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    own = told.partition("in find_token")[2]
    assert own
    assert "ijklmnop" not in own
    assert caught.value.__context__ is None
    assert "ijklmnop" not in repr(environ)
