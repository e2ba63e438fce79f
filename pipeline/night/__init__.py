"""The steps of one night, each with what it needs of the stages. Their order is `nightly`'s business alone."""

from pipeline.night.building import load
from pipeline.night.judging import Loaded, judge, refuse
from pipeline.night.reading import planned, read
from pipeline.night.values import Night

__all__ = ["Loaded", "Night", "judge", "load", "planned", "read", "refuse"]
