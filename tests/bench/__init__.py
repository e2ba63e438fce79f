"""Measurements, side by side in one run: `make bench`, `make bench-parts`. Not tests; nothing here passes or fails."""
