"""When the nightly run begins, as cron and systemd are told of it: texts, and how a crontab takes them. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_MARK = "# prospend-pipeline: "
# A service has this long beyond the run's own deadline, for loading and publishing what was read.
_BEYOND_DEADLINE_S = 3600


@dataclass(frozen=True, slots=True)
class Nightly:
    """What is to be run each night, by whom, and when.

    All paths are absolute; `also_writes` are folders beside the data folder that it may write to, if they are there.
    `at` is (hour, minute) in `timezone`; `credential` is the name of the systemd credential
    with the token, if the settings say so, and `variables` are those that hold secrets of theirs. `user` is None for a
    unit of the user's own systemd.
    """

    program: Path
    config: Path
    site: str
    data_dir: Path
    at: tuple[int, int]
    timezone: str
    deadline_s: float
    user: str | None = None
    credential: str | None = None
    variables: tuple[str, ...] = ()
    also_writes: tuple[Path, ...] = ()

    @property
    def command(self) -> tuple[str, ...]:
        """The program with its arguments."""
        return (str(self.program), "run", "--config", str(self.config), "--quiet")


def cron_block(nightly: Nightly) -> str:
    """Two lines for a crontab: a comment that marks whose they are, and the entry. Cron mails what it prints."""
    hour, minute = nightly.at
    return f"{_mark(nightly.config)}\n{minute} {hour} * * *  {_for_cron(nightly.command)}\n"


def with_block(crontab: str, nightly: Nightly) -> str:
    """A crontab with the block of this settings file in it, in place of the one that it had; all else stays."""
    lines = crontab.removesuffix("\n").split("\n") if crontab else []
    kept = (line for line in lines if line.strip() != _mark(nightly.config) and not _runs(line, nightly))
    return "".join(f"{line}\n" for line in kept) + cron_block(nightly)


def is_scheduled(text: str, nightly: Nightly) -> bool:
    """Whether an entry of a crontab, or a unit, runs these settings; one that is commented out does not."""
    lines = text.split("\n")
    return any(_runs(line, nightly) for line in lines) or _exec_start(nightly) in lines


def _exec_start(nightly: Nightly) -> str:
    return f"ExecStart={' '.join(_quoted(word.replace('$', '$$')) for word in nightly.command)}"


def _runs(line: str, nightly: Nightly) -> bool:
    return not line.lstrip().startswith("#") and line.rstrip().endswith(_for_cron(nightly.command[1:]))


def _for_cron(words: Iterable[str]) -> str:
    return shlex.join(words).replace("%", r"\%")  # which cron takes for the end of the line


def unit_name(nightly: Nightly) -> str:
    """What the units are called, without their suffix."""
    return "prospend-" + "".join(char if char.isalnum() else "-" for char in nightly.site.lower()).strip("-")


def service_unit(nightly: Nightly) -> str:
    """A oneshot service that can gain no privilege and, in the machine's systemd, write nothing but the data folder."""
    own = f"User={nightly.user}\n" if nightly.user else ""
    credential = (
        "# The token; `systemd-creds encrypt` and LoadCredentialEncrypted= keep it encrypted on the disk.\n"
        f"LoadCredential={nightly.credential}\n"
        if nightly.credential
        else ""
    )
    variables = (
        f"# Mode 0600, with a line NAME=value for each of: {' '.join(nightly.variables)}\n"
        f"EnvironmentFile={_quoted(str(secrets_file(nightly)))}\n"
        if nightly.variables
        else ""
    )
    writable = " ".join((_quoted(str(nightly.data_dir)), *(_quoted(f"-{one}") for one in nightly.also_writes)))
    closed = _CLOSED_DOWN.format(writable=writable) if nightly.user else ""
    return f"""[Unit]
Description=Nightly run of prospend-pipeline for {_escaped(nightly.site)}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
{_exec_start(nightly)}
{own}{credential}{variables}# The run ends by itself at api.run_deadline_s of reading; this is for a machine that hangs.
TimeoutStartSec={int(nightly.deadline_s) + _BEYOND_DEADLINE_S}
TimeoutStopSec=30
UMask=0027
Nice=10

NoNewPrivileges=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
# The engine that draws charts protects its own memory by keys.
SystemCallFilter=@system-service @pkey
SystemCallErrorNumber=EPERM
{closed}"""


# What a user's own systemd may not do: it begins without these capabilities.
_CLOSED_DOWN = """
# A token.command that writes to its home, as password managers do, needs ProtectHome=no.
ProtectHome=read-only
ProtectSystem=strict
ReadWritePaths={writable}
PrivateTmp=yes
PrivateDevices=yes
CapabilityBoundingSet=
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictNamespaces=yes
"""


def secrets_file(nightly: Nightly) -> Path:
    """Where a unit finds the variables that hold secrets: beside the settings."""
    return nightly.config.with_suffix(".env")


def timer_unit(nightly: Nightly) -> str:
    """A timer that makes up for a night in which the machine was off, and spreads the load of many sites."""
    hour, minute = nightly.at
    return f"""[Unit]
Description=Every night: prospend-pipeline for {_escaped(nightly.site)}

[Timer]
OnCalendar=*-*-* {hour:02}:{minute:02}:00 {nightly.timezone}
RandomizedDelaySec=10min
Persistent=true

[Install]
WantedBy=timers.target
"""


def _mark(config: Path) -> str:
    return f"{_MARK}{config}"


def _escaped(text: str) -> str:
    """A text in which systemd finds no specifier."""
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """A word of a unit file's list, whatever it holds."""
    escaped = _escaped(word).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if any(char.isspace() or char in "\"'\\;" for char in word) else escaped
