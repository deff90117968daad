"""Port `timeline`: messages on the contact page, each with its reason and its end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Count, Max, Q
from django.db.models.functions import Coalesce
from django.urls import NoReverseMatch, reverse
from django.utils.timesince import timesince

from crm.ports.timeline import Entry, Panel
from notifications.models import Delivery, RenderedMessage
from notifications.reasons import SENTENCES

TONES = {"sent": "good", "failed": "bad", "quarantined": "bad"}
# What a person did with a message, in the order it is told.
DEEDS = ("opened", "clicked", "dismissed", "converted")


class MessageTimeline:
    """One entry per message, at the time it was sent or ended."""

    def entries(
        self, contact_id: int, *, before: datetime, limit: int
    ) -> Sequence[Entry]:
        rows = list(
            Delivery.objects.for_contact(contact_id)
            .annotate(at=Coalesce("sent_at", "finished_at", "created_at"))
            .filter(at__lt=before)
            .order_by("-at")[:limit]
        )
        titles = _read_titles(rows)
        return [_describe_message(row, titles.get(row.pk, "")) for row in rows]

    def panels(self, contact_id: int) -> Sequence[Panel]:
        counts = Delivery.objects.filter(contact_id=contact_id).aggregate(
            last=Max("sent_at"),
            sent=Count("pk", filter=Q(state=Delivery.State.SENT)),
            opened=Count("opened_at"),
            clicked=Count("clicked_at"),
            converted=Count("converted_at"),
            waiting=Count("pk", filter=~Q(state__in=Delivery.FINAL)),
            skipped=Count("pk", filter=Q(state=Delivery.State.SKIPPED)),
        )
        last = counts.pop("last")
        rows = [(name.title(), str(n), "") for name, n in counts.items() if n]
        if last:
            rows.append(("Last sent", f"{last:%d %b %Y %H:%M} UTC", ""))
        return [Panel("Messages", tuple(rows), "No message was planned yet.")]


def _read_titles(rows: Sequence[Delivery]) -> dict[object, str]:
    """What each was called on the lock screen; one query, the newest text wins."""
    if not rows:
        return {}
    shown = RenderedMessage.objects.filter(
        delivery_id__in=[row.pk for row in rows],
        created_at__gte=min(row.created_at for row in rows),
    ).order_by("created_at")
    return {text.delivery_id: str(text.fields.get("title", "")) for text in shown}


def _describe_message(row: Delivery, title: str) -> Entry:
    name = row.campaign.name if row.campaign else row.get_source_kind_display()
    state = row.get_state_display().lower()
    return Entry(
        at=row.sent_at or row.finished_at or row.created_at,
        kind="message",
        title=f"{row.get_channel_display()} “{name}”: {state}",
        detail=" · ".join(filter(None, [title, *_list_deeds(row), _explain(row)])),
        url=_find_page(row),
        tone=TONES.get(row.state, "neutral"),
    )


def _find_page(row: Delivery) -> str:
    """The message's page in the admin; '' where the admin does not show messages."""
    try:
        return reverse("admin:notifications_delivery_change", args=[row.pk])
    except NoReverseMatch:
        return ""


def _list_deeds(row: Delivery) -> list[str]:
    return [
        f"{deed} after {timesince(row.sent_at, at, depth=1)}" if row.sent_at else deed
        for deed in DEEDS
        if (at := getattr(row, f"{deed}_at"))
    ]


def _explain(row: Delivery) -> str:
    """Why it was not sent, or not yet, and what to do about it."""
    sentence = SENTENCES.get(row.reason, "")  # type: ignore[call-overload]
    return " ".join(filter(None, [sentence, row.detail]))
