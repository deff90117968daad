"""OpenAPI of what an operation of the REST API may answer besides what was asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from crm.api.schema import Schema, describe_fault

ALWAYS: Final = {
    "400": "Malformed, or out of range: `path` says where",
    "401": "No key that is known",
    "403": "The key may not do this",
    "429": "Too much at once: come again after Retry-After",
}
OF_ROWS: Final = {"404": "There is none of that name or number"}
OF_BODIES: Final = {"413": "Too large", "415": "Not labelled as JSON"}
# The state of the rows forbids it, or somebody else is changing them.
OF_CHANGES: Final = {"409": "Not while things stand as they do"}


def describe_refusals(
    result: Schema, generator: Any, request: Any, public: bool
) -> Schema:
    """Hook of drf-spectacular, after those that add paths: errors have one shape."""
    for path, methods in result["paths"].items():
        if not path.startswith("/api/"):
            continue
        for method, operation in methods.items():
            for status, text in list_refusals(path, method, operation):
                operation["responses"].setdefault(status, describe_fault(text))
    return result


def list_refusals(
    path: str, method: str, operation: Schema
) -> Iterator[tuple[str, str]]:
    yield from ALWAYS.items()
    if "{" in path:
        yield from OF_ROWS.items()
    if method != "get":
        yield from OF_CHANGES.items()
    if "requestBody" in operation:
        yield from OF_BODIES.items()
