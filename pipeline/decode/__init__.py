"""Page bytes to typed Arrow tables, exactly, with everything that did not fit beside them. Computes only."""

from pipeline.decode.envelope import Envelope, ParentKey, parent_keys, split_envelope
from pipeline.decode.fingerprints import fingerprint
from pipeline.decode.pages import Decoded, decode_pages
from pipeline.decode.refit import lacks_columns, refit
from pipeline.decode.schema import snapshot_schema

__all__ = [
    "Decoded",
    "Envelope",
    "ParentKey",
    "decode_pages",
    "fingerprint",
    "lacks_columns",
    "parent_keys",
    "refit",
    "snapshot_schema",
    "split_envelope",
]
