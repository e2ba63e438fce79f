"""What a run spares its process: an import that it does not need, garbage that it does not make, memory it has freed.

Measured at 100,000 records: pandas takes about 0.6 s, the search for garbage 0.8 s of 9 s of processor time; Arrow's
own allocator keeps some 30 of 285 MB for itself while lists are read.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType

import pyarrow as pa

# A run makes objects by the hundred thousand, hardly any of them in cycles; Python's own first number is 700.
_OBJECTS_BETWEEN_SEARCHES = 50_000


class _NoPandas:
    """Finds no pandas, for as long as it is asked."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Leave every other module to those who know it."""
        if name == "pandas":
            raise ModuleNotFoundError(name)
        return None


def put_off_pandas() -> None:
    """Let pyarrow look for pandas in vain: it looks once before its first value, and again when it converts to pandas.

    Nothing is done where pandas has been imported already.
    """
    if "pandas" not in sys.modules:
        nobody = _NoPandas()
        sys.meta_path.insert(0, nobody)
        try:
            pa.scalar(0)
        finally:
            sys.meta_path.remove(nobody)


@contextmanager
def lean() -> Iterator[None]:
    """Inside, pyarrow does without pandas and gives memory back, and garbage is looked for less often."""
    put_off_pandas()
    before, pool = gc.get_threshold(), pa.default_memory_pool()
    gc.set_threshold(_OBJECTS_BETWEEN_SEARCHES, *before[1:])
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(pool)
        gc.set_threshold(*before)
