"""A ProSpend-compatible server to develop and test against: deterministic books, real tokens, HTTPS on loopback.

The door of the sandbox. Names are imported when they are used: importing this costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.sandbox import faults, tokens
    from pipeline.sandbox.model import Close, Reply, SandboxSettings, Script, Send, Wait
    from pipeline.sandbox.running import Running, in_thread, serving

__all__ = [
    "Close",
    "Reply",
    "Running",
    "SandboxSettings",
    "Script",
    "Send",
    "Wait",
    "faults",
    "in_thread",
    "serving",
    "tokens",
]
_FROM_RUNNING = ("Running", "in_thread", "serving")


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in ("faults", "tokens"):
        return import_module(f"pipeline.sandbox.{name}")
    if name in _FROM_RUNNING:
        return getattr(import_module("pipeline.sandbox.running"), name)
    if name in __all__:
        return getattr(import_module("pipeline.sandbox.model"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
