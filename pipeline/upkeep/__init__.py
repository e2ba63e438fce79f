"""Looking after what stands on disk, between runs: verifying it, and removing what is no longer needed."""

from pipeline.upkeep.compacting import PutTogether
from pipeline.upkeep.pruning import Doomed, Pruning, plan_pruning, prune, prune_generations
from pipeline.upkeep.verifying import verify, vouch, why_not_vouched

__all__ = [
    "Doomed",
    "Pruning",
    "PutTogether",
    "plan_pruning",
    "prune",
    "prune_generations",
    "verify",
    "vouch",
    "why_not_vouched",
]
