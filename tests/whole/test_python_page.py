"""docs/python.md is true: its blocks run one after the other, as in a notebook, on a published night."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pyarrow as pa

ROOT = Path(__file__).parents[2]


def test_every_block_runs(earlier_night, tmp_path, monkeypatch):
    """Each block in order, in a folder with a site's settings; what the text says of the results holds."""
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "site.toml").write_text(
        '[site]\nname = "test"\nbase_url = "https://localhost:1"\n[token]\nenv = "NONE"\n'
        f'[storage]\ndata_dir = "{earlier_night}"\n'
    )
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "python.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 6
    names: dict[str, object] = {}
    for at, block in enumerate(blocks):
        exec(compile(block, f"block {at} of docs/python.md", "exec"), names)
    spend = names["spend"]
    assert spend["gross_amount"].dtype == pd.ArrowDtype(pa.decimal128(18, 4))
    assert spend["spent_on"].dtype == pd.ArrowDtype(pa.date32())
    assert str(spend["currency_code"].dtype) == "category"
    by_currency = spend.groupby("claim_currency_code", observed=True)["claim_gross_amount"].sum()
    assert names["monthly"]["gross"].dtype == pd.ArrowDtype(pa.decimal128(38, 4))
    assert names["table"].sum().to_dict() == by_currency.to_dict()
    assert names["by_division"].groupby(level=0).sum().to_dict() == spend.dropna(subset=["division_name"]).groupby(
        "claim_currency_code", observed=True
    )["claim_gross_amount"].sum().to_dict()  # fmt: skip
    assert list(names["overdue"].columns) == names["columns"]
    assert len(names["mine"]) <= len(names["overdue"])
    assert len(names["then"]) > 0
    assert names["open_items"].num_rows <= 10
