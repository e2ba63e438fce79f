"""What must be true of a complete run before readers may see it. Pure: numbers in, verdicts out.

Every check is a value that is stored with the run. A required check that does not pass refuses the publication; an
advisory one is only told.
"""

from pipeline.checks.completeness import (
    QUARANTINE_SMALL,
    KeyProblems,
    ResourceCounts,
    advice_given,
    judge,
    token_lasts,
    totals_equal,
)
from pipeline.checks.demand import amounts_check, demanded, lines_check, refuse_unknown, switchable
from pipeline.checks.drift import fields_known, fields_sent, types_as_declared, values_as_sent
from pipeline.checks.figures import Figures, Shift, StateCount, Sums, UpdateTimes
from pipeline.checks.movement import (
    FUTURE_AFTER,
    data_fresh,
    deletions_small,
    is_too_much,
    keys_overlap,
    null_rates_steady,
    shrink_small,
    states_told,
    update_times_plausible,
)
from pipeline.checks.reporting import marts_hold
from pipeline.checks.sums import sums_right
from pipeline.checks.verdicts import from_document, refusals, to_document
from pipeline.checks.walks import lists_in_order, nothing_hidden, rechecks_agree

__all__ = [
    "FUTURE_AFTER",
    "QUARANTINE_SMALL",
    "Figures",
    "KeyProblems",
    "ResourceCounts",
    "Shift",
    "StateCount",
    "Sums",
    "UpdateTimes",
    "advice_given",
    "amounts_check",
    "data_fresh",
    "deletions_small",
    "demanded",
    "fields_known",
    "fields_sent",
    "from_document",
    "is_too_much",
    "judge",
    "keys_overlap",
    "lines_check",
    "lists_in_order",
    "marts_hold",
    "nothing_hidden",
    "null_rates_steady",
    "rechecks_agree",
    "refusals",
    "refuse_unknown",
    "shrink_small",
    "states_told",
    "sums_right",
    "switchable",
    "to_document",
    "token_lasts",
    "totals_equal",
    "types_as_declared",
    "update_times_plausible",
    "values_as_sent",
]
