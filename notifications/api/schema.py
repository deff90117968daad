"""OpenAPI of the plain views that devices and Customer.io's clients call."""

from __future__ import annotations

from typing import Any, Final

from crm.api.schema import Schema, describe_fault, describe_post

TEXT: Final[Schema] = {"type": "string"}
REPORT: Final[Schema] = {
    "type": "object",
    "properties": {
        "event": {
            "type": "string",
            "enum": ["delivered", "opened", "clicked", "dismissed"],
        },
        "client_id": {**TEXT, "description": "yours; a repeat has no effect"},
        "token": {**TEXT, "description": "the signed word that came with the message"},
        "at": {"type": "string", "format": "date-time"},
        "button": TEXT,
    },
    "required": ["event", "client_id", "token"],
}
REPORTED: Final[Schema] = {
    "type": "object",
    "properties": {
        "accepted": {"type": "integer"},
        "duplicates": {"type": "integer"},
    },
    "required": ["accepted", "duplicates"],
}
SEND: Final[Schema] = {
    "type": "object",
    "properties": {
        "identifiers": {"type": "object", "additionalProperties": TEXT},
        "transactional_message_id": {"type": ["string", "integer"]},
        "title": TEXT,
        "message": TEXT,
        "message_data": {"type": "object"},
    },
    "required": ["identifiers"],
}
QUEUED: Final[Schema] = {
    "type": "object",
    "properties": {"delivery_id": TEXT, "queued_at": {"type": "integer"}},
    "required": ["delivery_id", "queued_at"],
}
A_DELIVERY: Final = "019a6f0e-2b7c-7000-8000-000000000000"


def describe_messages(
    result: Schema, generator: Any, request: Any, public: bool
) -> Schema:
    """Hook of drf-spectacular: reports of devices, and transactional sends."""
    result["paths"]["/v1/push/{delivery_id}/events"] = {"post": describe_report()}
    result["paths"]["/v1/send/push"] = {"post": describe_send()}
    return result


def describe_report() -> Schema:
    example = {"event": "opened", "client_id": "tap-1", "token": "…"}
    operation = describe_post(
        "push_report",
        "Tell what a device did with one message",
        REPORT,
        example,
        answer=(REPORTED, {"accepted": 1, "duplicates": 0}),
    )
    delivery = {
        "name": "delivery_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "format": "uuid"},
    }
    operation["responses"]["404"] = describe_fault("The address is no message's")
    # The signed word is the key.
    return {**operation, "tags": ["push"], "parameters": [delivery], "security": []}


def describe_send() -> Schema:
    example = {
        "identifiers": {"id": "ada"},
        "transactional_message_id": "order-shipped",
        "message_data": {"order": "A-17"},
    }
    operation = describe_post(
        "send_push",
        "Send one transactional push",
        SEND,
        example,
        answer=(QUEUED, {"delivery_id": A_DELIVERY, "queued_at": 1_790_000_000}),
    )
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "schema": {"type": "string", "maxLength": 255},
    }
    operation["responses"]["409"] = describe_fault("The key stands for another send")
    return {**operation, "tags": ["send"], "parameters": [key]}
