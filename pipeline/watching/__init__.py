"""What others can watch of a run: the event log. Nothing here ever fails a run."""

from pipeline.watching.watch import Watch

__all__ = ["Watch"]
