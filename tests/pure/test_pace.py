"""How many requests may go at once, and when the source is taken to be down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.session.circuit import Circuit, CircuitLimits, failed, is_given_up, is_open, probe_at_s
from pipeline.session.pace import Pace, answered, begun, strained

LIMITS = CircuitLimits(failures=3, opens_after_s=10, probe_every_s=5, gives_up_after_s=100)


def steady(pace: Pace, answers: int, took_s: float = 0.1, from_s: float = 1000.0) -> Pace:
    for n in range(answers):
        pace = answered(pace, began_s=from_s + n, now_s=from_s + n + took_s)
    return pace


def test_the_setting_is_where_it_begins_and_never_passed():
    """However many answers come, no more go at once than the site allows."""
    assert begun(16).allowed == 16
    assert steady(begun(16), 1000).allowed == 16


def test_strain_halves_and_calm_adds_one_a_round():
    """Multiplicative decrease, additive increase: eight answers at eight are one more."""
    pace = strained(begun(16), began_s=1, now_s=2)
    assert pace.allowed == 8
    assert steady(pace, 8).allowed == 8
    assert steady(pace, 9).allowed == 9
    assert steady(pace, 200).allowed == 16


def test_one_strain_is_counted_once():
    """Requests that were under way together fail together: that is one sign, not sixteen."""
    pace = begun(16)
    for _ in range(16):
        pace = strained(pace, began_s=1.0, now_s=2.0)
    assert pace.allowed == 8
    assert strained(pace, began_s=2.5, now_s=3.0).allowed == 4


def test_it_never_stops_altogether():
    """At least one request may go, whatever happens; silence for ever is the circuit's business."""
    pace = begun(16)
    for n in range(50):
        pace = strained(pace, began_s=float(n), now_s=float(n))
    assert pace.allowed == 1
    assert steady(pace, 1).allowed == 2


def test_rising_latency_is_strain():
    """Answers that take seconds longer than they used to slow the client down before the source refuses."""
    pace = steady(begun(16), 200, took_s=0.2)
    assert steady(pace, 20, took_s=0.9, from_s=2000).allowed == 16
    assert steady(pace, 20, took_s=4.0, from_s=2000).allowed < 16


def test_a_slow_source_that_was_always_slow_is_not_strained():
    """What counts is the rise."""
    assert steady(begun(16), 500, took_s=20.0).allowed == 16


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 100), st.floats(0, 100)), max_size=200), st.integers(1, 256))
def test_it_stays_between_one_and_the_setting(events, most):
    """Over any history."""
    pace = begun(most)
    for is_strained, began_s, took_s in events:
        pace = (strained if is_strained else answered)(pace, began_s=began_s, now_s=began_s + took_s)
        assert 1 <= pace.allowed <= most


def after_failures(*moments: float) -> Circuit:
    circuit = Circuit()
    for moment in moments:
        circuit = failed(circuit, moment)
    return circuit


@pytest.mark.parametrize(
    ("moments", "now_s", "open_", "given_up"),
    [
        ((), 1e6, False, False),
        ((0, 5), 1e6, False, False),
        ((0, 1, 2), 9, False, False),
        ((0, 1, 2), 10, True, False),
        ((0, 1, 2, 50), 99, True, False),
        ((0, 1, 2, 50), 100, True, True),
        ((1000, 1001, 1002), 1005, False, False),
    ],
)
def test_the_circuit_opens_after_a_stretch_of_nothing_but_failures(moments, now_s, open_, given_up):
    """Often enough and for long enough; the stretch begins at the first failure, not at the last success."""
    circuit = after_failures(*moments)
    assert is_open(circuit, LIMITS, now_s) is open_
    assert is_given_up(circuit, LIMITS, now_s) is given_up


def test_probes_are_spaced_from_the_last_failure():
    """One try, then a pause."""
    assert probe_at_s(after_failures(0, 1, 20), LIMITS) == 25
