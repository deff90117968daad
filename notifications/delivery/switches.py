"""Kill switches: stop all sending, a channel or a sender, within one batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from crm.clock import read_clock
from crm.models.audit import record_audit
from notifications.models import Delivery, Sender, Switch
from notifications.models.channel import Channel


@dataclass(frozen=True, slots=True)
class Resumed:
    """What stands behind a switch that was turned on again.

    `waiting` may still go out; `too_late` expired meanwhile and never will.
    """

    was_off: bool
    waiting: int
    too_late: int


def stop_sending(scope: str, *, by: Any, reason: str = "") -> Switch:
    """Turn the switch off; rows in hand stop at the gate. Off twice stays off once.

    Raises ValidationError for a scope that stops nothing.
    """
    check_scope(scope)
    with transaction.atomic():
        switch, created = Switch.objects.get_or_create(
            scope=scope,
            defaults={
                "reason": reason[:300],
                "stopped_at": read_clock(),
                "stopped_by": by if hasattr(by, "get_username") else None,
            },
        )
        if created:
            record_audit(actor=by, action="stopped", on=switch, reason=reason)
    return switch


def resume_sending(scope: str, *, by: Any, reason: str = "") -> Resumed:
    """Turn the switch on; what waits goes out unless it expired meanwhile."""
    check_scope(scope)
    waiting, too_late = count_behind(scope)
    with transaction.atomic():
        switch = Switch.objects.select_for_update().filter(scope=scope).first()
        if switch is not None:
            record_audit(
                actor=by,
                action="resumed",
                on=switch,
                reason=reason,
                changes={"waiting": waiting, "too_late": too_late},
            )
            switch.delete()
    return Resumed(switch is not None, waiting, too_late)


def count_behind(scope: str) -> tuple[int, int]:
    """Messages in this scope that wait still, and that expired since it was off."""
    at = read_clock()
    rows = Delivery.objects.all()
    kind, _, name = scope.partition(":")
    if kind == "channel":
        rows = rows.filter(channel=name)
    elif kind == "sender":
        rows = rows.filter(sender_id=name)
    late = rows.pending().filter(expires_at__lte=at).count()
    switch = Switch.objects.filter(scope=scope).first()
    if switch is not None:
        late += rows.expired(since=switch.stopped_at).count()
    return rows.pending().filter(expires_at__gt=at).count(), late


def check_scope(scope: str) -> None:
    kind, _, name = scope.partition(":")
    known = (
        scope == Switch.ALL
        or (kind == "channel" and name in Channel.values)
        or (
            kind == "sender"
            and name.isascii()
            and name.isdigit()
            and len(name) < 10
            and Sender.objects.filter(pk=name).exists()
        )
    )
    if not known:
        raise ValidationError(
            {"scope": "Use all, channel:<channel> or sender:<number of a sender>."}
        )
