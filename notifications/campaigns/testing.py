"""Test send: one real message of a campaign to a person staff choose, now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from crm.clock import read_clock
from crm.models import Contact
from crm.models.audit import record_audit
from notifications.campaigns.preview import (
    draft_delivery,
    find_sender,
    find_trigger_events,
)
from notifications.models import Campaign, Delivery
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
    sender = find_sender(version)
    if sender is None:
        raise ValidationError(f"There is no sender for {version.channel} yet.")
    at = read_clock()
    event = find_trigger_events(version, [contact]).get(contact.pk)
    delivery = draft_delivery(version, contact, sender=sender, at=at, event=event)
    delivery.occurrence = str(delivery.pk)
    delivery.origin, delivery.relevance = campaign.origin, version.relevance
    delivery.purpose_class = PurposeClass.TRANSACTIONAL
    delivery.topic_id, delivery.priority = version.topic_id, version.priority
    delivery.expires_at = at + TEST_LIFE
    with transaction.atomic():
        delivery.save(force_insert=True)
        record_audit(
            actor=by,
            action="tested",
            on=campaign,
            changes={"contact": str(contact.uuid), "delivery": str(delivery.pk)},
        )
    return delivery
