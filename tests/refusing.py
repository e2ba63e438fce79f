"""A process in which one kind of system call always fails, as on a machine that cannot do it.

For Linux on x86-64. The kernel refuses the call itself, whoever makes it: Python, Arrow or DuckDB.
"""

from __future__ import annotations

import ctypes
import errno
import struct

_SET_NO_NEW_PRIVS, _SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
NUMBERS = {"pread64": 17, "pwrite64": 18, "flock": 73, "fsync": 74}


def refuse(call: str, error: str) -> None:
    """From now on this call fails with this error in the whole process."""
    steps = [
        struct.pack("HBBI", 0x20, 0, 0, 0),  # load the call's number
        struct.pack("HBBI", 0x15, 0, 1, NUMBERS[call]),
        struct.pack("HBBI", 0x06, 0, 0, _ERROR | getattr(errno, error)),
        struct.pack("HBBI", 0x06, 0, 0, _ALLOW),
    ]
    program = ctypes.create_string_buffer(b"".join(steps))
    described = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program)))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(_SET_SECCOMP, _MODE_FILTER, described, 0, 0) == 0
