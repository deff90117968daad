"""`/healthz`: whether this web process can serve; for load balancers, no login."""

from __future__ import annotations

from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@require_safe
@never_cache
def report_health(request: HttpRequest) -> JsonResponse:
    """200 when the database answers; `FaultMiddleware` makes the 503 otherwise."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})
