"""Keyset paging: stable under inserts, no count of a big table."""

from __future__ import annotations

from rest_framework.pagination import CursorPagination


class KeysetPagination(CursorPagination):
    ordering = "-pk"
    page_size = 50
    max_page_size = 500
    page_size_query_param = "page_size"
