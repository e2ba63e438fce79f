"""Tables and query results as pandas frames. The only place where a warehouse value becomes a pandas value.

Columns keep their Arrow types: pandas' own would turn DECIMAL into objects or floats and drop the difference between
a missing number and NaN.
"""

from __future__ import annotations

import re

import pandas as pd

from pipeline.errors import ConfigError
from pipeline.report.reading import Connection, quoted

_TABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*){0,2}\Z")


def frame(connection: Connection, name_or_sql: str) -> pd.DataFrame:
    """A table, or the result of one SELECT, as a frame.

    Args:
        connection: open, usually from `pipeline.connect`.
        name_or_sql: `"prospend.claim"`, or a statement that gives rows.

    Shape:
        n rows x the columns selected, in order, every dtype a `pandas.ArrowDtype`: DECIMAL is decimal128 and never a
        float, times are microseconds in UTC, missing values are `pandas.NA`.

    Raises:
        ConfigError: the statement gives no rows.
    """
    wanted = name_or_sql.strip()
    if _TABLE.match(wanted):
        wanted = "FROM " + ".".join(map(quoted, wanted.split(".")))
    result = connection.sql(wanted)
    if result is None:
        raise ConfigError("the statement gives no rows", where="frame", do="ask with SELECT")
    return result.to_arrow_table().to_pandas(types_mapper=pd.ArrowDtype)
