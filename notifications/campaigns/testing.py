"""Test send: one real message of a campaign to a person staff choose, now."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from crm.models import Contact
from crm.models.audit import record_audit
from notifications.campaigns.preview import find_trigger_events
from notifications.decisioning.facts import read_clock
from notifications.models import Campaign, Delivery, Sender
from notifications.models.channel import PurposeClass

TEST_LIFE = timedelta(hours=1)


def send_test(campaign: Campaign, contact: Contact, by: Any) -> Delivery:
    """Write the test's row, due now; the caller rings for sending after the commit.

    It passes the gate like any other, but for consent, caps and quiet hours: the
    question is what the message looks like. Raises ValidationError where there is
    no message or no sender yet.
    """
    version = campaign.current_version
    if version is None or version.template_version_id is None:
        raise ValidationError("Write the message first.")
    sender = version.sender or Sender.objects.default_for(version.channel)
    if sender is None:
        raise ValidationError(f"There is no sender for {version.channel} yet.")
    at = read_clock()
    event = find_trigger_events(version, [contact]).get(contact.pk)
    with transaction.atomic():
        delivery = Delivery.objects.create(
            source_kind=Delivery.SourceKind.TEST,
            source_id=campaign.pk,
            occurrence=str(uuid.uuid4()),
            contact=contact,
            campaign=campaign,
            campaign_version=version,
            template_version=version.template_version,
            sender=sender,
            channel=version.channel,
            origin=campaign.origin,
            relevance=version.relevance,
            purpose_class=PurposeClass.TRANSACTIONAL,
            topic_id=version.topic_id,
            trigger_event_id=event.pk if event else None,
            trigger_event_at=event.occurred_at if event else None,
            priority=version.priority,
            due_at=at,
            expires_at=at + TEST_LIFE,
        )
        record_audit(
            actor=by,
            action="tested",
            on=campaign,
            changes={"contact": str(contact.uuid), "delivery": str(delivery.pk)},
        )
    return delivery
