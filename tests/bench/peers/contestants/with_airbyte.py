"""Airbyte's CDK: a declarative source, its streams read concurrently, its messages written to a file as they come.

Reading alone: what Airbyte's platform or a destination would do with the messages is not in it.
"""

from __future__ import annotations

import logging
from typing import Any

from airbyte_cdk.models import (
    AirbyteMessageSerializer,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    DestinationSyncMode,
    SyncMode,
)
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource
from job import the_job, the_token
from orjson import dumps

JOB = the_job()
CONCURRENCY = 16
_ANY = {"type": "object", "additionalProperties": True, "properties": {"companyId": {"type": ["string", "null"]}}}


def stream(name: str, path: str, query: dict[str, str], schema: dict[str, Any], *, of_company: bool) -> dict[str, Any]:
    """A stream as the manifest says it."""
    retriever: dict[str, Any] = {
        "type": "SimpleRetriever",
        "requester": {
            "type": "HttpRequester",
            "url_base": JOB.api_url,
            "path": path,
            "http_method": "GET",
            "request_parameters": query,
            "authenticator": {"type": "BearerAuthenticator", "api_token": "{{ config['api_token'] }}"},
        },
        "record_selector": {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": ["page"]}},
        "paginator": {
            "type": "DefaultPaginator",
            "page_token_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "cursor"},
            "page_size_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "limit"},
            "pagination_strategy": {
                "type": "CursorPagination",
                "page_size": JOB.page_limit,
                "cursor_value": "{{ response.get('nextCursor') }}",
                "stop_condition": "{{ not response.get('nextCursor') }}",
            },
        },
    }
    if of_company:
        parent = {"type": "ParentStreamConfig", "stream": "#/definitions/company", "parent_key": "companyId"}
        retriever["partition_router"] = {
            "type": "SubstreamPartitionRouter",
            "parent_stream_configs": [{**parent, "partition_field": "companyId"}],
        }
    return {
        "type": "DeclarativeStream",
        "name": name,
        "retriever": retriever,
        "schema_loader": {"type": "InlineSchemaLoader", "schema": schema},
    }


def manifest() -> dict[str, Any]:
    """The whole source."""
    streams = [
        stream(
            one.name,
            one.path.replace("{companyId}", "{{ stream_partition.companyId }}"),
            one.query,
            one.schema,
            of_company=True,
        )
        for one in JOB.lists
    ]
    return {
        "version": "7.0.0",
        "type": "DeclarativeSource",
        "definitions": {"company": stream("company", "company", {}, _ANY, of_company=False)},
        "streams": ["#/definitions/company", *streams],
        "check": {"type": "CheckStream", "stream_names": ["company"]},
        "concurrency_level": {"type": "ConcurrencyLevel", "default_concurrency": CONCURRENCY},
        "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
    }


def main() -> None:
    """Read all streams, one JSON message a line."""
    config = {"api_token": the_token()}
    source = ConcurrentDeclarativeSource(config=config, source_config=manifest())
    logger = logging.getLogger("airbyte")
    found = source.discover(logger, config)
    catalog = ConfiguredAirbyteCatalog(
        streams=[
            ConfiguredAirbyteStream(
                stream=one, sync_mode=SyncMode.full_refresh, destination_sync_mode=DestinationSyncMode.overwrite
            )
            for one in found.streams
        ]
    )
    with (JOB.target / "messages.jsonl").open("wb") as file:
        for message in source.read(logger, config, catalog, []):
            file.write(dumps(AirbyteMessageSerializer.dump(message)) + b"\n")


main()
