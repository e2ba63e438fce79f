"""The reporting tables as text: one `.sql` file a mart in `sql/`, with its meaning on top and its tests beside it.

Nothing is executed here; `pipeline.warehouse` makes the tables, `pipeline.checks` judges what the tests find.
"""

from pipeline.marts.reading import all_marts, for_readers, lineage, told_tests
from pipeline.marts.values import Mart, MartFinding, MartTest, Reporting

__all__ = ["Mart", "MartFinding", "MartTest", "Reporting", "all_marts", "for_readers", "lineage", "told_tests"]
