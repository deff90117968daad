"""Keyset paging: stable under inserts, no count of a big table."""

from __future__ import annotations

import base64
import binascii
import uuid
from datetime import datetime
from typing import Any

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import BasePagination, Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param


class KeysetPagination(CursorPagination):
    ordering: str | tuple[str, ...] = "-pk"
    page_size = 50
    max_page_size = 500
    page_size_query_param = "page_size"

    def decode_cursor(self, request: Request) -> Cursor | None:
        """A wrong one is a wrong value, not an address that leads nowhere."""
        try:
            return super().decode_cursor(request)
        except NotFound as error:
            raise refuse_cursor() from error

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }


class EventPagination(BasePagination):
    """Newest first, by the table's own key: time, then id.

    DRF's cursor knows one column alone, and counts on among equal ones: an import gives
    thousands of events the same time.
    """

    page_size = 50
    max_page_size = 500
    next_link: str | None = None

    def paginate_queryset(
        self, queryset: Any, request: Request, view: Any = None
    ) -> list[Any]:
        size = self.read_page_size(request)
        cursor = request.query_params.get("cursor")
        if cursor:
            queryset = queryset.before(*read_cursor(cursor))
        rows = list(queryset.order_by("-occurred_at", "-id")[: size + 1])
        self.next_link = None
        if len(rows) > size:
            rows.pop()
            address = request.build_absolute_uri()
            after = write_cursor(rows[-1].occurred_at, rows[-1].pk)
            self.next_link = replace_query_param(address, "cursor", after)
        return rows

    def read_page_size(self, request: Request) -> int:
        said = request.query_params.get("page_size", "")
        is_size = said.isascii() and said.isdigit() and len(said) < 10
        return min(int(said), self.max_page_size) or 1 if is_size else self.page_size

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self.next_link, "previous": None, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return KeysetPagination().get_paginated_response_schema(schema)


def write_cursor(at: datetime, pk: uuid.UUID) -> str:
    return base64.urlsafe_b64encode(f"{at.isoformat()} {pk}".encode()).decode()


def read_cursor(text: str) -> tuple[datetime, uuid.UUID]:
    try:
        at, _, pk = base64.urlsafe_b64decode(text).decode().partition(" ")
        moment, key = datetime.fromisoformat(at), uuid.UUID(pk)
    except (binascii.Error, ValueError) as error:
        raise refuse_cursor() from error
    if moment.tzinfo is None:
        raise refuse_cursor()
    return moment, key


def refuse_cursor() -> ValidationError:
    return ValidationError({"cursor": ["Not a cursor of ours."]})


class CodePagination(KeysetPagination):
    ordering = "code"
