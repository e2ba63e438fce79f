"""The first day: from an empty folder to a run that begins by itself."""

from __future__ import annotations

import json
import os
import pty
import shutil
import stat
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.ops.lock import run_lock
from pipeline.settings import load_settings


def flags(sandbox, folder: Path) -> list[object]:
    token = folder / "token"
    token.write_text(sandbox.token)
    token.chmod(0o600)
    return [
        "--config", folder / "site.toml", "--name", "acme", "--base-url", sandbox.base_url, "--ca-file", sandbox.ca_file,
        "--token-file", token, "--data", folder / "data",
    ]  # fmt: skip


def test_init_writes_settings_that_run_and_says_what_to_do_next(prospend, sandbox, tmp_path):
    """The file holds every setting with its meaning; the companies that the token sees are named; the next command works."""
    done = prospend("init", *flags(sandbox, tmp_path), "--timezone", "Pacific/Auckland", "--fiscal-year-start", "4")
    assert done.code == 0, done.err
    text = (tmp_path / "site.toml").read_text()
    settings = load_settings(tmp_path / "site.toml", environ={})
    assert (settings.site.name, settings.site.timezone, settings.site.fiscal_year_start) == (
        "acme",
        "Pacific/Auckland",
        4,
    )
    assert "# keep_generations = 7" in text
    assert all(one["name"] in done.out for _, one in sandbox.records("company"))
    assert sandbox.token not in text + done.out + done.err
    commands = done.out.split("Next:\n")[1].strip().splitlines()
    assert len(commands) == 3
    assert f"prospend run --config {tmp_path / 'site.toml'}" in commands[0]
    assert prospend("run", "--config", tmp_path / "site.toml", "--quiet").code == 0


def test_init_tells_programs_in_json(prospend, sandbox, tmp_path):
    """Config, companies, next commands."""
    done = prospend("init", *flags(sandbox, tmp_path), "--json")
    told = json.loads(done.out)
    assert told["config"] == str(tmp_path / "site.toml")
    assert [one["id"] for one in told["companies"]] == [one["companyId"] for _, one in sandbox.records("company")]


def test_init_leaves_an_existing_file_alone(prospend, sandbox, tmp_path):
    """With --force it stays beside the new one."""
    (tmp_path / "site.toml").write_text("# mine\n")
    refused = prospend("init", *flags(sandbox, tmp_path))
    assert refused.code == 10
    assert "exists already" in refused.err
    assert (tmp_path / "site.toml").read_text() == "# mine\n"
    assert prospend("init", *flags(sandbox, tmp_path), "--force", "--no-check").code == 0
    assert prospend("init", *flags(sandbox, tmp_path), "--force", "--no-check").code == 0
    assert (tmp_path / "site.toml.before").read_text() == "# mine\n"
    assert (tmp_path / "site.toml.before-2").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--base-url", "http://api.example"), "https"),
        (("--timezone", "Australia/Nowhere"), "Australia/Nowhere"),
        (("--token-env", "TOKEN"), "one place only"),
        (("--token-command", "op 'x"), "no command"),
        (("--token-file", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"), "an answer is a token"),
    ],
)
def test_a_wrong_answer_is_told_and_nothing_is_written(prospend, sandbox, tmp_path, wrong, said):
    """Four lines, exit 10, no file."""
    refused = prospend("init", *flags(sandbox, tmp_path), *wrong)
    assert refused.code == 10
    assert said in refused.err
    assert [path.name for path in tmp_path.glob("*site*")] == []


def test_without_a_terminal_a_missing_answer_is_named(prospend, tmp_path):
    """Nothing is asked of nobody."""
    refused = prospend("init", "--config", tmp_path / "site.toml", "--no-check")
    assert refused.code == 10
    assert "give --name" in refused.err


def test_a_token_that_is_refused_leaves_the_settings(prospend, sandbox, tmp_path):
    """The file stands; the exit code is that of the token, and the way on is told."""
    arguments = flags(sandbox, tmp_path)
    (tmp_path / "token").write_text("eyJhbGciOiJIUzI1NiJ9.e30.c2ln")
    refused = prospend("init", *arguments)
    assert refused.code == 11
    assert "site.toml is written" in refused.err
    assert f"prospend token check --config {tmp_path / 'site.toml'}" in refused.err
    assert tomllib.loads((tmp_path / "site.toml").read_text())["site"]["name"] == "acme"


def test_on_a_terminal_it_asks_and_stores_the_token_unseen(sandbox, tmp_path):
    """Answers, defaults by Enter; the pasted token is not echoed, and its file is its owner's alone."""
    mine, theirs = pty.openpty()
    command = [sys.executable, "-m", "pipeline", "init", "--config", str(tmp_path / "site.toml"), "--ca-file"]
    process = subprocess.Popen(
        [*command, str(sandbox.ca_file), "--data", str(tmp_path / "data")],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    answers = {
        b"Your name for the site": "acme",
        b"Origin of the API": sandbox.base_url,
        b"Time zone of your people": "",
        b"First month of your fiscal year": "",
        b"File with the token": str(tmp_path / "secret" / "token"),
        b"Paste the token": sandbox.token,
    }
    for question, answer in answers.items():
        while question not in shown:
            shown += os.read(mine, 4096)
        os.write(mine, f"{answer}\n".encode())
    while True:
        try:
            some = os.read(mine, 4096)
        except OSError:
            break
        if not some:
            break
        shown += some
    assert process.wait(60) == 0, shown.decode()
    stored = tmp_path / "secret" / "token"
    assert stored.read_text().strip() == sandbox.token
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert sandbox.token.encode() not in shown
    assert b"the token is accepted" in shown


def test_doctor_finds_a_sound_machine_sound(prospend, sandbox, site_file):
    """Every examination is told; the source is asked once; the exit code is 0."""
    assert prospend("run", "--config", site_file, "--quiet").code == 0
    asked = sandbox.journal.counts.requests
    done = prospend("doctor", "--config", site_file)
    assert done.code == 0, done.out
    for name in (
        "program",
        "settings",
        "time zone",
        "umask",
        "folder",
        "disk",
        "lock",
        "token",
        "source",
        "budget",
        "data",
    ):
        assert f"\nok    {name}" in f"\n{done.out}" or f"ok   {name}" in done.out
    assert sandbox.journal.counts.requests == asked + 1
    assert "a run could begin" in done.out


def test_doctor_finds_a_token_in_a_variable_and_changes_nothing(prospend, sandbox, site_file):
    """Looked for once and used for the call; offline, not even the data folder is made."""
    text = site_file.read_text()
    start = text.index("[token]")
    site_file.write_text(text[:start] + '[token]\nenv = "T"\n' + text[text.index("[storage]") :])
    data_dir = load_settings(site_file, environ={}).storage.data_dir
    assert prospend("doctor", "--config", site_file, "--offline", T=sandbox.token).code == 0
    assert not data_dir.exists()
    data_dir.mkdir()
    assert prospend("doctor", "--config", site_file, "--offline", T=sandbox.token).code == 0
    assert list(data_dir.iterdir()) == []
    assert prospend("doctor", "--config", site_file, T=sandbox.token).code == 0


def test_doctor_sends_nobody_but_the_owner_into_the_data_folder(prospend, sandbox, site_file):
    """Another user, root too, would leave files there that the nightly user may not write."""
    data_dir = load_settings(site_file, environ={}).storage.data_dir
    data_dir.mkdir()
    os.chown(data_dir, 61234, 61234)  # whom this machine has no name for
    done = prospend("doctor", "--config", site_file)
    assert done.code == 31
    assert "as 61234" in done.out
    assert sandbox.journal.counts.requests == 0
    assert list(data_dir.iterdir()) == []


def test_doctor_names_each_thing_that_is_wrong_with_its_remedy(prospend, sandbox, site_file, tmp_path):
    """Several at once; the exit code is that with which a run would end."""
    (site_file.with_name("token")).chmod(0o644)
    data_dir = load_settings(site_file, environ={}).storage.data_dir
    data_dir.mkdir(parents=True, exist_ok=True)
    with site_file.open("a") as file:
        file.write(f'[watch]\nprometheus_file = "{tmp_path / "nowhere" / "x.prom"}"\n')
    grpc = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    with run_lock(data_dir, "20260101T000000Z", datetime(2026, 1, 1, tzinfo=UTC)):
        done = prospend("doctor", "--config", site_file, "--offline", "--json", **grpc)
    found = json.loads(done.out)["findings"]
    told = {one["name"]: one["told"] for one in found if one["kind"] == "note"}
    assert str(tmp_path / "nowhere") in told["metrics"]
    assert "http/protobuf alone" in told["traces"]
    wrong = {one["name"]: one for one in found if one["kind"] == "wrong"}
    assert wrong["lock"]["exit_code"] == 50
    assert "20260101T000000Z" in wrong["lock"]["told"]
    assert wrong["token"]["exit_code"] == 11
    assert all(one["remedy"] for one in wrong.values())
    assert done.code == 50
    assert sandbox.journal.counts.requests == 0


def test_a_crontab_line_runs_without_any_surroundings(prospend, sandbox, site_file):
    """The printed line, as cron would run it: /bin/sh, no HOME, a bare PATH, another folder, output closed."""
    line = prospend("schedule", "--cron", "--config", site_file).out.splitlines()[1]
    minute, hour, *rest = line.split(None, 5)
    assert (minute, hour, rest[:3]) == ("30", "3", ["*", "*", "*"])
    done = subprocess.run(
        ["/bin/sh", "-c", rest[3].replace(r"\%", "%")],
        env={"PATH": "/usr/bin:/bin"}, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    data_dir = load_settings(site_file, environ={}).storage.data_dir
    assert (data_dir / "warehouse.duckdb").exists()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_takes_the_units(prospend, site_file, tmp_path):
    """Systemd's own verification has nothing to say."""
    refused = prospend("schedule", "--systemd", "--config", site_file)
    assert refused.code == 10
    assert "run `prospend run` once" in refused.err  # a service that may write there alone cannot make it
    load_settings(site_file, environ={}).storage.data_dir.mkdir()
    text = prospend("schedule", "--systemd", "--config", site_file).out
    for part in text.split("# ---- ")[1:]:
        name, _, unit = part.partition("\n")
        (tmp_path / name).write_text(unit)
    units = sorted(map(str, tmp_path.glob("prospend-*")))
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert not [line for line in done.stderr.splitlines() if "prospend-" in line]
