"""Meltano's Singer SDK: a small tap over the REST API, its messages piped into target-duckdb.

Without an argument the pair; with `tap` the tap alone. The schemas say what is known of each record.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import requests
from job import Listed, the_job, the_token
from singer_sdk import Tap
from singer_sdk.authenticators import BearerTokenAuthenticator
from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.pagination import JSONPathPaginator
from singer_sdk.streams import RESTStream

JOB = the_job()


class Books(RESTStream[str]):
    """What all lists have in common."""

    url_base = JOB.api_url
    records_jsonpath = "$.page[*]"

    @property
    def authenticator(self) -> BearerTokenAuthenticator:
        return BearerTokenAuthenticator(token=the_token())

    @property
    def requests_session(self) -> requests.Session:
        session = super().requests_session
        session.verify = os.environ[
            "REQUESTS_CA_BUNDLE"
        ]  # the SDK sends prepared requests, which look at no environment
        return session

    def get_new_paginator(self) -> JSONPathPaginator:
        return JSONPathPaginator("$.nextCursor")

    def get_url_params(self, context: Any, next_page_token: str | None) -> dict[str, Any]:
        del context
        cursor = {"cursor": next_page_token} if next_page_token else {}
        return {**self.query, "limit": JOB.page_limit, **cursor}

    def post_process(self, row: dict[str, Any], context: Any = None) -> dict[str, Any]:
        return {**row, **(context or {})}

    query: ClassVar[dict[str, str]] = {}


class Companies(Books):
    """The companies, whose keys the other lists need."""

    name = "company"
    path = "/company"
    primary_keys = ("companyId",)
    schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "properties": {
            **{name: {"type": ["string", "null"]} for name in ("companyId", "name", "code", "glCode")},
            "gstRate": {"type": ["number", "null"]},
        },
    }

    def get_child_context(self, record: dict[str, Any], context: Any) -> dict[str, Any]:
        del context
        return {"companyId": record["companyId"]}


def stream_of(one: Listed) -> type[Books]:
    """A list of each company."""
    facts = {
        "name": one.name,
        "path": f"/{one.path}",
        "primary_keys": ("companyId", "id"),
        "schema": one.schema,
        "query": one.query,
        "parent_stream_type": Companies,
        "state_partitioning_keys": [],
    }
    return type(one.name, (Books,), facts)


class BooksTap(Tap):
    """The tap."""

    name = "tap-books"
    message_writer_class = MsgSpecWriter
    config_jsonschema: ClassVar[dict[str, Any]] = {"type": "object", "properties": {}}

    def discover_streams(self) -> Iterable[RESTStream[str]]:
        return [Companies(tap=self), *(stream_of(one)(tap=self) for one in JOB.lists)]


def pair() -> int:
    """Tap and target, as a shell would pipe them."""
    settings = JOB.target / "target.json"
    settings.write_text(
        json.dumps(
            {
                "filepath": str(JOB.target / "singer.duckdb"),
                "default_target_schema": "books",
                "batch_size_rows": 100_000,
            }
        )
    )
    here = Path(sys.executable).parent
    tap = subprocess.Popen([sys.executable, __file__, "tap"], stdout=subprocess.PIPE)
    target = subprocess.Popen(
        [here / "target-duckdb", "--config", settings], stdin=tap.stdout, stdout=subprocess.DEVNULL
    )
    assert tap.stdout is not None
    tap.stdout.close()
    return target.wait() or tap.wait()


if __name__ == "__main__":
    if sys.argv[1:] == ["tap"]:
        BooksTap(config={}).sync_all()
    else:
        sys.exit(pair())
