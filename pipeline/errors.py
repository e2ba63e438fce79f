"""Every error this program raises on purpose, and the exit code of each.

    PipelineError                    exit  what should happen next
    ├── ConfigError                   10   a person edits the configuration
    ├── TokenError                    11   a person renews or repairs the token
    ├── NotPermitted                  12   a person grants the permission
    ├── SourceUnavailable             20   run again later
    ├── SourceContractBroken          21   the source changed: running again will not help
    │   ├── RequestRefused            21   the request was not accepted as put
    │   └── NotThere                  21   the path or cursor is not known (any more)
    ├── SecurityStop                  22   treat as an attack until shown otherwise
    ├── LocalResource                 30   free disk, memory or time
    │   ├── DiskFull                  30   the volume, or a quota on it, took no more
    │   └── TooManyPages              30   more to read than the site lets a run keep
    ├── LocalAccess                   31   repair file permissions
    ├── StoredDataDamaged             40   stored bytes are not what was stored
    ├── CheckRefused                  41   the data is complete, but a required check says not to publish it
    ├── BudgetReached                 42   call budget used up, progress kept
    ├── RunActive                     50   another run holds the lock
    └── VersionMismatch               60   state of another program version

Anything else that escapes is a bug of ours (70). Messages carry names, positions and types, never a value from a
payload and never a token. Nothing in this module imports another module of the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

EXIT_PUBLISHED = 0
EXIT_INTERNAL = 70
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143
LONGEST_LINE = 400  # characters of a line of an error


class PipelineError(Exception):
    """A failure that a person can act on, in four lines: what, where, state, do.

    Args:
        what: what happened, in plain words.
        where: stage, resource, page, file or setting; empty when the raiser cannot know it.
        state: what condition the data is in; filled in by whoever knows, usually the nightly run.
        do: one concrete next action; the class gives a default.
    """

    exit_code: ClassVar[int] = EXIT_INTERNAL
    title: ClassVar[str] = "FAILED"
    keeps_pages: bool = False  # whether what was read so far is sound, and a later run may go on from it
    default_do: ClassVar[str] = "report this as a bug; readers are unaffected"

    def __init__(self, what: str, *, where: str = "", state: str = "", do: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.state = state
        self.do = do or self.default_do

    def __reduce__(self) -> tuple[object, ...]:
        """Keep every line through pickling: keyword arguments are not in `args`."""
        return (_restore, (type(self), self.what, self.where, self.state, self.do))

    def filled_in(self, *, where: str = "", state: str = "") -> PipelineError:
        """The same error, its empty lines filled by a caller that knows more."""
        self.where = self.where or where
        self.state = self.state or state
        return self

    def lines(self) -> tuple[tuple[str, str], ...]:
        """The four labelled lines, in the order they are printed."""
        return (
            ("WHAT", _fitted(f"{self.title} ({self.exit_code}): {self.what}")),
            ("WHERE", _fitted(self.where or "before the first stage")),
            ("STATE", _fitted(self.state or "nothing was changed")),
            ("DO", _fitted(self.do)),
        )


def _fitted(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE - 4]} ..."


def exit_code_of(error: BaseException) -> int:
    """The exit code that a command ends with when this leaves it."""
    if isinstance(error, PipelineError):
        return error.exit_code
    if isinstance(error, SystemExit):
        return EXIT_TERMINATED
    return EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else EXIT_INTERNAL


def _restore(kind: type[PipelineError], what: str, where: str, state: str, do: str) -> PipelineError:
    return kind(what, where=where, state=state, do=do)


class ConfigError(PipelineError):
    """The configuration is missing, malformed or contradicts itself; no network was touched."""

    exit_code = 10
    title = "CONFIG"
    default_do = "correct the setting and run again"

    @classmethod
    def of_many(cls, problems: Sequence[str], *, where: str, do: str = "") -> ConfigError:
        """One error for all that is wrong: every problem in WHAT, or, where that line would grow too long, in notes."""
        told = "; ".join(problems)
        if len(told) <= LONGEST_LINE - len(cls.title) - 8:
            return cls(told, where=where, do=do)
        error = cls(f"{len(problems)} problems, listed above; the first: {problems[0]}", where=where, do=do)
        for problem in problems:
            error.add_note(problem)
        return error


class TokenError(PipelineError):
    """The token is missing, malformed, expired or refused by the source (401)."""

    exit_code = 11
    title = "CREDENTIAL"
    keeps_pages = True
    default_do = (
        "issue a new token (ProSpend, admin role: Setup > API Tokens > New Token), store it where the "
        "[token] section points, run again; `prospend token show --renewal` gives each step"
    )


class NotPermitted(PipelineError):
    """The source accepted the token but refuses this resource (403)."""

    exit_code = 12
    title = "SCOPE"
    keeps_pages = True
    default_do = "have the token issued by an administrator who may read this resource, then run again"


class SourceUnavailable(PipelineError):
    """The source could not be reached, or kept failing after every attempt."""

    exit_code = 20
    title = "SOURCE_TRANSIENT"
    keeps_pages = True
    default_do = "run again later; if it fails for several nights, contact ProSpend support"


class SourceContractBroken(PipelineError):
    """The source answered something its documentation does not allow; running again will not help."""

    exit_code = 21
    title = "SOURCE_CONTRACT"
    default_do = "do not just run again: compare the answer with configs/prospend.toml, or ask ProSpend what changed"


class RequestRefused(SourceContractBroken):
    """The source did not accept a request as it was put (400)."""

    default_do = "check the resource's filters in configs/prospend.toml, and api.page_limit"


class NotThere(SourceContractBroken):
    """The source does not know what was asked for, or no longer: a path, or a cursor (404, 410, 419)."""

    default_do = "check site.base_url, site.version and the path in configs/prospend.toml"


class SecurityStop(PipelineError):
    """Something that could expose the token or the machine: certificate, foreign origin, oversized body."""

    exit_code = 22
    title = "SECURITY_STOP"
    default_do = "do not run again before the cause is known; treat it as a possible attack"


class LocalResource(PipelineError):
    """This machine ran out of disk, memory, handles or allowed time."""

    exit_code = 30
    title = "LOCAL_RESOURCE"
    keeps_pages = True
    default_do = "free disk space on the volume of storage.data_dir (or raise the limit), run again"


class DiskFull(LocalResource):
    """The volume of the data folder, or a quota on it, took no more."""


class TooManyPages(LocalResource):
    """The source sent more than the site lets a run keep; the next run must not go on from that."""

    keeps_pages = False
    default_do = "compare with what the source should hold; raise storage.max_kept_gb if that is right, run again"


class LocalAccess(PipelineError):
    """A file or folder of ours cannot be read or written by this user."""

    exit_code = 31
    title = "LOCAL_ACCESS"
    keeps_pages = True
    default_do = "make storage.data_dir owned and writable by the user that runs prospend, run again"


class StoredDataDamaged(PipelineError):
    """Stored data is not what was stored: a hash, checksum or format does not match."""

    exit_code = 40
    title = "INTEGRITY"
    default_do = "check the disk, then run again to make a fresh snapshot; earlier generations are kept beside it"


class CheckRefused(PipelineError):
    """The run was complete, but a required check does not vouch for the numbers; nothing was published."""

    exit_code = 41
    title = "GATE"
    default_do = (
        "compare the named numbers with the source before anything else; if it was wrong, run again once it is right; "
        "if it is right, run with the option or change the setting that the check names"
    )


class BudgetReached(PipelineError):
    """The call budget is used up; progress is kept. `again_at` is from when on a call may be made."""

    exit_code = 42
    title = "BUDGET"
    keeps_pages = True
    default_do = "run again when the budget allows it"
    again_at: datetime | None = None


class RunActive(PipelineError):
    """Another run holds the lock of this data folder."""

    exit_code = 50
    title = "BUSY"
    default_do = "wait for it or stop it; nothing is broken"


class VersionMismatch(PipelineError):
    """State on disk was written by an incompatible version of this program."""

    exit_code = 60
    title = "VERSION"
    default_do = "install the newer version of prospend that wrote it, or move storage.data_dir aside to begin anew"
