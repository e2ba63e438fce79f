"""By hand: requests in eight threads, pandas, DuckDB, as a careful analyst writes it.

Objects become prefixed columns, lists child tables with their parent's key, times become times. What is nowhere here:
completeness, checks, history, resuming, exact amounts (`json` makes floats, and so does pandas).
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import pandas as pd
import requests
from job import Job, Listed, the_job, the_token

Records = list[dict[str, Any]]
_local = threading.local()


def session() -> requests.Session:
    """One session a thread: connections are kept open, and a session is not safe to share."""
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
        _local.session.headers["Authorization"] = f"Bearer {the_token()}"
    return _local.session


def walk(job: Job, path: str, query: dict[str, str]) -> Records:
    """All records of one list."""
    records: Records = []
    params = {**query, "limit": str(job.page_limit)}
    while True:
        answer = session().get(f"{job.api_url}/{path}", params=params, timeout=60)
        answer.raise_for_status()
        page = answer.json()
        records += page["page"]
        if not page.get("nextCursor"):
            return records
        params["cursor"] = page["nextCursor"]


def with_times(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns named as times, as times."""
    for name in frame.columns:
        if name.endswith("Date"):
            frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
    return frame


def tables_of(one: Listed, records: Records) -> dict[str, pd.DataFrame]:
    """The table of a list, and one for each list inside its records."""
    nested = [name for name, schema in one.schema["properties"].items() if "array" in schema["type"]]
    tables = {}
    for name in nested:
        rows = [
            {"companyId": record["companyId"], f"{one.name}Id": record["id"], "_index": place}
            | (item if isinstance(item, dict) else {"value": item})
            for record in records
            for place, item in enumerate(record.pop(name, None) or ())
        ]
        tables[f"{one.name}_{name}"] = with_times(pd.DataFrame(rows))
    objects = any("object" in schema["type"] for schema in one.schema["properties"].values())
    flat = pd.json_normalize(records, sep="_") if objects else pd.DataFrame.from_records(records)
    return {one.name: with_times(flat), **tables}


def main() -> None:
    """Read, shape, store."""
    job = the_job()
    companies = walk(job, "company", {})
    with ThreadPoolExecutor(8) as threads:
        waiting = {
            (one.name, company["companyId"]): threads.submit(
                walk, job, one.path.replace("{companyId}", company["companyId"]), one.query
            )
            for one in job.lists
            for company in companies
        }
    with duckdb.connect(str(job.target / "script.duckdb")) as connection:
        store(connection, "company", pd.DataFrame(companies))
        for one in job.lists:
            records: Records = []
            for company in companies:
                found = waiting.pop((one.name, company["companyId"])).result()
                for record in found:
                    record["companyId"] = company["companyId"]
                records += found
            for name, frame in tables_of(one, records).items():
                store(connection, name, frame)


def store(connection: duckdb.DuckDBPyConnection, name: str, frame: pd.DataFrame) -> None:
    """A frame as a table; one without columns has nothing to store."""
    if len(frame.columns):
        connection.register("frame", frame)
        connection.execute(f'CREATE OR REPLACE TABLE "{name}" AS FROM frame')
        connection.unregister("frame")


main()
