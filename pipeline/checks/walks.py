"""What reading itself showed of the source: order, hidden records, and whether unchanged means unchanged. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pipeline.checks.verdicts import verdict
from pipeline.model import CheckResult


def lists_in_order(unordered: Collection[str], alone: Mapping[str, str]) -> CheckResult:
    """Advisory: no list went back in time; one that did is read in full the next night, and page after page.

    Args:
        unordered: names of the lists that did.
        alone: by resource, why several walkers cannot share its list.
    """
    wrong = [f"{name}: change times go back; it is read in full the next night" for name in sorted(unordered)]
    wrong += [
        f"{name}: read page after page, because {why}" for name, why in sorted(alone.items()) if name not in unordered
    ]
    return verdict("lists_in_order", wrong, "change times ascend in every list", required=False)


def rechecks_agree(rechecked: Mapping[str, int], differed: Mapping[str, int]) -> CheckResult:
    """Advisory: what hangs under a sample of unchanged records was as before; what was not is stored all the same.

    Args:
        rechecked: by resource, walks under records that had not changed.
        differed: by resource, records under them that were not as they had been.
    """
    wrong = [f"{name}: {count} differ under records that had not changed" for name, count in differed.items() if count]
    walks = sum(rechecked.values())
    fine = f"{walks:,} walks under unchanged records, all as before" if walks else "nothing was in the sample"
    return verdict("rechecks_agree", wrong, fine, required=False)


def nothing_hidden(still_there: Mapping[str, int]) -> CheckResult:
    """Advisory: no record answered a look-up although its complete list did not show it; such a record is kept.

    Args:
        still_there: by resource, records that did.
    """
    wrong = [f"{name}: {count} records answer but are not listed" for name, count in still_there.items() if count]
    return verdict("nothing_hidden", wrong, "every record that is not listed any more is gone", required=False)
