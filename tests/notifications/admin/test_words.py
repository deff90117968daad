"""Pages say in words what is so, and lead to where it is mended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule

from notifications.admin.alert import find_page
from notifications.admin.limits import FrequencyCapForm
from notifications.campaigns.compose import Text, save_template
from notifications.campaigns.launch import launch_campaign, pause_campaign
from notifications.campaigns.summary import describe_start
from notifications.delivery.breaker import open_breaker
from notifications.models import Alert, Breaker, Campaign, CampaignVersion, Sender
from tests.notifications.factories import make_campaign, make_reachable, make_sender

pytestmark = pytest.mark.django_db


def read_page(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def report_of(campaign: Campaign) -> str:
    return f"/admin/notifications/campaign/{campaign.pk}/report/"


def test_a_report_of_nobody_says_what_it_waits_for(admin_client: Client) -> None:
    campaign = make_campaign(kind="event", trigger_event="Product Added")
    assert "Not launched yet" in read_page(admin_client, report_of(campaign))
    launch_campaign(campaign, by="test")
    page = read_page(admin_client, report_of(campaign))
    assert "Nobody has done Product Added since the launch" in page
    assert 'role="progressbar"' not in page
    pause_campaign(campaign, by="test", reason="A typo")
    page = read_page(admin_client, report_of(campaign))
    assert "Paused before anybody got it" in page
    assert "Nobody has done" not in page


@pytest.mark.parametrize(
    ("state", "words"),
    [("cancelled", "Cancelled before anybody"), ("finished", "nobody in its audience")],
)
def test_a_report_of_an_ended_campaign_waits_for_nothing(
    state: str, words: str, admin_client: Client
) -> None:
    campaign = make_campaign()
    Campaign.objects.filter(pk=campaign.pk).update(
        state=state, launched_at=timezone.now()
    )
    assert words in read_page(admin_client, report_of(campaign))


def test_an_ended_campaign_says_so_where_a_test_was_sent(admin_client: Client) -> None:
    make_reachable()
    campaign = make_campaign()
    url = f"/admin/notifications/campaign/{campaign.pk}/preview/"
    assert "Send a test to" in read_page(admin_client, url)
    Campaign.objects.filter(pk=campaign.pk).update(
        state="finished", launched_at=timezone.now()
    )
    page = read_page(admin_client, url)
    assert "This campaign has ended" in page
    assert "Your role may" not in page


def test_starts_are_told_without_technical_forms() -> None:
    local = CampaignVersion(kind="local", local_send_at="2026-11-25 09:00")
    assert describe_start(local) == "25 Nov 2026, 09:00 in each contact's own time"
    crontab = CrontabSchedule(minute="0", hour="9", day_of_week="1")
    monday = CampaignVersion(kind="recurring", crontab=crontab, time_zone="Asia/Tokyo")
    told = describe_start(monday)
    assert told == "Again and again: At 09:00 AM, only on Monday (Asia/Tokyo)"


def test_a_recurring_campaign_leads_to_new_times(admin_client: Client) -> None:
    CrontabSchedule.objects.create(minute="0", hour="9", day_of_week="1")
    page = read_page(admin_client, "/admin/notifications/campaign/add/")
    assert "/admin/django_celery_beat/crontabschedule/add/" in page
    assert "/admin/django_celery_beat/intervalschedule/add/" in page
    assert "At 09:00 AM, only on Monday" in page


def test_a_sender_says_whether_it_waits_and_why(admin_client: Client) -> None:
    sender = make_sender()
    url = f"/admin/notifications/sender/{sender.pk}/change/"
    assert ">Sending<" in read_page(admin_client, url)
    open_breaker(sender, platform="", reason="503 of the provider")
    page = read_page(admin_client, url)
    assert ">Waiting<" in page
    assert "Not used until" in page
    Breaker.objects.update(open_until=timezone.now() - timedelta(seconds=1))
    page = read_page(admin_client, url)
    assert "the next message tries it again" in page
    assert "Not used until" not in page


def test_who_pauses_a_sender_is_asked_why(admin_client: Client) -> None:
    sender = make_sender()
    page = f"/admin/notifications/sender/{sender.pk}/"
    assert 'name="reason"' in read_page(admin_client, f"{page}change/")
    admin_client.post(f"{page}pause/", {"reason": "Ticket 4711"})
    assert Sender.objects.get().paused_reason == "Ticket 4711"
    assert "Ticket 4711" in read_page(admin_client, f"{page}change/")


def test_an_alert_leads_to_where_it_is_mended(admin_client: Client) -> None:
    Alert.objects.raise_once(cause="a", text="Key <refused>", url="/admin/x/")
    Alert.objects.raise_once(cause="odd", text="Just so")
    sender = make_sender()
    open_breaker(sender, platform="", reason="503")
    page = read_page(admin_client, "/admin/notifications/alert/")
    assert 'href="/admin/x/">Key &lt;refused&gt;</a>' in page
    assert "Just so" in page
    address = f"/admin/notifications/sender/{sender.pk}/change/"
    assert f'href="{address}">{sender.name} cannot send' in page
    assert f'href="{address}">Open</a>' in read_page(admin_client, "/admin/")


@pytest.mark.parametrize(
    ("cause", "page"),
    [
        ("campaign:12:schedule", "/admin/notifications/campaign/12/report/"),
        ("sender:3:ios", "/admin/notifications/sender/3/change/"),
        ("sender:x:ios", ""),
        ("planet:1:gone", ""),
        ("odd", ""),
    ],
)
def test_the_cause_of_an_alert_names_its_page(cause: str, page: str) -> None:
    assert find_page(cause) == page


def test_a_cap_without_channel_and_topic_is_for_all(admin_client: Client) -> None:
    page = read_page(admin_client, "/admin/notifications/frequencycap/add/")
    assert "All channels" in page
    assert "All topics" in page
    labels = {name: field.label for name, field in FrequencyCapForm().fields.items()}
    assert (labels["limit"], labels["n"], labels["unit"]) == ("At most", "In", "Unit")


def test_a_template_says_who_uses_it(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    campaign = make_campaign()
    own = campaign.current_version.template
    api = save_template(None, name="shipped", texts=(Text({"body": "Hi"}),), by="test")
    url = "/admin/notifications/template/"
    page = read_page(admin_client, url)
    edit = f"/admin/notifications/campaign/{campaign.pk}/change/"
    assert f'href="{edit}">{campaign.name}</a>' in page
    assert "The API" in page
    assert "edit the text there" in read_page(admin_client, f"{url}{own.pk}/change/")
    page = read_page(admin_client, f"{url}{api.pk}/change/")
    assert "edit the text there" not in page


def test_history_is_the_audit_trail(admin_client: Client) -> None:
    sender = make_sender()
    page = f"/admin/notifications/sender/{sender.pk}/"
    admin_client.post(f"{page}pause/", {"reason": "Ticket 4711"})
    trail = f"/admin/crm/auditentry/?q=notifications.sender%20{sender.pk}"
    assert f'href="{trail}"' in read_page(admin_client, f"{page}change/")
    assert ">paused<" in read_page(admin_client, trail)
