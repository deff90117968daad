"""OpenAPI of the plain views of ingest, which have no serializers to read it from."""

from __future__ import annotations

from typing import Any, Final

from crm.events.schema import KINDS

Schema = dict[str, Any]
IDS: Final[Schema] = {
    "userId": {"type": "string", "maxLength": 255, "description": "your id"},
    "anonymousId": {"type": "string", "maxLength": 255},
    "messageId": {
        "type": "string",
        "maxLength": 100,
        "description": "yours; a repeat within 7 days has no effect",
    },
    "timestamp": {"type": "string", "format": "date-time"},
    "context": {"type": "object"},
}
# What each kind of call says besides, with one that is right.
CALLS: Final[dict[str, tuple[tuple[str, ...], Schema]]] = {
    "track": (
        ("event", "properties"),
        {"event": "Order Completed", "properties": {"revenue": 25, "currency": "GBP"}},
    ),
    "identify": (("traits",), {"traits": {"email": "ada@example.com"}}),
    "page": (("name", "properties"), {"name": "Home"}),
    "screen": (("name", "properties"), {"name": "Basket"}),
    "group": (("groupId", "traits"), {"groupId": "acme"}),
    "alias": (("previousId",), {"previousId": "visitor-1"}),
}
REJECTION: Final[Schema] = {
    "type": "object",
    "properties": {
        "index": {"type": "integer"},
        "path": {"type": "string"},
        "code": {"type": "string"},
        "message": {"type": "string"},
    },
    "required": ["index", "path", "code", "message"],
}
RESULT: Final[Schema] = {
    "type": "object",
    "properties": {
        "success": {"type": "boolean"},
        "accepted": {"type": "integer"},
        "duplicates": {"type": "integer"},
        "suppressed": {
            "type": "integer",
            "description": "calls of people who were erased; not to be sent again",
        },
        "rejected": {"type": "array", "items": REJECTION},
    },
    "required": ["success", "accepted", "duplicates", "suppressed", "rejected"],
}
ERROR: Final[Schema] = {
    "type": "object",
    "properties": {
        "code": {"type": "string"},
        "path": {"type": "string"},
        "message": {"type": "string"},
        "detail": {},
    },
    "required": ["code", "path", "message", "detail"],
}
FAULTS: Final = {
    "400": "Malformed; nothing is kept",
    "401": "No key that is known",
    "403": "The key may not do this",
    "413": "Too large",
    "429": "Too much at once: come again after Retry-After; a batch whole",
}


def describe_ingest(
    result: Schema, generator: Any, request: Any, public: bool
) -> Schema:
    """Hook of drf-spectacular: adds `/v1/batch` and one address for each kind."""
    schemas = result["components"].setdefault("schemas", {})
    schemas |= {"IngestResult": RESULT, "Error": ERROR}
    for kind in sorted(KINDS):
        schemas[name_call(kind)] = describe_call(kind)
        example = {"userId": "ada", **CALLS[kind][1]}
        schema = {"$ref": f"#/components/schemas/{name_call(kind)}"}
        summary = f"Send one {kind} call"
        result["paths"][f"/v1/{kind}"] = {
            "post": describe_post(f"ingest_{kind}", summary, schema, example)
        }
    calls = [{"$ref": f"#/components/schemas/{name_call(k)}"} for k in sorted(KINDS)]
    batch = {
        "type": "object",
        "properties": {
            "batch": {"type": "array", "items": {"anyOf": calls}},
            "context": {"type": "object", "description": "shared by all"},
        },
        "required": ["batch"],
    }
    example = {"batch": [{"type": "track", "userId": "ada", **CALLS["track"][1]}]}
    summary = "Send up to 2,500 calls; each rejected one is listed"
    post = describe_post("ingest_batch", summary, batch, example)
    result["paths"]["/v1/batch"] = {"post": post}
    return result


def name_call(kind: str) -> str:
    return f"{kind.title()}Call"


def describe_call(kind: str) -> Schema:
    said, example = CALLS[kind]
    own = {
        name: {"type": "object" if name in ("properties", "traits") else "string"}
        for name in said
    }
    return {
        "type": "object",
        "properties": {"type": {"type": "string", "const": kind}, **IDS, **own},
        "required": [name for name in ("event", "previousId") if name in example],
    }


TAKEN_IN: Final = (
    {"$ref": "#/components/schemas/IngestResult"},
    {"success": True, "accepted": 1, "duplicates": 0, "suppressed": 0, "rejected": []},
)


def describe_post(
    operation: str,
    summary: str,
    schema: Schema,
    example: Schema,
    *,
    answer: tuple[Schema, Schema] = TAKEN_IN,
) -> Schema:
    """An operation that takes such a body; `answer`: the shape of a 200, and one."""
    body = {"application/json": {"schema": schema, "example": example}}
    shape, shown = answer
    told = {"application/json": {"schema": shape, "example": shown}}
    return {
        "operationId": operation,
        "summary": summary,
        "tags": ["ingest"],
        "security": [{"basicKey": []}, {"bearerKey": []}],
        "requestBody": {"required": True, "content": body},
        "responses": {
            "200": {"description": "Taken in", "content": told},
            **{status: describe_fault(text) for status, text in FAULTS.items()},
        },
    }


def describe_fault(text: str) -> Schema:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": text, "content": {"application/json": {"schema": schema}}}
