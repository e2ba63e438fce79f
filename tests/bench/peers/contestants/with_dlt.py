"""dlt's own `rest_api` source: with_dlt duckdb, or with_dlt parquet.

Tuned as dlt's pages on performance advise: resources read in parallel, Parquet between the steps, files rotated so that
normalising spreads over processes, one worker a processor there, several for loading, no progress and no telemetry.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from job import Listed, the_job, the_token

MONEY = {"data_type": "decimal", "precision": 18, "scale": 4}
PROCESSORS = str(os.cpu_count() or 1)
os.environ.update(
    {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "EXTRACT__WORKERS": "16",
        "NORMALIZE__WORKERS": PROCESSORS,
        "NORMALIZE__START_METHOD": "fork",
        "SOURCES__DATA_WRITER__FILE_MAX_ITEMS": "20000",
        "LOAD__WORKERS": PROCESSORS,
        "LOAD__DELETE_COMPLETED_JOBS": "true",
    }
)

import dlt  # noqa: E402 - it reads its settings from the environment
from dlt.sources.rest_api import rest_api_source  # noqa: E402


def declared(one: Listed) -> dict[str, Any]:
    """The amounts in the lists of a record, by name; undeclared, whole ones and others land in two columns."""
    return {
        nested: {
            "columns": {
                name: {"name": name, **MONEY} for name, kind in items["properties"].items() if "number" in kind["type"]
            }
        }
        for nested, items in ((name, kind.get("items", {})) for name, kind in one.schema["properties"].items())
        if "properties" in items
    }


def main() -> None:
    """Read and load."""
    job = the_job()
    source = rest_api_source(
        {
            "client": {
                "base_url": job.api_url,
                "auth": {"type": "bearer", "token": the_token()},
                "paginator": {"type": "cursor", "cursor_path": "nextCursor", "cursor_param": "cursor"},
            },
            "resource_defaults": {
                "write_disposition": "append",
                "parallelized": True,
                "endpoint": {"data_selector": "page", "params": {"limit": job.page_limit}},
            },
            "resources": [
                {"name": "company", "endpoint": {"path": "company"}},
                *(
                    {
                        "name": one.name,
                        "endpoint": {
                            "path": one.path.replace("{companyId}", "{resources.company.companyId}"),
                            "params": one.query,
                        },
                    }
                    for one in job.lists
                ),
            ],
        },
        name="books",
    )
    destination = (
        dlt.destinations.duckdb(str(job.target / "peers.duckdb"))
        if sys.argv[1] == "duckdb"
        else dlt.destinations.filesystem((job.target / "files").as_uri())
    )
    pipeline = dlt.pipeline(
        "peers", destination=destination, dataset_name="books", pipelines_dir=str(job.target / "working")
    )
    for one in job.lists:
        source.resources[one.name].apply_hints(nested_hints=declared(one))
    pipeline.run(source, loader_file_format="parquet").raise_on_failed_jobs()


if __name__ == "__main__":
    main()
