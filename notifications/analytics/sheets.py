"""Port `sheets`: messages, one line each, with what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.db.models.expressions import RawSQL

from crm.ports.facts import Sql
from crm.ports.sheets import Sheet
from notifications.models import Delivery

FETCH: Final = 2_000
# Heading → column.
COLUMNS: Final = {
    "message": "pk",
    "external_id": "contact__external_id",
    "contact": "contact__uuid",
    "campaign": "campaign__name",
    "channel": "channel",
    "state": "state",
    "reason": "reason",
    "due_at": "due_at",
    "sent_at": "sent_at",
    "delivered_at": "delivered_at",
    "opened_at": "opened_at",
    "clicked_at": "clicked_at",
    "dismissed_at": "dismissed_at",
    "converted_at": "converted_at",
}


def read_deliveries(people: Sql | None) -> Iterator[Sequence[Any]]:
    rows = Delivery.objects.order_by("pk")
    if people is not None:
        rows = rows.filter(contact__in=RawSQL(people.text, people.params))
    yield from rows.values_list(*COLUMNS.values()).iterator(chunk_size=FETCH)


DELIVERIES: Final = Sheet(
    "messages",
    "Messages",
    "notifications.view_delivery",
    tuple(COLUMNS),
    read_deliveries,
)
