"""The consent ledger: every word a person gave, in order, unchangeable."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models.functions import Coalesce

from crm.models import Contact
from preferences.ledger import Line
from preferences.models.center import PreferenceCenter
from preferences.models.channel import Channel
from preferences.models.topic import Topic


class ConsentRecordQuerySet(models.QuerySet["ConsentRecord"]):
    def of_person(self, uuids: Iterable[uuid.UUID]) -> Self:
        """In the order they were written, chain by chain."""
        return self.filter(contact_uuid__in=uuids).order_by("contact_uuid", "number")

    def heads(self, uuids: Iterable[uuid.UUID]) -> Self:
        """The last row of each chain."""
        rows = self.filter(contact_uuid__in=uuids)
        return rows.order_by("contact_uuid", "-number").distinct("contact_uuid")

    def said_before(self, uuids: Iterable[uuid.UUID], before: datetime) -> Self:
        """Newest first, for the timeline."""
        rows = self.filter(contact_uuid__in=uuids, at__lt=before)
        return rows.select_related("topic").order_by("-at", "-number")

    def with_contacts(self) -> Self:
        """Adds `contact_pk`: whose page to open; null after an erasure."""
        contacts = Contact.objects.filter(uuid=models.OuterRef("contact_uuid"))
        pk = Coalesce("canonical_id", "pk")
        return self.annotate(
            contact_pk=models.Subquery(contacts.annotate(_at=pk).values("_at")[:1])
        )

    def of_searched(self, text: str) -> Self:
        """Of the contacts a search means, or of one UUID; all where it is empty."""
        if not text.strip():
            return self
        try:
            return self.filter(contact_uuid=uuid.UUID(text.strip()))
        except ValueError:
            ids = Contact.objects.all().find_ids(text)
        uuids = Contact.objects.filter(
            models.Q(pk__in=ids) | models.Q(canonical__in=ids)
        )
        return self.filter(contact_uuid__in=uuids.values("uuid"))

    def newest_first(self) -> Self:
        return self.select_related("topic", "center__brand").order_by("-pk")


class ConsentRecord(models.Model):
    """One change of consent. No name, e-mail or phone; no UPDATE, no DELETE.

    `contact_uuid` is the contact it was written for, no foreign key: it stays
    when contacts merge and after erasure. `center` is null on `cleared` rows,
    which end all choices of that contact.
    """

    class Action(models.TextChoices):
        SUBSCRIBED = "subscribed"
        UNSUBSCRIBED = "unsubscribed"
        PENDING = "pending", "Waiting for confirmation"
        CLEARED = "cleared", "Cleared (merged or erased)"

    contact_uuid = models.UUIDField()
    number = models.PositiveIntegerField()
    center = models.ForeignKey(PreferenceCenter, models.PROTECT, null=True)
    channel = models.CharField(max_length=16, choices=Channel.choices, blank=True)
    topic = models.ForeignKey(Topic, models.PROTECT, null=True)
    purpose = models.CharField(max_length=32)
    action = models.CharField(max_length=16, choices=Action.choices)
    at = models.DateTimeField()
    # "self", "staff:<id>", "api:<key prefix>", "rule"
    actor = models.CharField(max_length=100)
    # "page", "one-click", "api", "event:<wire>", "merge", "erasure", …
    source = models.CharField(max_length=100)
    wording_version = models.PositiveIntegerField()
    locale = models.CharField(max_length=35, blank=True)
    # The network the word came from, never the whole address.
    address = models.CharField(max_length=50, blank=True)
    proof = models.CharField(max_length=100, blank=True)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    objects = ConsentRecordQuerySet.as_manager()

    class Meta:
        constraints = [
            # Also the index of the chain: two writers can never both be next.
            models.UniqueConstraint(
                fields=["contact_uuid", "number"], name="consent_chain_never_forks"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.contact_uuid} #{self.number} {self.action}"

    @property
    def line(self) -> Line:
        """The row as facts, for hashing and folding."""
        return Line(
            contact_uuid=str(self.contact_uuid),
            number=self.number,
            center_id=self.center_id,
            channel=self.channel,
            topic_id=self.topic_id,
            purpose=self.purpose,
            action=self.action,
            at=self.at,
            actor=self.actor,
            source=self.source,
            wording_version=self.wording_version,
            locale=self.locale,
            address=self.address,
            proof=self.proof,
            previous_hash=self.previous_hash,
        )

    @property
    def subject(self) -> str:
        """What the word is about, in words."""
        channel = self.get_channel_display() if self.channel else ""
        if self.topic_id:
            return f"{self.topic} · {channel}" if channel else str(self.topic)
        return channel or "All notifications"
