"""Faults that need a scene of their own: what changes under way, what stands around the command, who may read what."""

from __future__ import annotations

import ctypes
import os
import select
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fault_rows.never import contents
from sandbox_site import TOKEN_VARIABLE, site_of

from pipeline import nightly
from pipeline.resources import default_path
from pipeline.sandbox.faults import plan
from pipeline.snapshot import read_manifest

ROOT = Path(__file__).parents[2]
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24


def without_root_s_privilege() -> None:
    """Root, too, is refused by a file's mode in the program that is about to begin."""
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def test_settings_that_this_user_may_not_read(site_file, tmp_path):
    """Mode 0000: exit code 10 before anything else, the file named, nothing made."""
    site_file.chmod(0)
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "run", "--config", str(site_file)],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        preexec_fn=without_root_s_privilege if os.getuid() == 0 else None,
    )  # fmt: skip
    lines = dict(line.split(maxsplit=1) for line in done.stderr.splitlines())
    assert done.returncode == 10, done.stderr
    assert "cannot be read (Permission denied)" in lines["WHAT"]
    assert lines["WHERE"] == str(site_file)
    assert lines["STATE"] == "nothing was changed"
    assert not (tmp_path / "data").exists()


def test_settings_changed_under_way_change_nothing(prospend, sandbox, site_file, tmp_path, earlier_night):
    """Settings and catalogue are read once: what a run publishes, and the hash it seals, are those it began with."""
    own = tmp_path / "own.toml"
    own.write_text(default_path().read_text())
    text = site_file.read_text().replace("[api]\n", f'[api]\nresources = "{own}"\n')
    site_file.write_text(text)
    first = prospend("run", "--quiet", "--config", site_file)
    assert first.code == 0, first.err
    sandbox.journal.clear()
    sandbox.faults(plan("latency:seconds=0.3,path=/beta/company/1/claim"))

    def rewrite() -> None:
        while not sandbox.journal.counts.requests:
            time.sleep(0.01)
        site_file.write_text(
            text.replace('name = "test"', 'name = "other"') + "[checks]\nmax_quarantined_percent = 0\n"
        )
        own.write_text("format = 7")

    writer = threading.Thread(target=rewrite)
    writer.start()
    done = prospend("run", "--quiet", "--config", site_file)
    writer.join()
    assert done.code == 0, done.err
    older, newer = (read_manifest(path) for path in sorted((tmp_path / "data" / "runs").glob("*/manifest.json")))
    assert (newer["site"], newer["settings_sha256"], newer["catalogue_sha256"]) == (
        "test", older["settings_sha256"], older["catalogue_sha256"],
    )  # fmt: skip
    assert contents(tmp_path / "data") == contents(earlier_night)
    assert prospend("run", "--config", site_file).code == 10


def test_what_stands_around_the_command_is_ignored(prospend, sandbox, site_file, tmp_path, earlier_night):
    """Proxies, netrc, a TLS key log, slower parsers, a path of modules: published all the same, and nothing went there."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text("machine 127.0.0.1 login somebody password else\ndefault login x password y\n")
    (home / ".netrc").chmod(0o600)
    (tmp_path / "modules").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        proxy = f"http://127.0.0.1:{elsewhere.getsockname()[1]}"
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
        done = prospend(
            "run", "--quiet", "--config", site_file,
            NETRC=str(home / ".netrc"), SSLKEYLOGFILE=str(tmp_path / "keys.log"), PYTHONPATH=str(tmp_path / "modules"),
            AIOHTTP_NO_EXTENSIONS="1", PYTHONASYNCIODEBUG="0", **dict.fromkeys(names, proxy),
        )  # fmt: skip
        assert not select.select([elsewhere], [], [], 0)[0]
    assert done.code == 0, done.err
    assert contents(tmp_path / "data") == contents(earlier_night)
    log = tmp_path / "keys.log"  # aiohttp opens it as it is imported, for a context that nobody uses
    assert not log.exists() or all(line.startswith("#") for line in log.read_text().splitlines())
    assert {entry.status for entry in sandbox.journal.entries} == {200}


def test_an_environment_without_anything(site_file, tmp_path, earlier_night):
    """As a scheduler may start it: no variable at all, another folder, no terminal, no home. Published all the same."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "run", "--config", str(site_file)],
        env={}, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "data") == contents(earlier_night)


@pytest.mark.parametrize(
    ("form", "environ"),
    [
        ("table", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
        ("csv", {"LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii:strict"}),
        ("json", {"LANG": "de_DE.ISO-8859-1", "PYTHONIOENCODING": "latin-1"}),
    ],
    ids=["C", "ASCII", "Latin-1"],
)
def test_what_is_printed_is_utf_8_in_any_locale(earlier_night, form, environ):
    """A value beyond the locale's letters is printed as it is, and is no reason to fail."""
    sql = "SELECT chr(248) || chr(28450) || chr(128512) AS v"
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "query", "--data", earlier_night, "--format", form, sql],
        env={"PATH": os.environ["PATH"], **environ},
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert "ø漢😀" in done.stdout.decode()


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_files_have_our_own_modes_whatever_the_umask(sandbox, tmp_path, mask):
    """Nothing is open to everybody, nothing that the group reads is shut: folders 0750, what is sealed 0440."""
    data_dir, before = tmp_path / "data", os.umask(mask)
    try:
        nightly.run(site_of(sandbox, data_dir), environ={TOKEN_VARIABLE: sandbox.token})
    finally:
        os.umask(before)
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in data_dir.rglob("*")}
    assert {mode for path, mode in found.items() if path.is_dir()} == {0o750}
    sealed = {path: mode for path, mode in found.items() if path.suffix in (".parquet", ".duckdb")}
    assert set(sealed.values()) == {0o440}
    assert {mode for path, mode in found.items() if path.is_file()} == {0o440, 0o640}


LED_INSIDE = """
mount --bind {hosts} /etc/hosts && exec {python} -m pipeline run --quiet --config {config}
"""


def test_a_public_name_that_this_machine_leads_inside(sandbox, site_file, tmp_path):
    """The real resolver, its hosts file replaced in a mount namespace of its own: exit 22, and no request."""
    inside = ["unshare", "--mount", "--", "sh", "-c"]
    (tmp_path / "hosts").write_text("127.0.0.1 api.example.com\n")
    try_it = f"mount --bind {tmp_path / 'hosts'} /etc/hosts"
    if subprocess.run([*inside, try_it], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets us make no mount namespace")
    port = urlsplit(sandbox.base_url).port
    site_file.write_text(site_file.read_text().replace(sandbox.base_url, f"https://api.example.com:{port}"))
    script = LED_INSIDE.format(hosts=tmp_path / "hosts", python=sys.executable, config=site_file)
    done = subprocess.run([*inside, script], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 22, done.stderr
    assert "api.example.com resolves to a loopback address" in done.stderr
    assert sandbox.journal.counts.requests == 0
