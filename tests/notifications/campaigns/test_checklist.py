"""The list before launch: errors, warnings, and whom it reaches."""

from __future__ import annotations

from typing import Any

import pytest

from notifications.campaigns.checklist import Checklist, check_campaign
from notifications.campaigns.preview import preview_campaign
from notifications.campaigns.summary import describe_campaign, describe_period
from notifications.delivery.messages import Rendered, Unrendered
from notifications.delivery.switches import stop_sending
from notifications.models import Campaign
from tests.factories import make_contact, make_device, make_event
from tests.notifications.factories import make_campaign, make_reachable, make_topic

pytestmark = pytest.mark.django_db


def codes(found: Checklist) -> set[str]:
    return {check.code for _, check in found.checks}


def test_a_campaign_without_a_message_has_one_error() -> None:
    found = check_campaign(Campaign.objects.create(name="Empty"))
    assert [check.code for _, check in found.errors] == ["no_message"]
    assert found.reach is None


def test_everybody_is_in_one_count_of_the_reach() -> None:
    topic = make_topic()
    make_reachable(topic=topic)
    make_contact()
    make_device(make_contact(), permission="denied")
    make_device(make_contact(), state="gone")
    make_device(make_contact())
    reach = check_campaign(make_campaign(topic=topic)).reach
    assert reach is not None
    assert (reach.audience, reach.reachable) == (5, 1)
    assert dict(reach.reasons) == {
        "no_address": 1,
        "dead_address": 1,
        "permission_denied": 1,
        "no_consent": 1,
    }


def test_a_value_that_somebody_lacks_is_a_warning() -> None:
    make_reachable(traits={"first_name": "Ada"})
    make_reachable()
    found = check_campaign(make_campaign(body="Hi {first_name}"))
    assert not found.errors
    assert "no_fallback" in codes(found)


def test_a_goal_a_switch_and_an_empty_audience_are_told() -> None:
    stop_sending("all", by="test")
    found = check_campaign(make_campaign())
    assert {"no_goal", "switch_off", "empty_audience"} <= codes(found)
    assert not found.errors


def test_the_list_takes_a_fixed_number_of_queries(
    django_assert_max_num_queries: Any,
) -> None:
    campaign = make_campaign(body="Hi {{ customer.first_name | default: 'you' }}")
    for _ in range(30):
        make_reachable()
    with django_assert_max_num_queries(20):
        check_campaign(campaign)


def test_a_preview_is_what_the_person_would_get() -> None:
    contact = make_reachable(traits={"first_name": "Ada"})
    campaign = make_campaign(
        title="Hi {first_name}", link="myapp://products/shoes", utm_content="b"
    )
    text = preview_campaign(campaign, contact)
    assert isinstance(text, Rendered)
    assert text.push.title == "Hi Ada"
    assert text.push.link.startswith("myapp://products/shoes?utm_source=push")


def test_a_preview_says_which_value_is_missing() -> None:
    text = preview_campaign(make_campaign(title="Hi {first_name}"), make_reachable())
    assert isinstance(text, Unrendered)
    assert text.reason == "template_missing_value"
    assert "first_name" in text.detail


def test_a_triggered_preview_uses_the_newest_event() -> None:
    contact = make_reachable()
    make_event(contact, "Cart Updated", properties={"item": "boots"})
    campaign = make_campaign(
        kind="event", trigger_event="Cart Updated", title="Your {{ event.item }}"
    )
    text = preview_campaign(campaign, contact)
    assert isinstance(text, Rendered)
    assert text.push.title == "Your boots"


def test_a_summary_tells_who_when_and_why() -> None:
    lines = dict(describe_campaign(make_campaign(goal_event="Order Completed")))
    assert lines["Who"] == "Everybody"
    assert lines["Starts"] == "As soon as it is launched"
    assert lines["Why we may"] == "Promotional, topic Deals"
    assert lines["Goal"] == "Order Completed within 3 days after it was sent"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(60, "1 minute"), (5_400, "90 minutes"), (7_200, "2 hours"), (86_400, "1 day")],
)
def test_a_period_is_told_in_its_largest_unit(seconds: int, words: str) -> None:
    assert describe_period(seconds) == words
