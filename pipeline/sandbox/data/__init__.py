"""The deterministic books of one made-up group: the same seed gives the same bytes anywhere.

Lives here: what the sandbox's records say. Not here: pages, filters' spelling, requests (`pipeline.sandbox.answer`).
"""

from __future__ import annotations

from pipeline.sandbox.data.books import Books, make_books

__all__ = ["Books", "make_books"]
