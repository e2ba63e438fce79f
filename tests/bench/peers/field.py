"""Who takes part: how each is started, in which environment, and where it leaves what it read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.peers import stores
from tests.bench.peers.environments import python_of
from tests.bench.peers.stores import Store

_SCRIPTS = Path(__file__).parent / "contestants"


@dataclass(frozen=True)
class Contestant:
    """One way to read the books. Without a store it keeps nothing that could be judged."""

    name: str
    title: str
    environment: str
    script: str
    arguments: tuple[str, ...] = ()
    store: Store | None = None
    packages: tuple[str, ...] = ()

    @property
    def short(self) -> str:
        """Its title as far as a chart has room for it."""
        return self.title.split(":")[0]

    @property
    def is_ours(self) -> bool:
        """Whether it is this project."""
        return self.environment == "ours"

    def command(self, target: Path) -> Sequence[str]:
        """What is run, without the token, which comes by the environment."""
        python = str(python_of(self.environment))
        if self.script == "prospend run":
            return [python, "-m", "pipeline", "run", "--quiet", "--config", str(target / "site.toml")]
        return [python, str(_SCRIPTS / self.script), *self.arguments]


FIELD = (
    Contestant("bare", "bare aiohttp, bytes discarded", "plain", "bare_aiohttp.py", packages=("aiohttp",)),
    Contestant("json", "`json.loads` of the same bytes", "plain", "parse_only.py", ("json",)),
    Contestant(
        "orjson", "`orjson.loads` of the same bytes", "plain", "parse_only.py", ("orjson",), packages=("orjson",)
    ),
    Contestant("ours-parquet", "prospend, to Parquet in place", "ours", "ours_to_parquet.py", store=stores.OUR_PARQUET),
    Contestant(
        "ours",
        "prospend run: child tables, history, checks, published",
        "ours",
        "prospend run",
        store=stores.OURS,
    ),
    Contestant(
        "script",
        "script by hand: requests in 8 threads, pandas, DuckDB",
        "plain",
        "script.py",
        store=stores.SCRIPT,
        packages=("requests", "pandas", "duckdb"),
    ),
    Contestant(
        "dlt-parquet",
        "dlt `rest_api`, parallel, to Parquet files",
        "dlt",
        "with_dlt.py",
        ("parquet",),
        stores.DLT_PARQUET,
    ),
    Contestant(
        "dlt",
        "dlt `rest_api`, parallel, Parquet loader, to DuckDB",
        "dlt",
        "with_dlt.py",
        ("duckdb",),
        stores.DLT_DUCKDB,
        ("dlt", "duckdb", "pyarrow"),
    ),
    Contestant(
        "singer",
        "Meltano Singer SDK tap, target-duckdb",
        "singer",
        "with_singer.py",
        store=stores.SINGER,
        packages=("singer-sdk", "target-duckdb", "duckdb"),
    ),
    Contestant(
        "airbyte",
        "Airbyte CDK, declarative, messages to a file only",
        "airbyte",
        "with_airbyte.py",
        store=stores.AIRBYTE,
        packages=("airbyte-cdk",),
    ),
)
BY_NAME = {one.name: one for one in FIELD}
