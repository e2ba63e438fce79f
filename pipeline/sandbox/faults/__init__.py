"""Faults on demand: which requests or connections are broken, and how. The same seed breaks the same requests.

`plan("reset:share=0.2", seed=7)` is a frozen value to hand to the settings or to a running sandbox; `SCENARIOS` is the
one table that the command line's list and the tests are made from.
"""

from __future__ import annotations

from pipeline.sandbox.faults.plan import Fault, Plan, Scenario, UnknownFault, Where
from pipeline.sandbox.faults.reading import keys_of, plan
from pipeline.sandbox.faults.scenarios import SCENARIOS

__all__ = ["SCENARIOS", "Fault", "Plan", "Scenario", "UnknownFault", "Where", "keys_of", "plan"]
