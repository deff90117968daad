"""What the sandbox answers: Google's error bodies, and the errors told by a token.

A token (or fid) that ends in one of these words makes its fault happen, so that
every path can be walked through by hand: `my-phone-unregistered`.
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from typing import Any

from notifications.sandbox.schema import BAD_TOKEN, SchemaError

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


class Manner(enum.Enum):
    """How a message is taken: the wire behaves, or it does not."""

    ANSWER = enum.auto()
    # Accepted, answered late.
    SLOW = enum.auto()
    # Accepted, never answered.
    SILENT = enum.auto()
    # Accepted, connection reset.
    RESET = enum.auto()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A ready error answer."""

    status: int
    body: bytes
    headers: str = ""


def _refuse(
    status: int, code: str, message: str, *details: dict[str, Any], headers: str = ""
) -> Refusal:
    error: dict[str, Any] = {"code": status, "message": message, "status": code}
    if details:
        error["details"] = details
    return Refusal(status, json.dumps({"error": error}).encode(), headers)


def _fcm(code: str) -> dict[str, str]:
    return {"@type": FCM_ERROR, "errorCode": code}


UNAUTHENTICATED = _refuse(
    401,
    "UNAUTHENTICATED",
    "Request had invalid authentication credentials. Expected OAuth 2 access token.",
)
NOT_FOUND = Refusal(404, b"<!DOCTYPE html><title>Error 404 (Not Found)</title>")
TOO_LARGE = _refuse(413, "INVALID_ARGUMENT", "Request payload size exceeds the limit.")
LOG_FAILED = _refuse(500, "INTERNAL", "The sandbox cannot write its log.")

REFUSALS_BY_SUFFIX: dict[str, Refusal] = {
    "-unregistered": _refuse(
        404, "NOT_FOUND", "Requested entity was not found.", _fcm("UNREGISTERED")
    ),
    "-quota": _refuse(
        429, "RESOURCE_EXHAUSTED", "Quota exceeded.", _fcm("QUOTA_EXCEEDED"),
        headers="Retry-After: 5\r\n",
    ),
    "-unavailable": _refuse(
        503, "UNAVAILABLE", "The service is currently unavailable.",
        _fcm("UNAVAILABLE"),
    ),
    "-internal": _refuse(
        500, "INTERNAL", "Internal error encountered.", _fcm("INTERNAL")
    ),
    "-sender-mismatch": _refuse(
        403, "PERMISSION_DENIED", "SenderId mismatch", _fcm("SENDER_ID_MISMATCH")
    ),
    "-third-party": _refuse(
        401, "UNAUTHENTICATED", "Auth error from APNS or Web Push Service",
        _fcm("THIRD_PARTY_AUTH_ERROR"),
    ),
    "-invalid": _refuse(
        400, "INVALID_ARGUMENT", BAD_TOKEN, _fcm("INVALID_ARGUMENT")
    ),
}  # fmt: skip
MANNERS_BY_SUFFIX = {
    "-slow": Manner.SLOW,
    "-silent": Manner.SILENT,
    "-reset": Manner.RESET,
}
SUFFIXES = (*REFUSALS_BY_SUFFIX, *MANNERS_BY_SUFFIX)


def find_refusal(address: str) -> Refusal | None:
    for suffix, refusal in REFUSALS_BY_SUFFIX.items():
        if address.endswith(suffix):
            return refusal
    return None


def find_manner(address: str) -> Manner:
    for suffix, manner in MANNERS_BY_SUFFIX.items():
        if address.endswith(suffix):
            return manner
    return Manner.ANSWER


def refuse_schema(error: SchemaError) -> Refusal:
    """400 as Google words it: bad addresses by FcmError, the rest by field."""
    if error.address:
        return _refuse(
            400, "INVALID_ARGUMENT", error.description, _fcm("INVALID_ARGUMENT")
        )
    violation = {"field": error.field, "description": error.description}
    return _refuse(
        400,
        "INVALID_ARGUMENT",
        error.description,
        {"@type": BAD_REQUEST, "fieldViolations": [violation]},
    )
