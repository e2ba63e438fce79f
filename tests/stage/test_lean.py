"""What a run spares its process, and that nothing is missing for it afterwards."""

from __future__ import annotations

import gc
import subprocess
import sys

import pyarrow as pa
import pytest

from pipeline.lean import lean

SPARED = """
import sys
from pipeline.lean import lean
with lean():
    import pyarrow as pa, pyarrow.compute as pc
    print(pc.equal(pa.array([1, 2]), 1).to_pylist(), "pandas" in sys.modules)
print(pa.table({"amount": [1]}).to_pandas().amount[0], "pandas" in sys.modules)
import pandas as pd
print(pa.array(pd.Series([5])).to_pylist())
"""


def test_pandas_is_imported_by_whoever_wants_it_and_nobody_else():
    """Inside, values are made without it; afterwards tables become frames, and series arrays, as ever."""
    done = subprocess.run([sys.executable, "-c", SPARED], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[True, False] False", "1 True", "[5]"]


def test_the_process_is_as_before_afterwards():
    """Whatever happened inside; a notebook's process is its user's."""
    before, pool = gc.get_threshold(), pa.default_memory_pool().backend_name
    with pytest.raises(ZeroDivisionError), lean():
        assert gc.get_threshold()[0] > before[0]
        assert pa.default_memory_pool().backend_name == "system"
        raise ZeroDivisionError
    assert (gc.get_threshold(), pa.default_memory_pool().backend_name) == (before, pool)
