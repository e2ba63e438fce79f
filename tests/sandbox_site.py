"""Settings of a site whose source is a sandbox."""

from __future__ import annotations

from pathlib import Path

from pipeline.sandbox import Running
from pipeline.settings import Api, Report, Settings, Site, Storage, Token

TOKEN_VARIABLE = "PROSPEND_TEST_TOKEN"


def site_of(sandbox: Running, data_dir: Path, *, marts: bool = False, **api: object) -> Settings:
    """Settings of a site whose source is a sandbox; marts cost a second a night, and only some tests are about them."""
    return Settings(
        site=Site(name="test", base_url=sandbox.base_url),
        token=Token(env=TOKEN_VARIABLE),
        storage=Storage(data_dir=data_dir),
        api=Api(ca_file=sandbox.ca_file, **api),
        report=Report(marts=marts, page=False, workbook=False),  # tests of reports ask for them: each takes a second
    )
