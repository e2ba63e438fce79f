"""The network boundary: one aiohttp session, one origin, GET only. See `session.sending`."""

from pipeline.session.sending import Session, open_session

__all__ = ["Session", "open_session"]
