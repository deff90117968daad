"""Keyset paging: stable under inserts, no count of a big table."""

from __future__ import annotations

from rest_framework.pagination import CursorPagination


class KeysetPagination(CursorPagination):
    ordering: str | tuple[str, ...] = "-pk"
    page_size = 50
    max_page_size = 500
    page_size_query_param = "page_size"


class EventPagination(KeysetPagination):
    """Newest first; equal times are told apart by the id."""

    ordering = ("-occurred_at", "-id")


class CodePagination(KeysetPagination):
    ordering = "code"
