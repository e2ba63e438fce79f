"""What others can watch: the events of a run, and how a site stands between runs. Nothing here ever fails a run."""

from pipeline.watching.health import health_of
from pipeline.watching.watch import Watch

__all__ = ["Watch", "health_of"]
