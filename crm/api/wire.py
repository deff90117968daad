"""What every wire needs around its own words: bytes in, one shape of answer out.

Plain functions over bytes, without a serializer: this is the busy road. The answer is
always JSON, and errors have the one shape of `crm.api.errors`.
"""

from __future__ import annotations

from typing import Any, NoReturn

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from crm.api.errors import build_error
from crm.api.rates import limit_ingest, limit_stranger
from crm.events.limits import BodyRefused, Fault, Limits, unpack_body
from crm.events.pressure import Overload, read_pressure
from crm.models import ApiKey

UNKNOWN_KEY = Fault("authentication_failed", "Unknown or revoked API key.")
NO_LENGTH = Fault("length_required", "Send Content-Length, not chunks.")
ONLY_POST = Fault("method_not_allowed", "Only POST.")


def answer(status: int, content: Any) -> HttpResponse:
    return HttpResponse(
        msgspec.json.encode(content), status=status, content_type="application/json"
    )


def answer_fault(status: int, fault: Fault, *, wait_s: int = 0) -> HttpResponse:
    response = answer(status, build_error(fault.code, fault.message, path=fault.path))
    if wait_s:
        response["Retry-After"] = str(wait_s)
    if status == 401:
        response["WWW-Authenticate"] = 'Basic realm="apropos"'
    if status == 405:
        response["Allow"] = "POST"
    return response


def find_overload(key: ApiKey) -> Overload | None:
    """Why this key's ordinary events are turned away just now, if they are."""
    return limit_ingest(key) or read_pressure()


def refuse_stranger(request: HttpRequest) -> NoReturn:
    """Raises BodyRefused: 401, or 429 for an address that tries too many keys."""
    overload = limit_stranger(request.META.get("REMOTE_ADDR", ""))
    if overload is None:
        raise BodyRefused(401, UNKNOWN_KEY)
    raise refuse_overload(overload)


def refuse_overload(overload: Overload) -> BodyRefused:
    fault = Fault(overload.code, overload.message)
    return BodyRefused(429, fault, wait_s=overload.wait_s)


def read_body(request: HttpRequest) -> bytes:
    """The plain bytes; reads no more than the limit, whatever is sent.

    A chunked body is refused: it may never end, and WSGI could not tell.
    """
    if request.META.get("HTTP_TRANSFER_ENCODING"):
        raise BodyRefused(411, NO_LENGTH)
    limit = settings.INGEST_BATCH_MAX_BYTES
    return unpack_body(request.read(limit + 1), limit)


def read_limits() -> Limits:
    return Limits(
        event_bytes=settings.INGEST_EVENT_MAX_BYTES,
        batch_bytes=settings.INGEST_BATCH_MAX_BYTES,
        batch_events=settings.INGEST_BATCH_MAX_EVENTS,
    )
