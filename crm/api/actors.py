"""Who did it, in the words of the audit trail."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from crm.models import ApiKey


def name_actor(request: Request) -> Any:
    """The signed-in member of staff, or `api:<first letters of the key>`."""
    if isinstance(request.auth, ApiKey):
        return f"api:{request.auth.prefix}"
    return request.user
