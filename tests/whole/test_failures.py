"""Failures beside the table of faults: no settings, a full disk; and a good run that tells the token to nobody."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from canary import assert_not_told

ROOT = Path(__file__).parents[2]


def test_a_missing_config_is_never_replaced_by_sample_data(prospend, tmp_path):
    """No settings: exit 10, both places named, nothing made."""
    done = prospend("run")
    assert done.code == 10
    assert "configs/site.toml" in done.lines["WHERE"]
    assert str(Path("prospend") / "site.toml") in done.lines["WHERE"]
    assert "prospend demo" in done.lines["DO"]
    assert not list((tmp_path / "home").iterdir())


def test_a_good_run_tells_the_token_to_nobody(prospend, sandbox, site_file, tmp_path):
    """After a published night no byte of output or data holds the token."""
    done = prospend("run", "--debug", "--config", site_file)
    assert done.code == 0
    assert_not_told(sandbox.token, [tmp_path / "data", tmp_path / "home"], done.out, done.err)


FULL_DISK = """
set -e
mount -t tmpfs -o size={size} tmpfs {folder}
set +e
{python} -m pipeline run --quiet --config {config} --data {folder}/data
code=$?
ls -A {folder}/data/staging {folder}/data/warehouse
exit $code
"""


@pytest.mark.parametrize("size", ["64k", "512k", "1500k", "4m"])
def test_a_full_disk_is_told_as_such(site_file, tmp_path, listener, size):
    """On a small tmpfs, in a mount namespace of its own: exit 30 wherever it fills up, and nothing staged is left."""
    folder = tmp_path / "small"
    folder.mkdir()
    inside = ["unshare", "--mount", "--", "sh", "-c"]
    if subprocess.run([*inside, f"mount -t tmpfs tmpfs {folder}"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets us make no mount namespace")
    script = FULL_DISK.format(size=size, folder=folder, python=sys.executable, config=site_file)
    done = subprocess.run([*inside, script], capture_output=True, text=True, check=False, cwd=ROOT)
    listener(done.stdout + done.stderr)
    assert done.returncode == 30, (done.stdout, done.stderr)
    assert "LOCAL_RESOURCE (30)" in done.stderr
    assert "nothing published" in done.stderr
    assert "building" not in done.stdout
    assert "part-" not in done.stdout
