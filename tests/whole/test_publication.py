"""What readers see while runs publish, fail and die."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

import pipeline
from pipeline import warehouse
from pipeline.model import StageBegan
from pipeline.nightly import run as run_night
from pipeline.ops.records import recent
from pipeline.ops.runs import pointer_of
from pipeline.sandbox import Running
from pipeline.settings import Settings
from pipeline.snapshot import read_manifest, sealed_runs

ROOT = Path(__file__).parents[2]


def run_ids(data_dir: Path) -> str:
    with pipeline.connect(data_dir) as connection:
        ((run_id,),) = connection.execute("SELECT run_id FROM meta.snapshot_info").fetchall()
    return run_id


def test_a_switch_that_was_cut_off_is_finished_by_the_next_run(site: Settings, sandbox: Running):
    """Though that run fails: a night that was published but for the pointer is what readers open."""
    first, second = (pipeline.run(site).run_id for _ in range(2))
    data_dir = site.storage.data_dir
    pointer = pointer_of(data_dir)
    pointer.rename(pointer.with_name(f".{pointer.name}.next"))  # as a kill between the last two steps leaves it
    pointer.symlink_to(f"warehouse/{first}.duckdb")
    (data_dir / "runs" / second / "report.json").unlink()
    sandbox.revoke()
    with pytest.raises(pipeline.TokenError) as caught:
        pipeline.run(site)
    assert run_ids(data_dir) == second
    assert [(one["run_id"], one["outcome"]) for one in recent(data_dir, 3)][1:] == [
        (second, "published"),
        (first, "published"),
    ]
    assert "readers remain on the warehouse of" in caught.value.state


def test_a_switch_to_a_file_that_is_damaged_is_not_finished(site: Settings):
    """Readers keep what they have, and the run says what to do."""
    first, second = (pipeline.run(site).run_id for _ in range(2))
    data_dir = site.storage.data_dir
    pointer = pointer_of(data_dir)
    pointer.rename(pointer.with_name(f".{pointer.name}.next"))
    pointer.symlink_to(f"warehouse/{first}.duckdb")
    path = data_dir / "warehouse" / f"{second}.duckdb"
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(pipeline.StoredDataDamaged, match="its hash does not hold"):
        pipeline.run(site)
    assert pointer.resolve().stem == first


def test_a_run_that_fails_leaves_readers_where_a_rollback_put_them(site: Settings, sandbox: Running):
    """Going back is a decision: only the next publication changes it."""
    first, _ = (pipeline.run(site).run_id for _ in range(2))
    data_dir = site.storage.data_dir
    warehouse.rollback(data_dir / "warehouse", pointer_of(data_dir))
    sandbox.revoke()
    with pytest.raises(pipeline.TokenError):
        pipeline.run(site)
    assert run_ids(data_dir) == first


def test_a_reader_keeps_its_night_and_the_next_one_sees_the_new(site: Settings):
    """An open connection works on through a publish and shows the old night; a new connection shows the new one."""
    first = pipeline.run(site)
    with pipeline.connect(site.storage.data_dir) as reader:
        second = pipeline.run(site)
        assert reader.execute("SELECT run_id FROM meta.snapshot_info").fetchone() == (first.run_id,)
        assert reader.execute("SELECT count(*) FROM prospend.claim").fetchone()[0] > 0
        assert run_ids(site.storage.data_dir) == second.run_id
        assert reader.execute("SELECT DISTINCT _run_id FROM prospend.claim").fetchall() == [(first.run_id,)]


@pytest.mark.parametrize("stage", ["extract", "seal", "load", "check", "publish"])
def test_a_failure_in_any_stage_leaves_the_earlier_night(site: Settings, stage: str):
    """Whatever breaks, readers keep the last good warehouse, only pages are left, and the next run publishes."""
    first = pipeline.run(site)

    def fail(event: object) -> None:
        if event == StageBegan(stage):
            raise OSError(28, "No space left on device")

    with pytest.raises(pipeline.LocalResource) as caught:
        run_night(site, observe=fail)
    data_dir = site.storage.data_dir
    assert run_ids(data_dir) == first.run_id
    assert "readers remain on the warehouse of" in caught.value.state
    assert [path.name for path in (data_dir / "warehouse").iterdir()] == [f"{first.run_id}.duckdb"]
    assert staged_files(data_dir) == (set() if stage == "extract" else {"pages.kept"})
    assert pipeline.run(site).run_id == run_ids(data_dir) != first.run_id


def staged_files(data_dir: Path) -> set[str]:
    return {path.name for path in (data_dir / "staging").rglob("*") if path.is_file()}


def kill_at(site_file: Path, home: Path, stage: str) -> int:
    """Run the real stages in a process of its own that kills itself, unhandled, when a stage begins."""
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from pipeline.model import StageBegan, PageRead\n"
        "from pipeline.nightly import run\n"
        "from pipeline.settings import load_settings\n"
        "pages = []\n"
        "def observe(event):\n"
        "    pages.append(event)\n"
        f"    if event == StageBegan({stage!r}) or ({stage!r} == 'midwalk' and len(pages) > 12):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "run(load_settings(Path(sys.argv[1])), observe=observe)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(site_file)],
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        capture_output=True,
        check=False,
        timeout=120,
    )
    return done.returncode


@pytest.mark.parametrize("stage", ["extract", "midwalk", "seal", "load", "check", "publish"])
def test_kill_9_needs_no_repair(prospend, site_file: Path, tmp_path: Path, earlier_night: Path, stage: str):
    """After a kill at any stage the earlier warehouse is readable, and a plain next run publishes and tidies up."""
    data_dir = tmp_path / "data"
    shutil.copytree(earlier_night, data_dir, symlinks=True)
    before = run_ids(data_dir)
    assert kill_at(site_file, tmp_path, stage) == -signal.SIGKILL
    assert run_ids(data_dir) == before
    done = prospend("run", "--config", site_file)
    assert done.code == 0, done.err
    assert "did not finish" in done.err
    killed = json.loads(prospend("status", "--json", "--data", data_dir).out)["runs"][1]
    assert (killed["outcome"], killed["exit_code"], killed["calls"]["used"]) == ("failed", 137, None)
    assert killed["error"]["what"].startswith("sealed, not published: ") == (stage == "publish")
    (row,) = (line for line in prospend("status", "--data", data_dir).out.splitlines() if "without a word" in line)
    assert row.split()[1:6] == ["failed", "137", "?", "?", "?"]
    assert run_ids(data_dir) != before
    assert not any((data_dir / "staging").iterdir())
    assert all(path.stem[0].isdigit() for path in (data_dir / "warehouse").iterdir())
    on_disk = {folder.name.removeprefix("run=") for folder in (data_dir / "snapshots").glob("*/run=*")}
    assert on_disk == set(sealed_runs(data_dir))


def test_kill_9_while_walking_by_the_real_command(
    prospend, site_file: Path, sandbox: Running, tmp_path: Path, earlier_night: Path
):
    """The same from outside: the command is killed while the server answers it."""
    shutil.copytree(earlier_night, tmp_path / "data", symlinks=True)
    before = run_ids(tmp_path / "data")
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", "--quiet", "--config", str(site_file)],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )
    while sandbox.journal.counts.requests < 5 and process.poll() is None:
        pass
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert run_ids(tmp_path / "data") == before
    assert prospend("run", "--quiet", "--config", site_file).code == 0


def test_sigterm_ends_in_order(site_file: Path, sandbox: Running, tmp_path: Path, listener: Callable[[str], None]):
    """SIGTERM: exit 143, nothing is published, and of what was staged only the pages are left."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", "--quiet", "--config", str(site_file)],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    while sandbox.journal.counts.requests < 5 and process.poll() is None:
        pass
    process.terminate()
    _, err = process.communicate(timeout=60)
    listener(err)
    assert process.returncode == 143, err
    assert "terminated" in err
    assert staged_files(tmp_path / "data") <= {"pages.kept"}
    ((record,),) = [recent(tmp_path / "data", 5)]
    assert (record["outcome"], record["exit_code"]) == ("failed", 143)
    assert not pointer_of(tmp_path / "data").exists()


def test_a_run_that_died_before_its_record_is_recorded_as_published(site: Settings, earlier_night: Path):
    """Killed between the pointer's switch and its last file: readers have its night, and the next run says so."""
    data_dir = site.storage.data_dir
    shutil.copytree(earlier_night, data_dir, symlinks=True)
    ((record,),) = [recent(data_dir, 5)]
    (data_dir / "runs" / record["run_id"] / "report.json").unlink()
    assert recent(data_dir, 5) == ()

    def stop(event: object) -> None:
        if event == StageBegan("extract"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_night(site, observe=stop)
    found = {one["run_id"]: (one["outcome"], one["exit_code"]) for one in recent(data_dir, 5)}
    assert found.pop(record["run_id"]) == ("published", 0)
    assert list(found.values()) == [("failed", 130)]


def test_files_are_sealed_and_chained(site: Settings):
    """Parts and warehouse are read-only, private to owner and group; each manifest hashes the one before, and has versions."""
    reports = [pipeline.run(site), pipeline.run(site)]
    data_dir = site.storage.data_dir
    manifests = [read_manifest(data_dir / "runs" / one.run_id / "manifest.json") for one in reports]
    assert manifests[0]["previous"] is None
    assert manifests[1]["previous"] == {"run_id": reports[0].run_id, "sha256": manifests[0]["sha256"]}
    assert manifests[1]["versions"] == {
        "python": platform.python_version(),
        **{one: metadata.version(one) for one in ("prospend-pipeline", "aiohttp", "msgspec", "pyarrow", "duckdb")},
    }
    files = [*(data_dir / "snapshots").glob("*/run=*/*.parquet"), *(data_dir / "warehouse").glob("*.duckdb")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o440}
    folders = [path for path in data_dir.rglob("*") if path.is_dir()]
    assert not [path for path in folders if stat.S_IMODE(path.stat().st_mode) & 0o007]
    listed = {part["path"] for manifest in manifests for one in manifest["parts"].values() for part in one["files"]}
    assert listed == {str(path.relative_to(data_dir)) for path in files if path.suffix == ".parquet"}


def test_a_second_run_at_the_same_time_is_refused(prospend, site: Settings, site_file: Path, tmp_path: Path):
    """One writer: the other run leaves with 50 and names the holder's pid and run."""
    answers = []

    def run_another(event: object) -> None:
        if event == StageBegan("seal"):
            answers.append(prospend("run", "--quiet", "--config", site_file))

    report = run_night(site, observe=run_another)
    (other,) = answers
    assert other.code == 50
    assert f"pid {os.getpid()}" in other.lines["WHERE"]
    assert report.run_id in other.lines["WHERE"]
    assert run_ids(tmp_path / "data") == report.run_id


@pytest.mark.parametrize("version", ["1.4", "2.0"])
def test_the_published_file_opens_in_old_and_new_duckdb(site: Settings, version: str):
    """BI drivers are on 1.x: the file is written in a format that they open."""
    report = pipeline.run(site)
    folder = ROOT / ".venv" / "duckdb-1.4"
    if version == "1.4" and not folder.is_dir():
        pytest.skip("make test installs DuckDB 1.4 into .venv/duckdb-1.4")
    code = (
        "import duckdb, json, sys; c = duckdb.connect(sys.argv[1], read_only=True);"
        "print(json.dumps([duckdb.__version__, c.execute('SELECT count(*) FROM prospend.claim').fetchone()[0],"
        "str(c.execute('SELECT sum(gross_amount) FROM prospend.claim_currency_total').fetchone()[0])]))"
    )
    environ = {"PYTHONPATH": str(folder)} if version == "1.4" else {}
    done = subprocess.run(
        [sys.executable, "-c", code, str(pointer_of(site.storage.data_dir))],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    opened_by, claims, total = json.loads(done.stdout)
    assert opened_by.startswith(version)
    with pipeline.connect(site.storage.data_dir) as connection:
        expected = connection.execute("SELECT sum(gross_amount) FROM prospend.claim_currency_total").fetchone()[0]
    (claim,) = [one for one in report.resources if one.name == "claim"]
    assert (claims, total) == (claim.rows, str(expected))
