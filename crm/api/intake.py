"""Events by POST, whatever their wire: key, parse, record, ring, answer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from crm.api.auth import find_api_key
from crm.api.errors import build_error
from crm.api.wire import (
    ONLY_POST,
    answer,
    answer_fault,
    find_overload,
    read_body,
    refuse_stranger,
)
from crm.bell import ring_bell
from crm.events.envelope import Rejection, reject_item
from crm.events.ingest import IngestResult, record_events
from crm.events.limits import BodyRefused, Fault
from crm.events.pressure import Overload, split_items, turn_away
from crm.events.schema import Item
from crm.models import ApiKey
from crm.quality.rejections import note_rejections, note_suppressed

NO_SCOPE = Fault("permission_denied", "This key may not send events.")
# Items, rejections, and the write key where the body carries one.
Received = tuple[list[Item], list[Rejection], str]


def receive(
    view: Callable[[bytes], Received], *, source: str
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
    note_suppressed(len(result.suppressed), source=source, at=at)
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


def answer_overload(
    overload: Overload, result: IngestResult, rejected: list[Rejection]
) -> HttpResponse:
    """429: what was taken in all the same is counted, the rest is to come again."""
    said = describe_result(result, rejected)
    error = build_error(overload.code, overload.message)
    response = answer(429, {**said, "success": False, **error})
    response["Retry-After"] = str(overload.wait_s)
    return response


def describe_result(result: IngestResult, rejected: list[Rejection]) -> dict[str, Any]:
    return {
        "success": True,
        "accepted": result.accepted,
        "duplicates": result.duplicates,
        "suppressed": len(result.suppressed),
        "rejected": [*rejected, *result.rejected],
    }
