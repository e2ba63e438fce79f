"""The network boundary: one aiohttp session, one origin, GET only. See `session.opening` and `session.sending`."""

from pipeline.session.opening import open_session
from pipeline.session.sending import Session

__all__ = ["Session", "open_session"]
