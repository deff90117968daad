"""The check list in the words of the form."""

from __future__ import annotations

import pytest
from django.test import Client

from notifications.admin.campaign_checks import describe_checks, name_path
from notifications.content.checks import Check
from tests.notifications.factories import make_campaign, make_reachable


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("body", "Text"),
        ("goal_event", "Goal"),
        ("buttons.0.title", "Button 1"),
        ("buttons.2.link", "Button 3, link"),
        ("data.order", "Data order"),
        ("buttons", "Buttons"),
        ("", ""),
        ("of_a_later_version", "of_a_later_version"),
    ],
)
def test_a_path_is_named_as_its_field_is(path: str, name: str) -> None:
    assert name_path(path) == name


@pytest.mark.django_db
def test_a_line_leads_to_its_field_for_who_may_edit() -> None:
    campaign = make_campaign()
    edit = f"/admin/notifications/campaign/{campaign.pk}/change/"
    checks = [
        ("en", Check("warning", "x", "A", "body", 2)),
        ("de", Check("warning", "x", "B", "title", 1)),
        ("", Check("warning", "x", "C", "locales")),
        ("", Check("warning", "x", "D", "buttons.0.link")),
    ]
    lines = describe_checks(campaign, checks, may_change=True)
    assert [(line.place, line.url) for line in lines] == [
        ("Text, line 2", f"{edit}#id_body"),
        ("Title, de", f"{edit}#translations"),
        ("Other languages", f"{edit}#translations"),
        ("Button 1, link", f"{edit}#id_button_1_link"),
    ]
    told = describe_checks(campaign, checks, may_change=False)
    assert {line.url for line in told} == {""}


@pytest.mark.django_db
def test_the_page_has_no_technical_names(admin_client: Client) -> None:
    make_reachable()
    campaign = make_campaign(body="Hi {first_name}")
    url = f"/admin/notifications/campaign/{campaign.pk}/check/"
    page = admin_client.get(url).content.decode()
    assert '#id_goal_event">Goal</a>' in page
    assert '#id_body">Text</a>' in page
    assert "goal_event</" not in page
