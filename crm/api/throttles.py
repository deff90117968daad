"""Rate limits of the REST API, in DRF's words."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from crm.api.rates import limit_api, limit_stranger
from crm.models import ApiKey


class CallerThrottle(BaseThrottle):
    """By key, by member of staff, else by address."""

    wait_s = 0

    def allow_request(self, request: Request, view: Any) -> bool:
        if isinstance(request.auth, ApiKey):
            overload = limit_api(f"key:{request.auth.pk}")
        elif request.user and request.user.is_authenticated:
            overload = limit_api(f"staff:{request.user.pk}")
        else:
            overload = limit_stranger(request.META.get("REMOTE_ADDR", ""))
        self.wait_s = overload.wait_s if overload else 0
        return overload is None

    def wait(self) -> float:
        return self.wait_s
