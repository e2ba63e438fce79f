"""The steps of one night, each with what it needs of the stages. Their order is `nightly`'s business alone."""

from pipeline.night import room
from pipeline.night.building import add_marts, load
from pipeline.night.erasing import end_erasure, forget_staged
from pipeline.night.judging import Loaded, judge, refuse
from pipeline.night.manifest import manifest_facts
from pipeline.night.reading import planned, read
from pipeline.night.results import results_of, with_changes
from pipeline.night.standing import finish_publication, parquet_follows, standing
from pipeline.night.values import Base, Night, Read

__all__ = [
    "Base",
    "Loaded",
    "Night",
    "Read",
    "add_marts",
    "end_erasure",
    "finish_publication",
    "forget_staged",
    "judge",
    "load",
    "manifest_facts",
    "parquet_follows",
    "planned",
    "read",
    "refuse",
    "results_of",
    "room",
    "standing",
    "with_changes",
]
