"""Page bytes to typed Arrow tables, exactly, with everything that did not fit beside them. Computes only."""

from pipeline.decode.again import DecodedAgain, decode_again, quarantined_key
from pipeline.decode.envelope import Envelope, ParentKey, change_time, parent_keys, split_envelope
from pipeline.decode.erasing import (
    NOTHING,
    Erased,
    Owners,
    erase,
    erase_quarantined,
    named,
    named_quarantined,
    owned,
    owned_quarantined,
)
from pipeline.decode.fingerprints import fingerprint, fingerprints
from pipeline.decode.pages import Decoded, add_notes, decode_pages
from pipeline.decode.refit import Lost, Refitted, is_todays, lacks_columns, refit
from pipeline.decode.schema import snapshot_schema
from pipeline.decode.stamps import are_ascending, newest_by_company, stamped
from pipeline.decode.unknown import UnknownField, described, extra_members

__all__ = [
    "NOTHING",
    "Decoded",
    "DecodedAgain",
    "Envelope",
    "Erased",
    "Lost",
    "Owners",
    "ParentKey",
    "Refitted",
    "UnknownField",
    "add_notes",
    "are_ascending",
    "change_time",
    "decode_again",
    "decode_pages",
    "described",
    "erase",
    "erase_quarantined",
    "extra_members",
    "fingerprint",
    "fingerprints",
    "is_todays",
    "lacks_columns",
    "named",
    "named_quarantined",
    "newest_by_company",
    "owned",
    "owned_quarantined",
    "parent_keys",
    "quarantined_key",
    "refit",
    "snapshot_schema",
    "split_envelope",
    "stamped",
]
