"""Saving a definition touches nothing but the definition."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from notifications.campaigns.compose import Definition, save_campaign
from notifications.campaigns.launch import cancel_campaign, pause_campaign
from notifications.models import Campaign
from tests.notifications.factories import make_campaign, make_topic, run_campaign

pytestmark = pytest.mark.django_db


def edit(campaign: Campaign, name: str) -> Campaign:
    columns = {"topic": make_topic()}
    return save_campaign(Definition(name, columns), by="test", campaign=campaign)


def test_an_edit_that_began_before_a_pause_does_not_end_it() -> None:
    campaign = make_campaign()
    run_campaign(campaign)
    opened = Campaign.objects.get(pk=campaign.pk)
    pause_campaign(Campaign.objects.get(pk=campaign.pk), by="test")
    edit(opened, "New name")
    campaign.refresh_from_db()
    assert (campaign.state, campaign.name) == ("paused", "New name")
    assert opened.state == "paused"


def test_an_edit_that_began_before_a_run_does_not_ask_for_it_again() -> None:
    campaign = make_campaign()
    run_campaign(campaign)
    due = timezone.now()
    Campaign.objects.filter(pk=campaign.pk).update(next_run_at=due)
    opened = Campaign.objects.get(pk=campaign.pk)
    campaign.start_run(due=due, next_run_at=None)
    edit(opened, "New name")
    campaign.refresh_from_db()
    assert campaign.next_run_at is None


def test_a_campaign_cancelled_meanwhile_is_not_edited() -> None:
    campaign = make_campaign()
    run_campaign(campaign)
    opened = Campaign.objects.get(pk=campaign.pk)
    cancel_campaign(Campaign.objects.get(pk=campaign.pk), by="test")
    with pytest.raises(ValidationError, match="cancelled"):
        edit(opened, "New name")
    campaign.refresh_from_db()
    assert campaign.state == "cancelled"


def test_two_edits_of_one_version_are_two_versions() -> None:
    campaign = make_campaign()
    first, second = (Campaign.objects.get(pk=campaign.pk) for _ in range(2))
    edit(first, "First")
    edit(second, "Second")
    assert sorted(campaign.versions.values_list("number", flat=True)) == [1, 2, 3]
