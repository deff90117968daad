"""`POST /v1/push/{delivery_id}/events`: what a device tells about one message.

Authorised by the signed word that travelled in the message. A wrong word and an
unknown message get the same answer, so that nobody can ask which ids exist. Web
push workers call from the shop's own origin, so any origin may.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils import timezone
from django.utils.encoding import iri_to_uri
from django.views.decorators.csrf import csrf_exempt

from crm.api.errors import build_error
from crm.bell import ring_bell
from crm.events.limits import BodyRefused, Fault
from notifications.analytics.record import (
    REPORT_LIFE_DAYS,
    Report,
    ReportTooLateError,
    TooManyReportsError,
    record_engagements,
)
from notifications.api.push_wire import MAX_BODY_BYTES, ParsedReports, parse_reports
from notifications.delivery.report_token import verify_report
from notifications.models import Delivery

# A browser asks once a day whether it may.
PREFLIGHT_S = 86_400
METHODS = "POST, OPTIONS"
UNKNOWN = Fault("not_found", "There is nothing here.")
ONLY_POST = Fault("method_not_allowed", "Only POST.")
TOO_LATE = Fault("too_late", f"The message is older than {REPORT_LIFE_DAYS} days.")
TOO_MANY = Fault("too_many_reports", "This message was reported on too often.")


@csrf_exempt
def receive_report(request: HttpRequest, delivery_id: str) -> HttpResponseBase:
    """200 `{accepted, duplicates}`; 303 where a form names its `next` page."""
    if request.method == "OPTIONS":
        return _allow_any_origin(HttpResponse(status=204))
    if request.method != "POST":
        response = _answer_fault(405, ONLY_POST)
        response["Allow"] = METHODS
        return _allow_any_origin(response)
    try:
        response = _take_reports(request, delivery_id)
    except BodyRefused as refused:
        response = _answer_fault(refused.status, refused.fault)
    except Delivery.DoesNotExist:
        response = _answer_fault(404, UNKNOWN)
    except ReportTooLateError:
        response = _answer_fault(410, TOO_LATE)
    except TooManyReportsError:
        response = _answer_fault(429, TOO_MANY)
    return _allow_any_origin(response)


def _take_reports(request: HttpRequest, text: str) -> HttpResponse:
    received_at = timezone.now()
    parsed = parse_reports(request.read(MAX_BODY_BYTES + 1), received_at=received_at)
    recorded = record_engagements(
        _read_signed_id(text, parsed),
        [
            Report(item.kind, item.client_id, item.at, item.button)
            for item in parsed.reports
        ],
        received_at=received_at,
    )
    accepted = sum(row.new for row in recorded)
    if accepted:
        ring_bell()
    if parsed.next_path:
        return HttpResponse(status=303, headers={"Location": _quote(parsed.next_path)})
    return JsonResponse({"accepted": accepted, "duplicates": len(recorded) - accepted})


def _read_signed_id(text: str, parsed: ParsedReports) -> uuid.UUID:
    """The id in the path, where every token shown is its own."""
    try:
        delivery_id = uuid.UUID(text)
    except ValueError:
        raise Delivery.DoesNotExist from None
    if not all(verify_report(delivery_id, token) for token in parsed.tokens):
        raise Delivery.DoesNotExist
    return delivery_id


def _quote(path: str) -> str:
    return str(iri_to_uri(path))


def _answer_fault(status: int, fault: Fault) -> HttpResponse:
    content: dict[str, Any] = build_error(fault.code, fault.message, path=fault.path)
    return JsonResponse(content, status=status)


def _allow_any_origin(response: HttpResponse) -> HttpResponse:
    response["Access-Control-Allow-Origin"] = "*"
    response["Access-Control-Allow-Methods"] = METHODS
    response["Access-Control-Allow-Headers"] = "Content-Type"
    response["Access-Control-Max-Age"] = str(PREFLIGHT_S)
    return response
