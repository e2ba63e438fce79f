"""The notebook and the app of docs/bi/marimo-streamlit.md, run by marimo and Streamlit, through a night's publish."""

from __future__ import annotations

import json
import re
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
from sandbox_site import TOKEN_VARIABLE, site_of

import pipeline
import pipeline.nightly
from pipeline.ops.runs import pointer_of
from tests.environments import ROOT

PAGE = (ROOT / "docs" / "bi" / "marimo-streamlit.md").read_text()
SPEND = "SELECT currency_code, sum(gross_amount) FROM mart.spend_month GROUP BY ALL ORDER BY ALL"
# Each prints what it shows whenever a line comes: first as it is, then once its user has asked for it anew.
DRIVERS = {
    "marimo": """
import json, sys
sys.path.insert(0, sys.argv[1])
import guide
for _ in sys.stdin:
    _, found = guide.app.run()
    print(json.dumps([[currency, str(gross)] for currency, gross in found["spend"].rows()]), flush=True)
""",
    "streamlit": """
import json, sys
import streamlit as st
from streamlit.testing.v1 import AppTest
app = AppTest.from_file(sys.argv[1] + "/guide.py", default_timeout=120)
for line in sys.stdin:
    if line.strip() == "anew":
        st.cache_data.clear()
    app.run()
    assert not app.exception, app.exception
    shown = app.dataframe[0].value
    print(json.dumps([[currency, str(gross)] for currency, gross in shown.values.tolist()]), flush=True)
""",
}


def published(data_dir: Path) -> list[tuple[str, Decimal]]:
    with pipeline.connect(data_dir) as connection:
        return connection.execute(SPEND).fetchall()


@pytest.mark.parametrize("tool", DRIVERS)
def test_the_guides_code_shows_each_night_to_the_cent(tool: str, books, interpreter, tmp_path: Path):
    """As the page says: what is asked for anew after the publish is the new night's, exact."""
    running, data_dir = books
    (code,) = re.findall(rf"^```python {tool}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "guide.py").write_text(code.replace("data/warehouse.duckdb", str(pointer_of(data_dir))))
    command = [str(interpreter("notebooks")), "-c", DRIVERS[tool], str(tmp_path)]
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    errors = (tmp_path / "errors").open("wb")
    with (
        errors,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=environ
        ) as program,
    ):

        def shown(asked: str) -> list[tuple[str, Decimal]]:
            program.stdin.write(f"{asked}\n")
            program.stdin.flush()
            answer = program.stdout.readline()
            assert answer, (tmp_path / "errors").read_text()
            return [(currency, Decimal(gross)) for currency, gross in json.loads(answer)]

        first = published(data_dir)
        assert shown("first") == first
        running.advance(40)
        pipeline.nightly.run(site_of(running, data_dir, marts=True), environ={TOKEN_VARIABLE: running.token})
        second = published(data_dir)
        assert second != first
        if tool == "streamlit":
            assert shown("again") == first  # cached
        assert shown("anew") == second
        program.stdin.close()
