"""Customer.io's App API: transactional sends; and reports on messages by a key."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from django.core.exceptions import ValidationError

from crm.api.foreign import Request, run_foreign_once
from crm.bell import ring_bell
from crm.events.limits import BodyRefused, Fault
from notifications.analytics.record import (
    ReportTooLateError,
    TooManyReportsError,
    record_engagement,
)
from notifications.api.metrics_wire import parse_metric
from notifications.api.push_events import TOO_LATE, TOO_MANY
from notifications.api.send_wire import TEXTS, parse_send
from notifications.campaigns.transactional import Order, send_transactional
from notifications.models import Delivery

SEND_TASK: Final = "notifications.tasks.send_deliveries"
# Channels of theirs that nothing here can send on yet.
WITHOUT_SENDER: Final = {
    "email": "e-mail",
    "sms": "SMS",
    "whatsapp": "WhatsApp",
    "in_app": "in-app messages",
    "inbox_message": "inbox messages",
}
OURS_TO_THEIRS: Final = {ours: theirs for theirs, ours in TEXTS.items()}


def send(request: Request, channel: str) -> dict[str, Any]:
    """POST /v1/send/{channel}"""
    if channel != "push" and channel not in WITHOUT_SENDER:
        raise BodyRefused(404, Fault("not_found", "There is nothing here."))
    if channel in WITHOUT_SENDER:
        # An e-mail may carry attachments; what is refused is the channel.
        request.read_object(max_bytes=request.limits.batch_bytes)
        name = WITHOUT_SENDER[channel]
        message = f"There is no sender for {name} here: nothing was sent. Use push."
        raise BodyRefused(400, Fault("no_sender", message))
    call = parse_send(request.read_object(), request.at)
    order = Order(**msgspec.structs.asdict(call))
    said = run_foreign_once(request, lambda: send_order(request, order))
    ring_bell(SEND_TASK)
    return said


def send_order(request: Request, order: Order) -> dict[str, Any]:
    try:
        delivery = send_transactional(order, by=request.actor)
    except ValidationError as error:
        raise BodyRefused(400, name_fault(error)) from error
    return {
        "delivery_id": str(delivery.pk),
        "queued_at": int(delivery.created_at.timestamp()),
    }


def report_push(request: Request) -> dict[str, Any]:
    """POST /api/v1/push/events: `{"delivery_id", "event", "device_id"}`"""
    return record_metric(request, kind_key="event", device_key="device_id")


def report_metric(request: Request) -> dict[str, Any]:
    """POST /api/v1/metrics: `{"delivery_id", "metric", "recipient"}`"""
    return record_metric(request, kind_key="metric", device_key="recipient")


def record_metric(request: Request, *, kind_key: str, device_key: str) -> Any:
    """The key vouches for the report, as the signed word does for a phone's own."""
    metric = parse_metric(
        request.read_object(), request.at, kind_key=kind_key, device_key=device_key
    )
    try:
        recorded = record_engagement(
            metric.delivery_id,
            kind=metric.kind,
            client_id=metric.client_id,
            at=metric.at,
            received_at=request.at,
        )
    except Delivery.DoesNotExist:
        fault = Fault("not_found", "No such message was sent.", "delivery_id")
        raise BodyRefused(404, fault) from None
    except ReportTooLateError:
        raise BodyRefused(410, TOO_LATE) from None
    except TooManyReportsError:
        raise BodyRefused(429, TOO_MANY) from None
    if recorded.new:
        ring_bell()
    return {"accepted": int(recorded.new), "duplicates": int(not recorded.new)}


def name_fault(error: ValidationError) -> Fault:
    """The first fault, its path in the words of the wire."""
    if not hasattr(error, "error_dict"):
        return Fault(error.code or "invalid", error.messages[0])
    path, faults = next(iter(error.error_dict.items()))
    head, dot, rest = path.partition(".")
    head = "custom_data" if head == "data" else OURS_TO_THEIRS.get(head, head)
    return Fault(
        faults[0].code or "invalid", faults[0].messages[0], f"{head}{dot}{rest}"
    )
