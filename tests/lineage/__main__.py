"""Derive the lineage anew and write it where the program reads it."""

from __future__ import annotations

from tests.lineage.deriving import FILE, derive, text_of

if __name__ == "__main__":
    FILE.write_text(text_of(derive()), "utf-8")
