"""Deliveries and attempts: one person × one message, and each POST of it.

A delivery is written before anything is sent; every person of an audience ends
in a row with a state and a reason. Ends are final, held by a database trigger.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from crm.models.ids import make_uuid7
from notifications.models.channel import Channel, Origin, PurposeClass, Relevance

if TYPE_CHECKING:
    from notifications.models.api_send import ApiSend


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def for_contact(self, contact_id: int) -> Self:
        """Newest first, with what the contact page shows."""
        return (
            self.filter(contact_id=contact_id)
            .select_related("campaign")
            .order_by("-created_at")
        )

    def pending(self) -> Self:
        return self.filter(state=Delivery.State.PENDING)

    def open(self) -> Self:
        """Rows that still have somewhere to go."""
        return self.exclude(state__in=Delivery.FINAL)

    def expired(self, *, since: datetime) -> Self:
        """Rows that ended as expired from then on."""
        return self.filter(state=Delivery.State.EXPIRED, finished_at__gte=since)

    def quarantined(self) -> Self:
        return self.filter(state=Delivery.State.QUARANTINED)


class Delivery(models.Model):
    """One message to one person.

    Unique on (source_kind, source_id, occurrence, contact): `occurrence` is ''
    for a one-off, the run's date for a recurring one, the trigger's event id for
    a triggered one. `lease` is random per claim and fences every later write.
    """

    class State(models.TextChoices):
        PENDING = "pending"
        CLAIMED = "claimed"
        SENDING = "sending"
        SENT = "sent"
        SKIPPED = "skipped"
        FAILED = "failed"
        UNKNOWN = "unknown", "Maybe delivered"
        EXPIRED = "expired"
        CANCELLED = "cancelled"
        HELD_OUT = "held_out", "Held out"
        QUARANTINED = "quarantined"

    FINAL = (
        State.SENT,
        State.SKIPPED,
        State.FAILED,
        State.UNKNOWN,
        State.EXPIRED,
        State.CANCELLED,
        State.HELD_OUT,
        State.QUARANTINED,
    )

    class SourceKind(models.TextChoices):
        CAMPAIGN = "campaign"
        JOURNEY = "journey"
        TRANSACTIONAL = "transactional", "API send"
        TEST = "test", "Test send"

    id = models.UUIDField(primary_key=True, default=make_uuid7, editable=False)
    source_kind = models.CharField(max_length=16, choices=SourceKind.choices)
    source_id = models.BigIntegerField()
    occurrence = models.CharField(max_length=100, blank=True)
    contact = models.ForeignKey(
        "crm.Contact", models.CASCADE, related_name="deliveries"
    )
    # What it was made from; versions are kept by work in flight.
    campaign = models.ForeignKey(
        "Campaign", models.PROTECT, null=True, related_name="deliveries"
    )
    campaign_version = models.ForeignKey(
        "CampaignVersion", models.PROTECT, null=True, related_name="+"
    )
    template_version = models.ForeignKey(
        "TemplateVersion", models.PROTECT, null=True, related_name="+"
    )
    sender = models.ForeignKey("Sender", models.PROTECT, related_name="+")
    channel = models.CharField(max_length=16, choices=Channel.choices)
    variant = models.CharField(max_length=32, blank=True)
    # "<experiment>:<arm>" and "<holdout>:<in|out>" at the time of planning.
    experiment = models.CharField(max_length=100, blank=True)
    holdout = models.CharField(max_length=100, blank=True)
    origin = models.CharField(max_length=8, choices=Origin.choices)
    relevance = models.CharField(max_length=16, choices=Relevance.choices)
    purpose_class = models.CharField(max_length=16, choices=PurposeClass.choices)
    topic_id = models.BigIntegerField(null=True)
    # The event that triggered it: id and time, nothing points at the event table.
    trigger_event_id = models.UUIDField(null=True)
    trigger_event_at = models.DateTimeField(null=True)

    # State and clock.
    state = models.CharField(
        max_length=16, choices=State.choices, default=State.PENDING
    )
    # One of `notifications.reasons.Reason`; '' while nothing stands in the way.
    reason = models.CharField(max_length=32, blank=True)
    detail = models.CharField(max_length=500, blank=True)
    priority = models.SmallIntegerField(default=0)
    due_at = models.DateTimeField()
    # The wall time and zone behind `due_at`, kept to move with a zone change.
    due_local = models.CharField(max_length=16, blank=True)
    due_zone = models.CharField(max_length=64, blank=True)
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)
    # Claims so far; 3 that end in a crash quarantine the row.
    claims = models.PositiveSmallIntegerField(default=0)
    # POSTs made so far, and those of them that spend a retry of its class.
    posts = models.PositiveSmallIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)
    # An earlier POST may have arrived: such a row can only end sent or unknown.
    maybe_sent = models.BooleanField(default=False)
    lease = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    first_claimed_at = models.DateTimeField(null=True)
    gated_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    locale = models.CharField(max_length=35, blank=True)
    cost = models.DecimalField(max_digits=12, decimal_places=6, null=True)

    # First time each rung was reached, in the client's time.
    sent_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)
    clicked_at = models.DateTimeField(null=True)
    dismissed_at = models.DateTimeField(null=True)
    converted_at = models.DateTimeField(null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["source_kind", "source_id", "occurrence", "contact"],
                name="delivery_once_per_person_and_message",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["claimed", "sending"])
                | (Q(lease__isnull=False) & Q(lease_until__isnull=False)),
                name="delivery_in_work_is_leased",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["skipped", "failed", "cancelled"])
                | ~Q(reason=""),
                name="delivery_unsent_has_a_reason",
            ),
        ]
        indexes = [
            # delivery.claim: the next rows of a sender, best first
            models.Index(
                fields=["sender", "-priority", "due_at"],
                name="delivery_due",
                condition=Q(state="pending"),
            ),
            # delivery.claim: rows whose last claim ended in a crash
            models.Index(
                fields=["sender", "due_at"],
                name="delivery_suspect",
                condition=Q(state="pending", claims__gt=0),
            ),
            # delivery.sweep: leases that ran out
            models.Index(
                fields=["lease_until"],
                name="delivery_leased",
                condition=Q(state__in=["claimed", "sending"]),
            ),
            # delivery.expire: what waited past its time
            models.Index(
                fields=["expires_at"],
                name="delivery_overdue",
                condition=Q(state="pending"),
            ),
            # campaign report and progress: counted without the rows themselves
            models.Index(
                fields=["campaign", "state", "source_kind"],
                name="delivery_by_campaign",
            ),
            # dashboard: what was sent in a period
            models.Index(
                fields=["sent_at"],
                name="delivery_sent_at",
                condition=Q(state="sent"),
            ),
            # dashboard and kill switches: what ended unsent in a period, and why
            models.Index(
                fields=["state", "finished_at"],
                include=["reason", "source_kind"],
                name="delivery_unsent",
                condition=Q(
                    state__in=[
                        "skipped",
                        "failed",
                        "cancelled",
                        "expired",
                        "quarantined",
                    ]
                ),
            ),
            # contact page
            models.Index(fields=["contact", "-created_at"], name="delivery_of_contact"),
            # analytics.conversions: sent messages a goal event may convert
            models.Index(
                fields=["contact", "sent_at"],
                name="delivery_sent",
                condition=Q(sent_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source_kind}:{self.source_id} → {self.contact_id}"

    @property
    def is_final(self) -> bool:
        return self.state in self.FINAL

    @property
    def said_by_api(self) -> ApiSend | None:
        """What the API call said; a query, unless it was read with the row."""
        if self.source_kind != self.SourceKind.TRANSACTIONAL:
            return None
        return getattr(self, "api_send", None)


class AttemptQuerySet(models.QuerySet["Attempt"]):
    def counting(self, contact_ids: list[int], *, since: datetime) -> Self:
        """Attempts that a frequency cap counts: sent, in flight, or unknown."""
        return self.filter(
            contact_id__in=contact_ids,
            gated_at__gte=since,
            state__in=Attempt.COUNTING,
            counts_in_caps=True,
        )


class Attempt(models.Model):
    """One POST to one device or address, written by the gate before it is made."""

    class State(models.TextChoices):
        SENDING = "sending"
        SENT = "sent"
        DEAD_ADDRESS = "dead_address", "Address is dead"
        FAILED = "failed"
        UNKNOWN = "unknown", "Maybe delivered"

    # States in which the person may have received it.
    COUNTING = (State.SENDING, State.SENT, State.UNKNOWN)

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="attempts")
    contact = models.ForeignKey("crm.Contact", models.CASCADE, related_name="+")
    device = models.ForeignKey(
        "crm.Device", models.SET_NULL, null=True, related_name="+"
    )
    number = models.PositiveSmallIntegerField()
    channel = models.CharField(max_length=16, choices=Channel.choices)
    topic_id = models.BigIntegerField(null=True)
    counts_in_caps = models.BooleanField(default=True)
    # Journey run, so that a cooldown can let its own steps pass; '' otherwise.
    run_key = models.CharField(max_length=64, blank=True)
    platform = models.CharField(max_length=16, blank=True)
    state = models.CharField(
        max_length=16, choices=State.choices, default=State.SENDING
    )
    lease = models.UUIDField()
    gated_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    http_status = models.PositiveSmallIntegerField(null=True)
    code = models.CharField(max_length=64, blank=True)
    detail = models.CharField(max_length=300, blank=True)
    provider_id = models.CharField(max_length=200, blank=True)
    retry_after_s = models.FloatField(null=True)

    objects = AttemptQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["delivery", "number"], name="attempt_number"
            ),
        ]
        indexes = [
            # decisioning.facts: what this person was sent lately
            models.Index(
                fields=["contact", "gated_at"],
                name="attempt_counting",
                condition=Q(state__in=["sending", "sent", "unknown"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.delivery_id} #{self.number} {self.state}"


class RenderedMessage(models.Model):
    """What the person was shown; partitioned by month, kept 90 days."""

    delivery_id = models.UUIDField(primary_key=True)
    created_at = models.DateTimeField()
    contact = models.ForeignKey(
        "crm.Contact", models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    locale = models.CharField(max_length=35)
    fields = models.JSONField()

    class Meta:
        indexes = [
            # delivery page: the text of one message; erasure
            models.Index(fields=["delivery_id"], name="rendered_of_delivery"),
            models.Index(fields=["contact"], name="rendered_of_contact"),
        ]

    def __str__(self) -> str:
        return str(self.delivery_id)
