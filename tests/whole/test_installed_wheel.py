"""The built wheel, installed, run as somebody without privileges who can write nothing but their own home.

The machine below is a mount namespace: everything is read-only but the home, also `/tmp`. The environment is empty. Only
the packages that the wheel asks for are borrowed from the environment of the tests; the program, its entry point and all
that it reads beside its code come from the wheel.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.sandbox import Running, SandboxSettings, in_thread

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
USER = 61235  # whom this machine has no name for
HOME = Path("/mnt/home")
PROGRAM = Path("/mnt/installed/bin/prospend")
PREFIX = Path(sys.base_prefix).resolve()
PYTHON = PREFIX / "bin" / Path(sys.executable).resolve().name
PACKAGES = "/mnt/packages"
# A Python below a folder that is its owner's alone - root's home, say - is put where it was, and the way to it opened:
# it knows its own place, and cannot be moved.
CLOSED = next((one for one in reversed(PREFIX.parents) if not one.stat().st_mode & stat.S_IXOTH), None)
OPENED = f"mount -t tmpfs -o mode=755 none '{CLOSED}'; mkdir -p '{PREFIX}'; mount --bind /mnt/python '{PREFIX}'"

MACHINE = f"""
set -e
mount -t tmpfs -o mode=755 none /mnt
for part in installed home packages python; do
    mkdir /mnt/$part
    mount --bind "$1" /mnt/$part
    shift
done
mount -o remount,bind,ro /mnt/packages
{OPENED if CLOSED else ""}
"""
AS_ROOT = MACHINE + 'exec "$@"'
AS_USER = f"""{MACHINE}
for place in / /tmp /mnt /mnt/installed /mnt/python {CLOSED or ""} {PREFIX}; do
    mountpoint --quiet "$place" || mount --bind "$place" "$place"
    mount -o remount,bind,ro "$place"
done
cd /
exec setpriv --reuid {USER} --regid {USER} --clear-groups --no-new-privs --inh-caps=-all env -i HOME={HOME} "$@"
"""


@dataclass(frozen=True)
class Machine:
    """A machine with the installed wheel: its folders as they are outside."""

    installed: Path
    home: Path

    def called(self, script: str, *command: object) -> subprocess.CompletedProcess[str]:
        parts = (self.installed, self.home, sysconfig.get_path("purelib"), PREFIX)
        return subprocess.run(
            ["unshare", "--mount", "--", "sh", "-c", script, "sh", *map(str, (*parts, *command))],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make wheel` builds, elsewhere."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def machine(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """The wheel in an environment of its own, and an empty home."""
    if os.getuid() != 0:
        pytest.skip("only root can make a machine for somebody else")
    folder = tmp_path_factory.mktemp("machine")
    machine = Machine(folder / "installed", folder / "home")
    for part in (machine.installed, machine.home):
        part.mkdir(mode=0o755)
    os.chown(machine.home, USER, USER)
    if machine.called(AS_ROOT, "true").returncode:
        pytest.skip("this machine lets us make no mount namespace")
    made = machine.called(AS_ROOT, PYTHON, "-m", "venv", "--without-pip", PROGRAM.parents[1])
    assert made.returncode == 0, made.stderr
    own = sysconfig.get_path("purelib", "venv", {"base": str(machine.installed)})
    Path(own, "borrowed.pth").write_text(f"{PACKAGES}\n")
    (machine.installed / wheel.name).write_bytes(wheel.read_bytes())
    install = ["install", "--no-index", "--no-deps", "--quiet", PROGRAM.parents[1] / wheel.name]
    done = machine.called(AS_ROOT, PROGRAM.with_name("python"), "-m", "pip", *install)
    assert done.returncode == 0, done.stderr
    return machine


@pytest.fixture(scope="module")
def source(authority: Path):
    with in_thread(SandboxSettings(state_dir=authority, claims=60)) as running:
        yield running


@pytest.fixture
def installed(machine: Machine, listener: Callable[[str], None]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command as it is installed."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        done = machine.called(AS_USER, PROGRAM, *arguments)
        listener(done.stdout + done.stderr)
        return done

    return run


def test_the_wheel_holds_the_program_and_what_it_reads_and_nothing_else(wheel: Path):
    """Every file of the package that git knows; the catalogue, the reference of settings; no test, no data."""
    listed = subprocess.run(
        ["git", "ls-files", "pipeline"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    tracked = {name for name in listed.splitlines() if (ROOT / name).is_file()}
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert tracked <= names
    assert names - tracked == {"pipeline/prospend.toml", "pipeline/site.example.toml"}


def test_the_user_of_the_machine_can_write_nothing_but_the_home(machine: Machine):
    """What the other tests rest on: not even `/tmp`, and no privilege to change that."""
    for place in ("/", "/tmp", "/mnt", PROGRAM.parent, "/etc", "/var/tmp"):
        assert machine.called(AS_USER, "/usr/bin/touch", Path(place, "written")).returncode == 1, place
    assert machine.called(AS_USER, "/usr/bin/touch", HOME / "written").returncode == 0
    assert machine.called(AS_USER, "/bin/rm", HOME / "written").returncode == 0


def test_from_an_empty_home_to_a_scheduled_night(machine: Machine, installed, source: Running):
    """init, doctor, schedule; the night as cron's line runs it; then status, report and the tables."""
    (machine.home / "ca.pem").write_bytes(source.ca_file.read_bytes())
    token = machine.home / "token"
    token.write_text(source.token)
    token.chmod(0o600)
    os.chown(token, USER, USER)
    config = HOME / "site" / "configs" / "site.toml"
    begun = installed(
        "init", "--config", config, "--name", "acme", "--base-url", source.base_url,
        "--ca-file", HOME / "ca.pem", "--token-file", HOME / "token",
    )  # fmt: skip
    assert begun.returncode == 0, begun.stderr
    assert "the token is accepted" in begun.stdout
    nexts = [line.split()[1] for line in begun.stdout.split("Next:\n")[1].splitlines()]
    assert nexts == ["run", "status", "schedule"]

    looked = installed("doctor", "--config", config)
    assert looked.returncode == 0, looked.stdout + looked.stderr

    line = installed("schedule", "--cron", "--config", config).stdout.splitlines()[1]
    command = line.split(None, 5)[5]
    assert command.startswith(f"{PROGRAM} run ")
    by_cron = machine.called(AS_USER, "/bin/sh", "-c", command)
    assert (by_cron.returncode, by_cron.stdout, by_cron.stderr) == (0, "", "")

    told = json.loads(installed("status", "--config", config, "--json").stdout)
    assert [one["outcome"] for one in told["runs"]] == ["published"]
    again = installed("report", "--config", config)
    assert again.returncode == 0, again.stderr
    for report in ("index.html", "prospend.xlsx"):
        latest = machine.home / "site" / "data" / "reports" / "latest"
        assert (latest / report).stat().st_size > 10_000
    counted = installed("query", "--config", config, "--format", "csv", "SELECT count(*) AS n FROM mart.spend_line")
    assert int(counted.stdout.split()[1]) > 60
    assert {path.stat().st_uid for path in machine.home.rglob("*") if path.name != "ca.pem"} == {USER}


def test_help_and_version_come_from_the_wheel(machine: Machine, installed):
    """Not from the environment that lends the packages."""
    assert installed("--version").stdout.startswith("prospend ")
    code = "import pipeline; print(pipeline.__file__)"
    where = machine.called(AS_USER, PROGRAM.with_name("python"), "-c", code).stdout
    assert where.startswith(f"{PROGRAM.parents[1]}/lib/")
