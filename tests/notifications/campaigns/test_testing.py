"""Test sends: one real row, apart from the campaign's own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from crm.models import AuditEntry
from notifications.campaigns.testing import send_test
from notifications.models import Campaign, Delivery
from tests.factories import make_contact
from tests.notifications.factories import make_campaign

pytestmark = pytest.mark.django_db


def test_a_test_send_is_a_row_of_its_own_each_time() -> None:
    campaign, contact = make_campaign(), make_contact()
    first = send_test(campaign, contact, "test")
    second = send_test(campaign, contact, "test")
    assert first.pk != second.pk
    assert first.source_kind == Delivery.SourceKind.TEST
    assert first.purpose_class == "transactional"
    assert first.expires_at - first.due_at == timedelta(hours=1)
    assert first.template_version == campaign.current_version.template_version
    assert AuditEntry.objects.filter(action="tested").count() == 2


def test_a_campaign_without_a_message_is_refused() -> None:
    campaign = Campaign.objects.create(name="Empty")
    with pytest.raises(ValidationError, match="Write the message first"):
        send_test(campaign, make_contact(), "test")
    assert not Delivery.objects.exists()
