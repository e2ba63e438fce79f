"""The same bytes from the disk through one JSON parser, nothing kept: parse_only json, or parse_only orjson."""

from __future__ import annotations

import importlib
import sys

from job import the_job

loads = importlib.import_module(sys.argv[1]).loads
for body in sorted(the_job().bodies.iterdir()):
    loads(body.read_bytes())
