"""The container's files: linted, valid, and nothing in them that should not be. Building needs an engine: docs/container.md."""

from __future__ import annotations

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BESIDE = Path(sys.executable).parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICE = COMPOSE["services"]["prospend"]


def test_hadolint_has_nothing_to_say():
    """No rule is switched off in the file."""
    if not (BESIDE / "hadolint").exists():
        pytest.skip("hadolint has a wheel for Linux on x86-64 alone")
    done = subprocess.run([BESIDE / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert "hadolint" not in DOCKERFILE


def test_the_compose_file_is_one_by_its_schema():
    """That of the Compose Specification, which the checker brings along."""
    check = [BESIDE / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / "compose.yaml"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_is_installed_by_hash_and_nothing_runs_as_root():
    """Each pip demands hashes or asks no index; the last user is a number that is not root's."""
    for line in re.findall(r"^RUN .*pip .*$", DOCKERFILE, re.MULTILINE):
        assert "--require-hashes --only-binary :all: -r requirements/run.txt" in line or "--no-index --no-deps" in line
    (user,) = re.findall(r"^USER (\d+):\d+$", DOCKERFILE.split("\nFROM ")[-1], re.MULTILINE)
    assert int(user) > 0
    assert SERVICE["user"].split(":")[0] == user


def test_only_what_is_copied_goes_into_the_build():
    """The ignore file begins with everything, and lets in each source of a COPY, which exists."""
    first, *allowed = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert first == "*"
    copied = [
        word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()
    ]
    assert {line.removeprefix("!") for line in allowed if line.startswith("!")} == set(copied)
    assert all((ROOT / one).exists() for one in copied)
    assert not any(fnmatch(one, "*token*") or one.startswith("data") for one in copied)


def test_the_wheel_s_files_are_all_copied():
    """What pyproject.toml puts into the wheel is there when the image builds it."""
    build = DOCKERFILE.rpartition("\nFROM ")[0]
    for name in re.findall(r'^"(\S+)" = "pipeline/', (ROOT / "pyproject.toml").read_text(), re.MULTILINE):
        assert name in build, name


def test_the_service_can_gain_nothing_and_write_nothing_but_its_volume():
    """And the token is a secret file, never a value."""
    assert SERVICE["read_only"] is True
    assert SERVICE["cap_drop"] == ["ALL"]
    assert SERVICE["security_opt"] == ["no-new-privileges:true"]
    assert [one for one in SERVICE["volumes"] if not one.endswith(":ro")] == ["data:/srv/prospend/data"]
    assert SERVICE["environment"] == {"PROSPEND__TOKEN__FILE": "/run/secrets/prospend-token"}
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert COMPOSE["secrets"]["prospend-token"]["file"].removeprefix("./") in ignored
