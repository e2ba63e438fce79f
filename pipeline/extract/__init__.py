"""Reading every list to its proven end: what is to be read, the walks, and the workers that make them."""

from pipeline.extract.scope import Deliver, Entered, Extracted, Scope, WalksDone, all_changed
from pipeline.extract.steps import filled_path
from pipeline.extract.walking import Extraction, extract

__all__ = [
    "Deliver",
    "Entered",
    "Extracted",
    "Extraction",
    "Scope",
    "WalksDone",
    "all_changed",
    "extract",
    "filled_path",
]
