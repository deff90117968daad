"""Segment's wire: `POST /v1/batch` and one address for each call.

Plain views over bytes, without a serializer: this is the busy road. The answer is
always JSON, and errors have the one shape of `crm.api.errors`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from crm.api.auth import find_api_key
from crm.api.errors import build_error
from crm.api.rates import limit_ingest, limit_stranger
from crm.bell import ring_bell
from crm.events.envelope import Rejection, reject_item
from crm.events.ingest import IngestResult, record_events
from crm.events.limits import BodyRefused, Fault, Limits, unpack_body
from crm.events.pressure import Overload, read_pressure, split_items, turn_away
from crm.events.schema import Item, parse_batch, parse_single
from crm.models import ApiKey
from crm.quality.rejections import note_rejections

SOURCE = "segment"
UNKNOWN_KEY = Fault("authentication_failed", "Unknown or revoked API key.")
NO_SCOPE = Fault("permission_denied", "This key may not send events.")
NO_LENGTH = Fault("length_required", "Send Content-Length, not chunks.")
ONLY_POST = Fault("method_not_allowed", "Only POST.")
Received = tuple[list[Item], list[Rejection], str]


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


def receive(
    view: Callable[[bytes], Received], *, source: str = SOURCE
) -> Callable[[HttpRequest], HttpResponse]:
    """POST only, limits, key, parse, record, ring, answer: in this order.

    The key in the header is asked before the body is parsed; a key in the body can
    only be known after it.
    """

    @csrf_exempt
    @functools.wraps(view)
    def wrapped(request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            return answer_fault(405, ONLY_POST)
        try:
            return answer_call(request, view, source)
        except BodyRefused as refused:
            return answer_fault(refused.status, refused.fault, wait_s=refused.wait_s)

    return wrapped


def answer_call(
    request: HttpRequest, view: Callable[[bytes], Received], source: str
) -> HttpResponse:
    header = request.META.get("HTTP_AUTHORIZATION", "")
    key = find_api_key(header)
    if header and key is None:
        refuse_stranger(request)
    body = read_body(request)
    at = timezone.now()
    items, rejected, body_key = parse_noting(view, body, key, source=source, at=at)
    key = key or find_api_key("", body_key)
    if key is None:
        refuse_stranger(request)
    if not key.allows(ApiKey.Scope.TRACK):
        return answer_fault(403, NO_SCOPE)
    overload = find_overload(key)
    held: list[Item] = []
    if overload is not None:
        items, held = split_items(items)
    result = record_events(items, received_at=timezone.now(), source=source)
    if result.accepted:
        ring_bell()
    lost = [*rejected, *result.rejected]
    note_rejections(lost, source=source, body=body, at=at)
    if overload is None or not held:
        return answer(200, describe_result(result, rejected))
    return answer_overload(overload, result, [*rejected, *turn_away(held, overload)])


def parse_noting(
    view: Callable[[bytes], Received],
    body: bytes,
    key: ApiKey | None,
    *,
    source: str,
    at: datetime,
) -> Received:
    """What the wire reads; a body that it refuses is noted for staff."""
    try:
        return view(body)
    except BodyRefused as refused:
        # Only of those who have a key: nobody else fills our tables.
        if key is not None:
            lost = [reject_item(0, refused.fault)]
            note_rejections(lost, source=source, body=body, at=at)
        raise


def find_overload(key: ApiKey) -> Overload | None:
    """Why this key's ordinary events are turned away just now, if they are."""
    return limit_ingest(key) or read_pressure()


def answer_overload(
    overload: Overload, result: IngestResult, rejected: list[Rejection]
) -> HttpResponse:
    """429: what was taken in all the same is counted, the rest is to come again."""
    said = describe_result(result, rejected)
    error = build_error(overload.code, overload.message)
    response = answer(429, {**said, "success": False, **error})
    response["Retry-After"] = str(overload.wait_s)
    return response


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


def describe_result(result: IngestResult, rejected: list[Rejection]) -> dict[str, Any]:
    return {
        "success": True,
        "accepted": result.accepted,
        "duplicates": result.duplicates,
        "rejected": [*rejected, *result.rejected],
    }


def read_limits() -> Limits:
    return Limits(
        event_bytes=settings.INGEST_EVENT_MAX_BYTES,
        batch_bytes=settings.INGEST_BATCH_MAX_BYTES,
        batch_events=settings.INGEST_BATCH_MAX_EVENTS,
    )


@receive
def receive_batch(body: bytes) -> Received:
    batch = parse_batch(body, received_at=timezone.now(), limits=read_limits())
    return list(batch.items), list(batch.rejected), batch.write_key


def receive_single(kind: str) -> Callable[[HttpRequest], HttpResponse]:
    """The view of `/v1/<kind>`; a bad item refuses the request."""

    @receive
    def view(body: bytes) -> Received:
        item, write_key = parse_single(
            body, kind, received_at=timezone.now(), limits=read_limits()
        )
        return [item], [], write_key

    return view
