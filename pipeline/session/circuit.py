"""Whether the source is down: nothing succeeded for a stretch, though it was tried often enough.

Pure values and functions over a monotonic clock; `session.gate` applies them. A 429 is no sign of it: who says when to
come back is not down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class CircuitLimits:
    """When to send no more than probes, how far apart, and when to give the run up.

    The stretch counts from the first failure after the last success, so that an idle client is not taken for a
    failing one.
    """

    failures: int = 5
    opens_after_s: float = 30.0
    probe_every_s: float = 15.0
    gives_up_after_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Circuit:
    """Failures since anything succeeded. `since_s` is the first of them, `last_s` the last, None without any."""

    failures: int = 0
    since_s: float | None = None
    last_s: float | None = None


def failed(circuit: Circuit, now_s: float) -> Circuit:
    """After one more failure."""
    if circuit.since_s is None:
        return Circuit(1, now_s, now_s)
    return replace(circuit, failures=circuit.failures + 1, last_s=now_s)


def is_open(circuit: Circuit, limits: CircuitLimits, now_s: float) -> bool:
    """Whether only single probes may go."""
    return _lasts(circuit, limits, now_s, limits.opens_after_s)


def is_given_up(circuit: Circuit, limits: CircuitLimits, now_s: float) -> bool:
    """Whether the stretch is so long that the run should end."""
    return _lasts(circuit, limits, now_s, limits.gives_up_after_s)


def probe_at_s(circuit: Circuit, limits: CircuitLimits) -> float:
    """Before which moment no probe goes while the circuit is open."""
    return (circuit.last_s or 0.0) + limits.probe_every_s


def _lasts(circuit: Circuit, limits: CircuitLimits, now_s: float, stretch_s: float) -> bool:
    if circuit.since_s is None or circuit.failures < limits.failures:
        return False
    return now_s - circuit.since_s >= stretch_s
