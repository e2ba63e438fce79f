"""Every way a run can fail, by the real command: exit code, four lines, data untouched, token told nowhere."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from canary import assert_not_told

from pipeline.sandbox import Reply, Running

ROOT = Path(__file__).parents[2]
QUICK = {"PROSPEND__API__ATTEMPTS": "2"}  # what nobody answers need not be tried for a minute


def edited(site_file: Path, old: str, new: str) -> Path:
    text = site_file.read_text()
    assert old in text
    site_file.write_text(text.replace(old, new))
    return site_file


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wrong_token(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    head, body, _ = sandbox.token.split(".")
    (tmp_path / "token").write_text(f"{head}.{body}.{'A' * 43}\n")


def revoked_token(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    sandbox.revoke()


def token_for_all(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    (tmp_path / "token").chmod(0o644)


def no_token(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    edited(site_file, f'file = "{tmp_path / "token"}"', 'env = "NOT_SET_ANYWHERE"')


def malformed_token(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f'"{sandbox.token}"')


def plain_http(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    edited(site_file, "https://", "http://")


def unknown_setting(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    edited(site_file, "ca_file", "ca_fiel")


def unknown_company(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    edited(site_file, 'name = "test"', 'name = "test"\ncompanies = ["999"]')


def unreachable_host(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    edited(site_file, sandbox.base_url, f"https://127.0.0.1:{closed_port()}")


def unknown_host(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    edited(site_file, sandbox.base_url, "https://api.invalid")


def untrusted_certificate(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    edited(site_file, str(sandbox.ca_file), str(tmp_path / "other.pem"))


def missing_authority_file(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    edited(site_file, str(sandbox.ca_file), str(tmp_path / "none.pem"))


def path_not_found(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    edited(site_file, 'name = "test"', 'name = "test"\nversion = "v9"')


def forbidden(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    sandbox.force("/beta/company/1/supplier", 403)


def list_gone(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    sandbox.force("/beta/company/1/invoice", 404)


def no_companies_wanted(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    edited(site_file, 'name = "test"', 'name = "test"\ncompanies = []')


def no_company_seen(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    sandbox.answer_with("/beta/company", Reply(200, b'{"page":[],"nextCursor":null}'))


def damaged_manifest(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    (manifest,) = (tmp_path / "data" / "runs").glob("*/manifest.json")
    content = manifest.read_bytes().replace(b'"site": "test"', b'"site": "tess"')
    manifest.unlink()
    manifest.write_bytes(content)


def folder_instead_of_token(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    (tmp_path / "token").unlink()
    (tmp_path / "token").mkdir(mode=0o700)


def month_used_up(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    edited(site_file, "[storage]", "[budget]\nmonthly = 20\n[storage]")


def not_a_folder(sandbox: Running, site_file: Path, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")


# name: (what is wrong, exit code, what WHAT must hold, what WHERE must hold)
FAULTS = {
    "wrong token": (wrong_token, 11, "refused the token (401)", "company"),
    "revoked token": (revoked_token, 11, "refused the token (401)", "company"),
    "token readable by others": (token_for_all, 11, "mode 0644", "token"),
    "no token": (no_token, 11, "NOT_SET_ANYWHERE is not set", "[token] env"),
    "malformed token": (malformed_token, 11, "position 1 of", "token"),
    "http URL": (plain_http, 10, "must begin with https://", "site.toml"),
    "unknown setting": (unknown_setting, 10, "did you mean 'ca_file'?", "site.toml"),
    "unknown company": (unknown_company, 10, "no company 999; it sees 1, 2", "site.companies"),
    "unreachable host": (unreachable_host, 20, "gave up after 2 attempts", "company · page 1"),
    "unknown host": (unknown_host, 20, "cannot be resolved", "company · page 1"),
    "untrusted certificate": (untrusted_certificate, 22, "not trusted", "company"),
    "missing authority file": (missing_authority_file, 10, "certificate authority file", "none.pem"),
    "path that answers 404": (path_not_found, 21, "404", "company"),
    "list that answers 404 later": (list_gone, 21, "404", "invoice"),
    "forbidden resource": (forbidden, 12, "403", "supplier"),
    "no companies wanted": (no_companies_wanted, 10, "site.companies", "site.toml"),
    "token sees no company": (no_company_seen, 41, "something_was_served", "check"),
    "damaged manifest": (damaged_manifest, 40, "its own hash does not hold", "manifest.json"),
    "token file is a folder": (folder_instead_of_token, 11, "token file", "token"),
    "month has no room": (month_used_up, 42, "needs about", "plan"),
    "data folder is a file": (not_a_folder, 31, "cannot be used", "data"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_failure_has_its_code_and_four_lines(prospend, sandbox, site_file, tmp_path, earlier_night, fault):
    """Exit code and lines are the documented ones, the earlier warehouse stays, the token is told nowhere."""
    spoil, code, what, where = FAULTS[fault]
    has_earlier = fault != "data folder is a file"
    if has_earlier:
        shutil.copytree(earlier_night, tmp_path / "data", symlinks=True)
    pointer = tmp_path / "data" / "warehouse.duckdb"
    before = pointer.resolve()
    spoil(sandbox, site_file, tmp_path)
    done = prospend("run", "--config", site_file, **QUICK)
    assert done.code == code, done.err
    assert list(done.lines) == ["WHAT", "WHERE", "STATE", "DO"]
    assert f"({code})" in done.lines["WHAT"]
    assert what in done.lines["WHAT"]
    assert where in done.lines["WHERE"]
    assert all(done.lines.values())
    assert "Traceback" not in done.err
    assert done.out == ""
    if has_earlier:
        assert pointer.resolve() == before
        assert before.exists()
    debug = prospend("run", "--debug", "--json", "--config", site_file, **QUICK)
    assert debug.code == code
    assert_not_told(sandbox.token, [tmp_path / "data", tmp_path / "home"], done.out, done.err, debug.out, debug.err)


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
