"""Debian's cron runs the line that `prospend schedule --cron --install` has put into a crontab, and a night is published.

The crontab is a real one, in a mount namespace of its own: neither this machine's crontabs nor its cron are touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pipeline.ops.lock import holder_of
from pipeline.ops.records import recent
from pipeline.ops.runs import pointer_of

CRON = shutil.which("cron", path="/usr/sbin:/sbin:/usr/bin:/bin")
UNSHARE = ("unshare", "--mount")
# What cron reads, and where it says that it runs; then the line is installed, and the shell becomes cron.
NIGHT = """
set -e
mount -t tmpfs -o mode=1730,gid=$(getent group crontab | cut -d: -f3) tmpfs /var/spool/cron/crontabs
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /etc/cron.d
test ! -e /etc/crontab || mount --bind /dev/null /etc/crontab
echo '# what was there stays' | crontab -
"$@"
crontab -l >"$LISTED"
exec "$CRON" -f
"""
LONGEST_S = 180


def is_possible() -> bool:
    """Whether file systems may be mounted in a namespace of our own."""
    if shutil.which("unshare") is None:
        return False
    return (
        subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False, capture_output=True).returncode
        == 0
    )


@pytest.mark.skipif(CRON is None or shutil.which("crontab") is None, reason="cron is not installed (Debian: cron)")
@pytest.mark.skipif(not is_possible(), reason="nothing can be mounted here, which takes a root user's rights")
def test_cron_runs_the_installed_line(site_file: Path, tmp_path: Path):
    """A minute ahead: nothing is set but what cron sets, the folder is cron's, and nobody is there."""
    at = datetime.now().astimezone() + timedelta(seconds=80)
    listed, told = tmp_path / "listed", tmp_path / "told"
    schedule = [str(Path(sys.executable).with_name("prospend")), "schedule", "--cron", "--install"]
    with told.open("wb") as output:
        cron = subprocess.Popen(
            [*UNSHARE, "sh", "-c", NIGHT, "sh", *schedule, "--at", f"{at:%H:%M}", "--config", str(site_file)],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CRON": CRON, "LISTED": str(listed)},
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        until = time.monotonic() + LONGEST_S
        while not recent(tmp_path / "data", 1) and time.monotonic() < until and cron.poll() is None:
            time.sleep(0.2)
        while holder_of(tmp_path / "data"):
            time.sleep(0.02)
    finally:
        cron.terminate()
        cron.wait(timeout=10)
    (run,) = recent(tmp_path / "data", 1)
    assert run["outcome"] == "published", told.read_text()
    assert pointer_of(tmp_path / "data").exists()
    minute, hour, *_ = listed.read_text().splitlines()[-1].split()
    assert datetime.fromisoformat(run["started_at"]).astimezone().strftime("%-H %-M") == f"{hour} {minute}"
    assert listed.read_text().startswith("# what was there stays\n")
