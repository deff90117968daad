"""Events: what a contact did, append-only, partitioned by month.

`Event` has no foreign key pointing at it: whoever needs one event keeps its
id and its time. Its content never changes; only a merge and its undo move `contact`.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db import connection, models
from django.utils import timezone

from crm.models.contact import Contact
from crm.models.ids import make_uuid7

LAST_LINES = """
SELECT wanted.id, coalesce(last.properties -> 'products', '[]')::text
FROM unnest(%s::bigint[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT properties FROM crm_event
    WHERE contact_id = wanted.id AND name = %s
    ORDER BY occurred_at DESC LIMIT 1
) last
"""


class EventQuerySet(models.QuerySet["Event"]):
    def for_contact(self, contact: Contact) -> Self:
        """Newest first; reads the timeline index."""
        return self.filter(contact=contact).order_by("-occurred_at", "-id")

    def in_span(self, since: datetime, until: datetime | None) -> Self:
        """From `since` on, before `until` where there is one."""
        found = self.filter(occurred_at__gte=since)
        return found.filter(occurred_at__lt=until) if until else found

    def before(self, at: datetime, pk: UUID) -> Self:
        """What comes after this event, newest first. The bound that stands alone is
        for the planner: it leaves out partitions and starts in the index."""
        earlier = models.Q(occurred_at__lt=at) | models.Q(occurred_at=at, pk__lt=pk)
        return self.filter(earlier, occurred_at__lte=at)

    def after(self, at: datetime, pk: UUID) -> Self:
        """What happened later than this event; the bound as in `before`."""
        later = models.Q(occurred_at__gt=at) | models.Q(occurred_at=at, pk__gt=pk)
        return self.filter(later, occurred_at__gte=at)

    def of_searched(self, text: str) -> Self:
        """Events of the contacts that a search means; all where it is empty."""
        if not text.strip():
            return self
        return self.filter(contact__in=Contact.objects.all().find_ids(text))

    def named(self, name: str, *, since: datetime) -> Self:
        return self.filter(name=name, occurred_at__gte=since)

    def last_lines(
        self, contact_ids: list[int], *, name: str
    ) -> dict[int, list[dict[str, Any]]]:
        """The product lines of each contact's newest event of this name.

        One query; reads the timeline index once per contact.
        """
        with connection.cursor() as cursor:
            cursor.execute(LAST_LINES, [contact_ids, name])
            found = [(pk, json.loads(lines)) for pk, lines in cursor.fetchall()]
        return {pk: lines for pk, lines in found if isinstance(lines, list)}


class Event(models.Model):
    """One thing that happened, dated by the client's clock within limits.

    `value` and `currency` are filled at ingest from revenue, total, value or
    price, so that the covering index answers sums without the row.
    """

    # The table's own key is (occurred_at, id): a partitioned table needs the
    # partition column in it. `id` alone is unique by construction (UUID 7).
    id = models.UUIDField(primary_key=True, default=make_uuid7, editable=False)
    # No database constraint: it would cost every insert a look-up, and only
    # erasure removes contacts, after their events.
    contact = models.ForeignKey(
        Contact, models.DO_NOTHING, db_constraint=False, related_name="events"
    )
    name = models.CharField(max_length=200)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)
    message_id = models.CharField(max_length=100)
    properties = models.JSONField(default=dict)
    context = models.JSONField(default=dict)
    value = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    currency = models.CharField(max_length=3, blank=True)
    # The wire it came by: segment, customerio, push, import, demo, …
    source = models.CharField(max_length=32)
    # True where the client's clock was ahead and the time was cut to ours.
    clock_skewed = models.BooleanField(default=False)
    # The contact it came to, or whose identifier it came by, where a merge gave it
    # to another; an undo takes it back there.
    origin_id = models.BigIntegerField(null=True, editable=False)

    objects = EventQuerySet.as_manager()

    class Meta:
        indexes = [
            # segments: every window rule, index-only thanks to INCLUDE
            models.Index(
                fields=["name", "occurred_at", "contact"],
                include=["value"],
                name="event_name_time",
            ),
            # contact page: the timeline; touched contacts in segments
            models.Index(fields=["contact", "-occurred_at"], name="event_timeline"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.occurred_at:%Y-%m-%d %H:%M}"


class EventName(models.Model):
    """A name ever seen: the vocabulary of editors, with its first and last day."""

    name = models.CharField(max_length=200, unique=True)
    first_seen_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    # Property names seen with this event, for suggestions in editors.
    properties = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class MessageKey(models.Model):
    """A `message_id` taken in; kept 7 days, so that a repeat has no effect."""

    message_id = models.CharField(max_length=100, primary_key=True)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            # crm.tasks.maintain: forget keys older than 7 days
            models.Index(fields=["seen_at"], name="messagekey_seen"),
        ]

    def __str__(self) -> str:
        return self.message_id


class PendingEvent(models.Model):
    """An accepted event whose effects are still to come.

    `process_events` deletes it in the transaction that applies the effects, so
    each event takes effect once. Three strikes and it is quarantined and shown.
    """

    event_id = models.UUIDField()
    occurred_at = models.DateTimeField()
    contact = models.ForeignKey(
        Contact, models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    name = models.CharField(max_length=200)
    # Counted by the claim, in a transaction of its own before the work.
    attempts = models.PositiveSmallIntegerField(default=0)
    # Taken by a worker until then; null or past: free.
    lease_until = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)
    quarantined_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            # pipeline.process_events: the next batch in order of arrival
            models.Index(
                fields=["id"],
                name="pendingevent_next",
                condition=models.Q(quarantined_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.event_id}"
