"""Sees every system call of a child that changes files below a folder, and can end or refuse the n-th of them.

What `strace` does, with two things that it cannot: calls are counted over all threads of the process together, so that
the n-th is the same in each run, and only those below one folder count, whatever its files are called. For Linux on
x86-64. The child asks to be traced (`begin`), its parent follows it to its end (`follow`).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

IS_POSSIBLE = sys.platform == "linux" and platform.machine() == "x86_64"

_TRACEME, _CONT, _GETREGS, _SETREGS, _SETOPTIONS = 0, 7, 12, 13, 0x4200
_OPTIONS = 0x2 | 0x4 | 0x8 | 0x80 | 0x100000  # follow forks and threads, stop where the filter says, die with us
_EVENT_SECCOMP = 7
_ANY_THREAD = 0x40000000
_SET_NO_NEW_PRIVS, _SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_ALLOW, _TRACE = 0x7FFF0000, 0x7FF00000
_AT_FDCWD = 0xFFFFFFFFFFFFFF9C
_CLONE_FILE = 0x40049409

# Number: name, and for each path the place of its argument; a descriptor's is given as a text, a folder's goes before.
_CALLS: dict[int, tuple[str, tuple[tuple[str, int] | tuple[str, int, int], ...]]] = {
    1: ("write", (("fd", 0),)),
    16: ("clone file", (("fd", 0),)),
    18: ("pwrite64", (("fd", 0),)),
    20: ("writev", (("fd", 0),)),
    40: ("sendfile", (("fd", 0),)),
    74: ("fsync", (("fd", 0),)),
    75: ("fdatasync", (("fd", 0),)),
    76: ("truncate", (("at", -1, 0),)),
    77: ("ftruncate", (("fd", 0),)),
    82: ("rename", (("at", -1, 0), ("at", -1, 1))),
    83: ("mkdir", (("at", -1, 0),)),
    84: ("rmdir", (("at", -1, 0),)),
    86: ("link", (("at", -1, 0), ("at", -1, 1))),
    87: ("unlink", (("at", -1, 0),)),
    88: ("symlink", (("at", -1, 1),)),
    90: ("chmod", (("at", -1, 0),)),
    91: ("fchmod", (("fd", 0),)),
    2: ("open", (("at", -1, 0),)),
    257: ("openat", (("at", 0, 1),)),
    258: ("mkdirat", (("at", 0, 1),)),
    263: ("unlinkat", (("at", 0, 1),)),
    264: ("renameat", (("at", 0, 1), ("at", 2, 3))),
    265: ("linkat", (("at", 0, 1), ("at", 2, 3))),
    266: ("symlinkat", (("at", 1, 2),)),
    268: ("fchmodat", (("at", 0, 1),)),
    285: ("fallocate", (("fd", 0),)),
    296: ("pwritev", (("fd", 0),)),
    316: ("renameat2", (("at", 0, 1), ("at", 2, 3))),
    326: ("copy_file_range", (("fd", 2),)),
    328: ("pwritev2", (("fd", 0),)),
}
_OPENS = {2: 1, 257: 2}  # where the flags stand
_REGISTERS = struct.Struct("27Q")
_ARGUMENTS = (14, 13, 12, 7, 9, 8)  # rdi rsi rdx r10 r8 r9 among the registers
_RESULT, _NUMBER = 10, 15


@dataclass(frozen=True)
class Call:
    """One call that changes something: its name and the paths it names, below the folder."""

    name: str
    paths: tuple[str, ...]


@dataclass
class Followed:
    """What a child did: its exit code (negative is a signal), its calls in order, and the one that was struck."""

    code: int = 0
    calls: list[Call] = field(default_factory=list)
    struck: Call | None = None


def begin() -> None:
    """Called in the child: from now on the parent sees it."""
    libc = ctypes.CDLL(None, use_errno=True)
    _checked(libc.ptrace(_TRACEME, 0, 0, 0))
    os.kill(os.getpid(), signal.SIGSTOP)
    steps = [struct.pack("HBBI", 0x20, 0, 0, 0)]  # load the call's number
    steps += [struct.pack("HBBI", 0x15, len(_CALLS) - place, 0, number) for place, number in enumerate(_CALLS)]
    steps += [struct.pack("HBBI", 0x06, 0, 0, _ALLOW), struct.pack("HBBI", 0x06, 0, 0, _TRACE)]
    program = ctypes.create_string_buffer(b"".join(steps))
    described = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program)))
    _checked(libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(libc.prctl(_SET_SECCOMP, _MODE_FILTER, described, 0, 0))


def follow(child: int, folder: str, *, strike: int = 0, with_what: str = "KILL") -> Followed:
    """Follow a child that has begun to its end.

    Args:
        child: its process id.
        folder: only calls that name something below it count.
        strike: the number, from 1, of the call that is struck; 0 strikes none.
        with_what: KILL, or the name of an error: then the call is not made and fails with it. The error strikes the
            first call from that number on which can fail so.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    followed = Followed()
    os.waitpid(child, 0)
    _checked(libc.ptrace(_SETOPTIONS, child, 0, _OPTIONS))
    libc.ptrace(_CONT, child, 0, 0)
    while True:
        thread, status = os.waitpid(-1, _ANY_THREAD)
        if not os.WIFSTOPPED(status):
            if thread == child:
                followed.code = os.waitstatus_to_exitcode(status)
                return followed
            continue
        signalled = os.WSTOPSIG(status)
        if status >> 8 == signal.SIGTRAP | _EVENT_SECCOMP << 8:
            _see(libc, thread, folder, followed, strike, with_what, child)
        is_ours = signalled in (signal.SIGTRAP, signal.SIGSTOP)
        libc.ptrace(_CONT, thread, 0, 0 if is_ours else signalled)


def can_fail(name: str, with_what: str) -> bool:
    """Whether a kind of call can fail with an error on a real machine."""
    on_content = ("write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "copy_file_range", "fallocate")
    on_names = ("openat", "open", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "symlink", "symlinkat", "link")
    syncs = ("fsync", "fdatasync", "ftruncate", "truncate")
    return (
        name
        in {
            "KILL": (name,),
            "ENOSPC": (*on_content, *on_names, *syncs),
            "EIO": (*on_content, *syncs),
            "EACCES": (*on_names, "unlink", "unlinkat", "rmdir", "chmod", "fchmod", "fchmodat"),
        }[with_what]
    )


def _see(
    libc: ctypes.CDLL, thread: int, folder: str, followed: Followed, strike: int, with_what: str, child: int
) -> None:
    raw = ctypes.create_string_buffer(_REGISTERS.size)
    if libc.ptrace(_GETREGS, thread, 0, raw) != 0:
        return  # the thread has been killed meanwhile
    registers = list(_REGISTERS.unpack(raw.raw))
    number, arguments = registers[_NUMBER], [registers[place] for place in _ARGUMENTS]
    name, places = _CALLS[number]
    if number in _OPENS and not arguments[_OPENS[number]] & (os.O_CREAT | os.O_TRUNC):
        return
    if number == 16 and arguments[1] != _CLONE_FILE:
        return
    paths = tuple(_paths(thread, arguments, places))
    if not any(path.startswith(f"{folder}/") or path == folder for path in paths):
        return
    followed.calls.append(Call(name, paths))
    if not strike or followed.struck or len(followed.calls) < strike or not can_fail(name, with_what):
        return
    followed.struck = followed.calls[-1]
    if with_what == "KILL":
        os.kill(child, signal.SIGKILL)
        return
    registers[_NUMBER] = 2**64 - 1  # no call at all
    registers[_RESULT] = 2**64 - getattr(errno, with_what)
    _checked(libc.ptrace(_SETREGS, thread, 0, ctypes.create_string_buffer(_REGISTERS.pack(*registers))))


def _paths(thread: int, arguments: list[int], places: tuple) -> Iterator[str]:
    for how, *where in places:
        if how == "fd":
            yield _opened(thread, f"fd/{arguments[where[0]] & 0xFFFFFFFF}")
            continue
        folder, place = where
        path = _text(thread, arguments[place])
        if not path.startswith("/"):
            descriptor = arguments[folder] if folder >= 0 else _AT_FDCWD
            is_here = descriptor & 0xFFFFFFFF == _AT_FDCWD & 0xFFFFFFFF
            path = f"{_opened(thread, 'cwd' if is_here else f'fd/{descriptor & 0xFFFFFFFF}')}/{path}"
        yield os.path.normpath(path)


def _opened(thread: int, what: str) -> str:
    try:
        return str(Path(f"/proc/{thread}/{what}").readlink())
    except OSError:
        return ""


def _text(thread: int, address: int) -> str:
    memory = os.open(f"/proc/{thread}/mem", os.O_RDONLY)
    try:
        found = b""
        while b"\0" not in found and len(found) < 4096:
            found += os.pread(memory, 256 - (address + len(found)) % 256, address + len(found))
        return os.fsdecode(found.partition(b"\0")[0])
    finally:
        os.close(memory)


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
