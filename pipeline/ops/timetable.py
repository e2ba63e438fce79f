"""When the nightly run begins, as cron and systemd are told of it: texts, and how a crontab takes them. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

_MARK = "# prospend-pipeline: "
# A service has this long beyond the run's own deadline, for loading and publishing what was read.
_BEYOND_DEADLINE_S = 3600


@dataclass(frozen=True, slots=True)
class Nightly:
    """What is to be run each night, by whom, and when.

    All paths are absolute. `at` is (hour, minute) in `timezone`; `credential` is the name of the systemd credential
    with the token, if the settings say so. `user` is None for a unit of the user's own systemd.
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

    @property
    def command(self) -> tuple[str, ...]:
        """The program with its arguments."""
        return (str(self.program), "run", "--config", str(self.config), "--quiet")


def cron_block(nightly: Nightly) -> str:
    """Two lines for a crontab: a comment that marks whose they are, and the entry. Cron mails what it prints."""
    hour, minute = nightly.at
    command = shlex.join(nightly.command).replace("%", r"\%")  # which cron takes for the end of the line
    return f"{_mark(nightly.config)}\n{minute} {hour} * * *  {command}\n"


def with_block(crontab: str, nightly: Nightly) -> str:
    """A crontab with the block of this settings file in it, in place of the one that it had."""
    kept, is_ours = [], False
    for line in crontab.splitlines():
        if is_ours:
            is_ours = False
        elif line.strip() == _mark(nightly.config):
            is_ours = True
        else:
            kept.append(line)
    return "".join(f"{line}\n" for line in kept) + cron_block(nightly)


def unit_name(nightly: Nightly) -> str:
    """What the units are called, without their suffix."""
    return "prospend-" + "".join(char if char.isalnum() else "-" for char in nightly.site.lower()).strip("-")


def service_unit(nightly: Nightly) -> str:
    """A oneshot service that can write nothing but the data folder and gain no privilege."""
    own = f"User={nightly.user}\n" if nightly.user else ""
    credential = (
        f"# The token; `systemd-creds encrypt` and LoadCredentialEncrypted= keep it encrypted on the disk.\n"
        f"LoadCredential={nightly.credential}\n"
        if nightly.credential
        else ""
    )
    return f"""[Unit]
Description=Nightly run of prospend-pipeline for {_escaped(nightly.site)}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={" ".join(_quoted(word) for word in nightly.command)}
{own}{credential}# The run ends by itself at api.run_deadline_s of reading; this is for a machine that hangs.
TimeoutStartSec={int(nightly.deadline_s) + _BEYOND_DEADLINE_S}
TimeoutStopSec=30
UMask=0027
Nice=10

ProtectSystem=strict
ReadWritePaths={_quoted(str(nightly.data_dir))}
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
"""


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
    escaped = _escaped(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"' if any(char.isspace() or char in "\"'\\;" for char in word) else escaped
