"""The clock of the sandbox: moves the books forward day by day, and knows which version of which record was when."""

from __future__ import annotations

from pipeline.sandbox.clock.invariants import violations
from pipeline.sandbox.clock.moving import Clock
from pipeline.sandbox.clock.overlay import Overlay, Version
from pipeline.sandbox.clock.world import Event

__all__ = ["Clock", "Event", "Overlay", "Version", "violations"]
