"""Looking after what stands on disk, between runs: verifying it, and removing what is no longer needed."""

from pipeline.upkeep.verifying import verify, vouch, why_not_vouched

__all__ = ["verify", "vouch", "why_not_vouched"]
