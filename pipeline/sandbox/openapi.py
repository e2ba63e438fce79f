"""The description of what a sandbox serves, as an OpenAPI document made from the catalogue and the settings.

Pure. What is said of a parameter or a field comes from the catalogue; what is particular to the sandbox, such as the
greatest page or a switched variant, from its settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipeline.resources import Catalogue, Column, Kind, Resource, snake_case
from pipeline.sandbox.answer import ERRORS
from pipeline.sandbox.model import SandboxSettings
from pipeline.sandbox.record_text import is_id_name, old_name, sent_columns
from pipeline.sandbox.routes import DEFAULT_LIMIT, FLAGS, INSTANTS, LIMIT_MAX, VERSION
from pipeline.sandbox.variants import Variants, switches
from pipeline.sandbox.yaml_text import yaml_text

Node = dict[str, Any]  # a piece of the document
DOCUMENT_PATH: Final = "/openapi.yaml"
_ABOUT_FILTERS: Final[Mapping[str, str]] = {
    "includeinactive": "whether disabled records are listed too",
    "active": "lists the active records, or with false the others alone",
    "includepersonal": "whether personal lines are listed too",
    "includeomitted": "whether lines that the payer left out are listed too",
    "entityid": "lists what belongs to this entity",
    "category": "lists tax codes of this tax category",
    "portfoliocode": "lists what belongs to the portfolio with this code",
    "costcode": "lists projects with this cost code",
    "supplierid": "lists invoices of the supplier with this id",
    "status": "lists documents with this status; without it, all",
    "finaliseddate": "lists documents finalised on or after this date or instant; a date begins at midnight UTC",
    "minupdateddate": "lists records updated at or after this date or instant; a date begins at midnight UTC",
}
# Of the keys above a record only the company's is ever in it, and by the reference only in these.
_WITH_COMPANY: Final = frozenset({"division", "tax_code", "portfolio", "claim", "invoice"})
_COMPANY: Final = "companyId"
_TYPES: Final[Mapping[Kind, Node]] = {
    Kind.TEXT: {"type": "string"},
    Kind.DECIMAL: {"type": "number"},
    Kind.INTEGER: {"type": "integer"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.TIMESTAMP: {"type": "string", "format": "date-time"},
    Kind.DATE: {"type": "string", "format": "date"},
}


def openapi_yaml(catalogue: Catalogue, settings: SandboxSettings) -> str:
    """The document as YAML text."""
    return yaml_text(openapi_document(catalogue, settings))


def openapi_document(catalogue: Catalogue, settings: SandboxSettings) -> Node:
    """The document: every path, parameter, field, error and the security scheme of a sandbox with these settings."""
    variants = settings.variants
    paths: Node = {}
    schemas: Node = {"Error": _error_schema(variants)}
    for resource in catalogue:
        path = resource.path.replace("{version}", VERSION)
        schemas[_title(resource.name)] = _record_schema(resource, variants)
        paths[path] = _list_operation(resource, settings)
        if resource.has_single:
            paths[f"{path}/{{{own_key(resource)}}}"] = _single_operation(resource, settings)
    return {
        "openapi": "3.1.0",
        "info": {"title": "ProSpend-compatible sandbox", "version": VERSION, "description": _about(settings)},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": {"limit": _limit(settings), "cursor": _cursor(settings)},
            "responses": {str(status): _error_response(status, variants) for status in ERRORS},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "an HS256 token of the site, valid for two years, without scopes",
                }
            },
        },
    }


def own_key(resource: Resource) -> str:
    """The name of a record's key in its path: companyId, claimId, taxCodeId."""
    first, *others = resource.name.split("_")
    return resource.key if resource.key != "id" else f"{first}{''.join(map(str.title, others))}Id"


def _about(settings: SandboxSettings) -> str:
    chosen = [f"{one.name}={getattr(settings.variants, one.name)}" for one in switches()]
    return (
        "What this sandbox serves, and nothing else. Sample books, not real data. Names of query parameters are read "
        "without regard to case. Lists ascend by last update, ties by id. Undocumented matters are switches, here: "
        f"{', '.join(chosen)}."
    )


def _title(name: str) -> str:
    return "".join(map(str.title, name.split("_")))


def _list_operation(resource: Resource, settings: SandboxSettings) -> Node:
    shared = ["limit"] if _is_whole(resource, settings.variants) else ["limit", "cursor"]
    return {
        "get": {
            "operationId": f"list_{resource.name}",
            "summary": f"List: {resource.about}",
            "parameters": [
                *_keys(resource.context_names),
                *(_filter(name, resource) for name in resource.filters),
                *({"$ref": f"#/components/parameters/{name}"} for name in shared),
            ],
            "responses": _responses(_list_schema(resource, settings.variants), settings),
        }
    }


def _single_operation(resource: Resource, settings: SandboxSettings) -> Node:
    return {
        "get": {
            "operationId": f"get_{resource.name}",
            "summary": f"One: {resource.about}",
            "parameters": _keys((*resource.context_names, own_key(resource))),
            "responses": _responses(_ref(resource), settings),
        }
    }


def _keys(names: tuple[str, ...]) -> list[Node]:
    schema = {"type": "string", "minLength": 1}
    return [
        {"name": name, "in": "path", "required": True, "description": f"key of the {_thing(name)}", "schema": schema}
        for name in names
    ]


def _thing(name: str) -> str:
    """What a key names, in words: taxCodeId, tax code."""
    return snake_case(name).removesuffix("_id").replace("_", " ")


def _filter(name: str, resource: Resource) -> Node:
    folded = name.lower()
    schema: Node = {"type": "string"}
    if folded in FLAGS:
        schema = {"type": "boolean", "default": FLAGS[folded]}
    elif folded in INSTANTS:
        schema = {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}
    elif folded == "status":
        schema = {"type": "string", "enum": list(resource.column("status").values)}
    return {"name": name, "in": "query", "description": _ABOUT_FILTERS[folded], "schema": schema}


def _limit(settings: SandboxSettings) -> Node:
    refuses = settings.variants.over_cap == "refuse"
    above = "more is refused" if refuses else f"more than {settings.page_cap} gives {settings.page_cap}"
    return {
        "name": "limit",
        "in": "query",
        "description": f"records in a page; {above}",
        "schema": {
            "type": "integer",
            "minimum": 1,
            "maximum": settings.page_cap if refuses else LIMIT_MAX,
            "default": min(DEFAULT_LIMIT, settings.page_cap),
        },
    }


def _cursor(settings: SandboxSettings) -> Node:
    about = "nextCursor of the page before, with the same filters; without it, the first page"
    if settings.cursor_lifetime_s is not None:
        about += f"; expires after {settings.cursor_lifetime_s} seconds"
    if settings.cursor_lifetime_pages is not None:
        about += f"; expires after {settings.cursor_lifetime_pages} pages of a walk"
    return {"name": "cursor", "in": "query", "description": about, "schema": {"type": "string"}}


def _responses(schema: Node, settings: SandboxSettings) -> Node:
    has_limits = settings.hourly_limit is not None or settings.monthly_limit is not None
    statuses = [status for status in ERRORS if status != 429 or has_limits]
    return {
        "200": {"description": "as asked", "content": {"application/json": {"schema": schema}}},
        **{str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses},
    }


def _is_whole(resource: Resource, variants: Variants) -> bool:
    return resource.accepts_any_envelope and variants.company != "page"


def _ref(resource: Resource) -> Node:
    return {"$ref": f"#/components/schemas/{_title(resource.name)}"}


def _list_schema(resource: Resource, variants: Variants) -> Node:
    records = {"type": "array", "items": _ref(resource)}
    if _is_whole(resource, variants):
        return records if variants.company == "array" else _ref(resource)
    marks = {"null": ["string", "null"], "missing": "string", "empty": "string"}
    about = {"null": "null", "missing": "missing", "empty": "an empty text"}[variants.end_marker]
    cursor = {"type": marks[variants.end_marker], "description": f"cursor of the next page; {about} on the last one"}
    required = ["page"] if variants.end_marker == "missing" else ["page", "nextCursor"]
    return _object({"page": records, "nextCursor": cursor}, required)


def _object(properties: Node, required: list[str]) -> Node:
    found: Node = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": required} if required else found


def _record_schema(resource: Resource, variants: Variants) -> Node:
    key = resource.column(resource.key)
    fields = _fields(sent_columns(resource, variants), variants)
    fields[key.name] = {"type": _id_types(variants), "description": key.about}
    if resource.name in _WITH_COMPANY:
        fields[_COMPANY] = {"type": _id_types(variants), "description": f"key of the {_thing(_COMPANY)}"}
    return {**_object(fields, [key.name]), "description": resource.about}


def _id_types(variants: Variants) -> str | list[str]:
    return "string" if variants.number_ids == "off" else ["string", "integer"]


def _fields(columns: tuple[Column, ...], variants: Variants) -> Node:
    return {(old_name(c) if variants.names == "old" else c.name): _field(c, variants) for c in columns}


def _field(column: Column, variants: Variants) -> Node:
    about = column.about + ("" if column.evidence == "documented" else " (inferred)")
    if column.kind is Kind.LIST:
        inner = _object(_fields(column.columns, variants), [])
        items = inner if column.item is None else _field(column.item, variants)
        return {"type": ["array", "null"], "items": items, "description": about}
    if column.kind is Kind.OBJECT:
        found = _object(_fields(column.columns, variants), [])
        return {**found, "type": ["object", "null"], "description": about}
    found = {**_TYPES[column.kind], "description": about}
    types = [found["type"]]
    if column.kind is Kind.TEXT and variants.number_ids == "on" and is_id_name(column.name):
        types.append("integer")
    if column.kind is not Kind.TIMESTAMP or variants.not_yet == "null":
        types.append("null")
    found["type"] = types if len(types) > 1 else types[0]
    return {**found, "enum": [*column.values, None]} if column.values else found


def _error_schema(variants: Variants) -> Node:
    text = {"type": "string"}
    one = _object({"code": text, "message": text}, ["code", "message"])
    match variants.error_body:
        case "object":
            return one
        case "array":
            return _object({"errors": {"type": "array", "minItems": 1, "items": one}}, ["errors"])
        case "problem":
            names = ["title", "status", "detail"]
            return _object({"title": text, "status": {"type": "integer"}, "detail": text}, names)
        case "text":
            return {"type": "string", "minLength": 1}


def _error_response(status: int, variants: Variants) -> Node:
    name, text = ERRORS[status]
    kind = {"problem": "application/problem+json", "text": "text/plain"}.get(variants.error_body, "application/json")
    found: Node = {
        "description": f"{name}: {text}",
        "content": {kind: {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    headers = {
        401: ("WWW-Authenticate", {"type": "string", "const": "Bearer"}),
        405: ("Allow", {"type": "string", "const": "GET"}),
        429: ("Retry-After", {"type": "integer", "minimum": 1}),
    }
    if status in headers:
        header, schema = headers[status]
        found["headers"] = {header: {"required": True, "schema": schema}}
    return found
