"""Looking after what stands on disk, between runs: verifying it, and removing what is no longer needed."""

from pipeline.upkeep import parquet
from pipeline.upkeep.compacting import PutTogether
from pipeline.upkeep.erasing import (
    ErasurePlan,
    Theirs,
    changing,
    concerned,
    forgetting,
    people_named,
    plan_erasure,
    theirs_in,
)
from pipeline.upkeep.pruning import Doomed, Pruning, plan_pruning, prune, prune_generations
from pipeline.upkeep.verifying import verify, vouch, vouch_no_more, why_not_vouched

__all__ = [
    "Doomed",
    "ErasurePlan",
    "Pruning",
    "PutTogether",
    "Theirs",
    "changing",
    "concerned",
    "forgetting",
    "parquet",
    "people_named",
    "plan_erasure",
    "plan_pruning",
    "prune",
    "prune_generations",
    "theirs_in",
    "verify",
    "vouch",
    "vouch_no_more",
    "why_not_vouched",
]
