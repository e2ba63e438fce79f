"""What stands outside the source must be true of it: targets, settings, lock files, the public door."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pipeline
from pipeline.settings import SECTIONS

ROOT = Path(__file__).parents[2]


def tracked_text_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).is_file()]


def test_every_setting_stands_in_the_example_once():
    """`configs/site.example.toml` is the reference: each setting once, commented out with its default or filled in."""
    text = (ROOT / "configs" / "site.example.toml").read_text()
    found: dict[str, list[str]] = {}
    section = ""
    for line in text.splitlines():
        if match := re.match(r"\[(\w+)\]", line):
            section = match[1]
            found[section] = []
        elif match := re.match(r"(?:# )?([a-z_]+) = \S", line):
            found[section].append(match[1])
    wanted = {name: [spec.name for spec in dataclasses.fields(kind)] for name, kind in SECTIONS.items()}
    assert {name: sorted(keys) for name, keys in found.items()} == {name: sorted(keys) for name, keys in wanted.items()}


def test_commented_defaults_in_the_example_are_the_real_defaults():
    """A line `# name = value` shows the default, unless the setting has none."""
    text = (ROOT / "configs" / "site.example.toml").read_text()
    section = ""
    for line in text.splitlines():
        if match := re.match(r"\[(\w+)\]", line):
            section = match[1]
        elif match := re.match(r"# ([a-z_]+) = (\S.*)", line):
            spec = next(s for s in dataclasses.fields(SECTIONS[section]) if s.name == match[1])
            if spec.default is not None:
                shown = tomllib.loads(f"v = {match[2]}")["v"]
                shown = tuple(shown) if isinstance(shown, list) else shown
                assert shown == spec.default, f"{section}.{match[1]}"


def test_every_make_target_has_help():
    """`make` alone lists every target."""
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
    described = re.findall(r"^([a-z0-9-]+):.*## ", makefile, re.MULTILINE)
    assert sorted(phony) == sorted(described)
    listing = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(f"make {target}" in listing for target in phony)


def test_continuous_integration_runs_the_test_command_of_the_readme():
    """`.ci/run` does what the README tells a newcomer to do."""
    assert re.search(r"^make test$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert "make test" in (ROOT / "README.md").read_text()


def test_everything_locked_has_a_hash_and_no_address():
    """Each locked package is one exact version with hashes, from wherever the machine is told to look."""
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "://" not in text
        for requirement in re.findall(r"^[A-Za-z0-9].*?(?=^[A-Za-z0-9]|\Z)", text, re.MULTILINE | re.DOTALL):
            assert "==" in requirement.splitlines()[0], f"{path.name}: {requirement.splitlines()[0]}"
            assert "--hash=sha256:" in requirement, f"{path.name}: {requirement.splitlines()[0]}"


def test_nothing_is_installed_without_its_hash():
    """Every package comes from a lock file, whose hash pip demands; only this program itself is installed as it lies there."""
    makefile = (ROOT / "Makefile").read_text()
    (pip,) = re.findall(r"^PIP := (.*)$", makefile, re.MULTILINE)
    assert "install --no-input --require-hashes --only-binary :all:" in pip
    for line in makefile.splitlines():
        if "$(PIP)" in line:
            assert re.search(r"\$\(PIP\) .*-r requirements/[a-z0-9.-]+\.txt$", line), line
        elif " install " in line and not line.startswith("PIP :="):
            assert "-m pip" not in line or "--no-deps --no-build-isolation --editable ." in line, line


def test_tests_are_named_alike_by_every_process():
    """Workers refuse to share tests whose names depend on the moment or on the hash seed of a process."""

    def names(hash_seed: str) -> list[str]:
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
        environ = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTEST_ADDOPTS": ""}
        out = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, cwd=ROOT).stdout
        return [line for line in out.splitlines() if "::" in line]

    first = names("1")
    assert len(first) > 1000
    assert first == names("2")


def test_the_public_door_is_sorted_and_whole():
    """Every public name can be had, and the list is in order."""
    assert pipeline.__all__ == sorted(pipeline.__all__)
    assert all(hasattr(pipeline, name) for name in pipeline.__all__)


def test_importing_the_package_loads_nothing_heavy():
    """The door opens lazily."""
    code = "import pipeline, sys; print(any(m in sys.modules for m in ('duckdb', 'pyarrow', 'aiohttp', 'pandas')))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert out.strip() == "False"


def test_the_version_is_the_newest_in_the_changelog():
    """Package and changelog say the same version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.search(r"^## \[?([0-9.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1] == version


def test_no_machine_path_or_key_is_committed():
    """No file holds an absolute path of a machine, a private key or a token."""
    for path in tracked_text_files():
        text = path.read_bytes()
        assert b"PRIVATE KEY-----" not in text or path.suffix == ".py", path
        assert not re.search(rb"eyJ[A-Za-z0-9_-]{30,}\.eyJ[A-Za-z0-9_-]{30,}\.", text), path
        assert not re.search(rb"/(?:home|root|work)/[a-z]", text) or path.name == "test_project.py", path
