"""The campaign form and the pages around one campaign."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from crm.models import AuditEntry
from notifications.admin.campaign_form import CampaignForm
from notifications.campaigns.launch import launch_campaign
from notifications.models import Campaign, CampaignVersion, Delivery
from tests.factories import make_contact, make_device
from tests.notifications.factories import (
    make_campaign,
    make_reachable,
    make_sender,
    make_topic,
)

pytestmark = pytest.mark.django_db

ADD = "/admin/notifications/campaign/add/"


def fill_form(**fields: Any) -> dict[str, Any]:
    """What a browser sends of the form as it opens, and what was typed."""
    form = CampaignForm()
    data: dict[str, Any] = {}
    for name, field in form.fields.items():
        value = form.get_initial_for_field(field, name)
        if value is True:
            data[name] = "on"
        elif hasattr(field.widget, "decompress"):
            for part, one in zip(
                field.widget.widgets_names, field.widget.decompress(value), strict=True
            ):
                data[f"{name}{part}"] = one
        elif value is not None and value is not False:
            data[name] = value
    data |= {
        "origin": "manual",
        "purpose_class": "promotional",
        "reentry": "once",
        "device_target": "last_used",
        "quiet_policy": "hold",
        "cap_policy": "drop",
        "goal_anchor": "sent",
        "time_zone": "UTC",
        "on_missing": "fail",
        "translations-TOTAL_FORMS": "1",
        "translations-INITIAL_FORMS": "0",
        "name": "Winter boots",
        "title": "Hi {first_name|there}",
        "body": "Boots are back.",
    }
    return {name: value for name, value in {**data, **fields}.items() if value != ""}


def page_of(campaign: Campaign, page: str) -> str:
    return f"/admin/notifications/campaign/{campaign.pk}/{page}/"


def faults_of(response: Any) -> dict[str, list[str]]:
    return dict(response.context["adminform"].form.errors)


def test_a_saved_form_is_a_first_version_with_all_its_columns(
    admin_client: Client,
) -> None:
    make_sender()
    answer = admin_client.post(
        ADD,
        fill_form(
            topic=make_topic().pk,
            link="myapp://boots",
            button_1_title="Shop",
            button_1_link="myapp://boots",
            data="colour = brown\nsize = 42",
            send_at="2030-01-15T10:00",
            time_zone="Europe/Berlin",
            ttl_s_n="2",
            ttl_s_unit="3600",
            goal_event="Order Completed",
            goal_window_s_n="7",
            goal_window_s_unit="86400",
            exit_events="Refund Asked, Left",
        ),
    )
    assert answer.status_code == 302, faults_of(answer)
    version = Campaign.objects.get().current_version
    assert version is not None
    assert version.send_at == datetime(2030, 1, 15, 9, 0, tzinfo=UTC)
    assert (version.ttl_s, version.goal_window_s) == (7_200, 604_800)
    assert version.exit_events == ["Refund Asked", "Left"]
    assert version.relevance == "broadcast"
    fields = version.template_version.contents.get().fields
    assert fields["title"] == 'Hi {{ customer.first_name | default: "there" }}'
    assert fields["buttons"] == [{"title": "Shop", "link": "myapp://boots"}]
    assert fields["data"] == {"colour": "brown", "size": "42"}


def test_the_form_shows_what_was_saved_and_saving_it_again_changes_nothing(
    admin_client: Client,
) -> None:
    make_sender()
    admin_client.post(
        ADD,
        fill_form(
            topic=make_topic().pk,
            kind="event",
            trigger_event="Cart Updated",
            trigger_filters='total > 50\ncolour = "42"\nnote exists',
            trigger_delay_s_n="15",
            trigger_delay_s_unit="60",
            offer_ends_at="2030-06-01T23:30",
            time_zone="Asia/Tokyo",
            button_1_title="Shop",
            **{
                "translations-0-locale": "de",
                "translations-0-title": "Hallo",
                "translations-0-body": "Stiefel",
            },
        ),
    )
    campaign = Campaign.objects.get()
    first = campaign.current_version
    assert first is not None
    assert first.trigger_filters == [
        {"property": "total", "op": "gt", "value": 50},
        {"property": "colour", "op": "equals", "value": "42"},
        {"property": "note", "op": "exists"},
    ]
    page = admin_client.get(page_of(campaign, "change"))
    form = page.context["adminform"].form
    again = read_form(form) | read_formset(form.translations)
    answer = admin_client.post(page_of(campaign, "change"), again)
    assert answer.status_code == 302, faults_of(answer)
    campaign.refresh_from_db()
    second = campaign.current_version
    assert second is not None
    assert second.number == 2
    skip = {"id", "number", "created_at", "template_version_id", "_state"}
    for name in vars(first).keys() - skip:
        if not name.startswith("_"):
            assert getattr(second, name) == getattr(first, name), name
    old, new = (
        {row.locale: row.fields for row in version.template_version.contents.all()}
        for version in (first, second)
    )
    assert new == old
    assert set(new) == {"en", "de"}


def read_form(form: Any) -> dict[str, Any]:
    """What a browser would send of a form as it is shown."""
    data: dict[str, Any] = {}
    for bound in form:
        widget = bound.field.widget
        value = bound.value()
        if hasattr(widget, "decompress"):
            parts = zip(widget.widgets_names, widget.decompress(value), strict=True)
            data |= {f"{bound.html_name}{part}": one for part, one in parts}
            continue
        shown = widget.format_value(value)
        if isinstance(shown, list):
            shown = shown[0] if shown else ""
        if widget.__class__.__name__ == "UnfoldBooleanSwitchWidget":
            shown = "on" if value else None
        if shown not in (None, ""):
            data[bound.html_name] = shown
    return data


def read_formset(formset: Any) -> dict[str, Any]:
    data = read_form(formset.management_form)
    for form in formset:
        data |= read_form(form)
    return data


@pytest.mark.parametrize(
    ("_case", "typed", "field"),
    [
        ("no topic", {}, "topic"),
        ("syntax", {"title": "{{ customer."}, "title"),
        ("filter", {"body": "{{ customer.x | shout }}"}, "body"),
        ("script", {"link": "javascript:alert(1)"}, "link"),
        ("image", {"image_url": "ftp://x/y.png"}, "image_url"),
        ("reserved", {"data": "google.x = 1"}, "data"),
        ("no pair", {"data": "hello"}, "data"),
        (
            "second button alone",
            {"button_2_title": "A", "button_2_link": "data:x"},
            "button_2_link",
        ),
        ("no event", {"kind": "event"}, "trigger_event"),
        ("no segment", {"kind": "segment_entered"}, "segment"),
        ("no local time", {"kind": "local"}, "local_send_at"),
        ("no interval", {"kind": "recurring"}, "interval"),
        ("operator", {"trigger_filters": "total ~ 5"}, "trigger_filters"),
        ("operand", {"trigger_filters": "total > much"}, "trigger_filters"),
        ("too long", {"ttl_s_n": "90", "ttl_s_unit": "86400"}, "__all__"),
        ("huge", {"ttl_s_n": "99999999999"}, "ttl_s"),
        ("zone", {"time_zone": "Mars/Base"}, "time_zone"),
        ("locale", {"default_locale": "<b>"}, "default_locale"),
        ("NUL", {"title": "a\x00b"}, "title"),
        ("priority", {"priority": "40000"}, "priority"),
        ("translation", {"translations-0-title": "Hallo"}, "__all__"),
        ("no formset", {"translations-TOTAL_FORMS": "x"}, "__all__"),
    ],
)
def test_a_fault_lands_on_its_field_and_nothing_is_saved(
    _case: str, typed: dict[str, Any], field: str, admin_client: Client
) -> None:
    topic = {} if _case == "no topic" else {"topic": make_topic().pk}
    answer = admin_client.post(ADD, fill_form(**topic, **typed))
    assert answer.status_code == 200
    assert list(faults_of(answer)) == [field]
    assert not Campaign.objects.exists()
    assert not AuditEntry.objects.filter(action="created").exists()


def test_a_fault_of_a_translation_lands_on_its_language(admin_client: Client) -> None:
    answer = admin_client.post(
        ADD,
        fill_form(
            topic=make_topic().pk,
            **{"translations-0-locale": "de", "translations-0-body": "{{ x | shout }}"},
        ),
    )
    form = answer.context["adminform"].form
    assert list(form.translations.forms[0].errors) == ["body"]


def test_whoever_saves_second_is_told_about_the_first(admin_client: Client) -> None:
    campaign = make_campaign()
    form = admin_client.get(page_of(campaign, "change")).context["adminform"].form
    mine = read_form(form) | read_formset(form.translations)
    assert admin_client.post(page_of(campaign, "change"), mine).status_code == 302
    answer = admin_client.post(page_of(campaign, "change"), mine)
    assert answer.status_code == 200
    assert "Somebody saved version 2" in str(faults_of(answer))
    assert CampaignVersion.objects.count() == 2


def test_a_running_campaign_keeps_its_kind_and_an_ended_one_is_closed(
    admin_client: Client,
) -> None:
    campaign = make_campaign()
    launch_campaign(campaign, by="test")
    form = admin_client.get(page_of(campaign, "change")).context["adminform"].form
    assert form.fields["kind"].disabled
    admin_client.post(page_of(campaign, "cancel"))
    answer = admin_client.get(page_of(campaign, "change"))
    assert answer["Location"] == page_of(campaign, "report")
    assert admin_client.post(page_of(campaign, "change"), {}).status_code == 403


def test_only_a_post_launches(admin_client: Client) -> None:
    campaign = make_campaign()
    make_reachable()
    assert admin_client.get(page_of(campaign, "launch")).status_code == 405
    campaign.refresh_from_db()
    assert campaign.state == "draft"
    answer = admin_client.post(page_of(campaign, "launch"))
    assert answer["Location"] == page_of(campaign, "report")
    campaign.refresh_from_db()
    assert campaign.state == "scheduled"
    [message] = get_messages(answer.wsgi_request)
    assert "Launched for 1 person;" in message.message


def test_errors_block_the_launch(admin_client: Client) -> None:
    campaign = make_campaign(body="")
    answer = admin_client.post(page_of(campaign, "launch"))
    assert answer["Location"] == page_of(campaign, "check")
    campaign.refresh_from_db()
    assert campaign.state == "draft"


@pytest.mark.parametrize("deed", ["launch", "pause", "resume", "cancel", "test"])
def test_each_deed_is_a_post_of_somebody_who_may(
    deed: str, admin_client: Client, login_as: Callable[[str], Client]
) -> None:
    campaign = make_campaign()
    url = page_of(campaign, deed)
    assert admin_client.get(url).status_code == 405
    assert login_as("Sales").post(url).status_code == 403
    campaign.refresh_from_db()
    assert campaign.state == "draft"
    assert not Delivery.objects.exists()


def test_pause_resume_and_cancel_move_the_state(admin_client: Client) -> None:
    campaign = make_campaign()
    launch_campaign(campaign, by="test")
    for deed, state in (
        ("pause", "paused"),
        ("pause", "paused"),
        ("resume", "scheduled"),
        ("cancel", "cancelled"),
        ("resume", "cancelled"),
    ):
        admin_client.post(page_of(campaign, deed))
        campaign.refresh_from_db()
        assert campaign.state == state


def test_a_test_send_leads_to_its_message(admin_client: Client) -> None:
    campaign, contact = make_campaign(), make_contact()
    make_device(contact)
    answer = admin_client.post(page_of(campaign, "test"), {"contact": contact.pk})
    delivery = Delivery.objects.get()
    assert answer["Location"].endswith(f"/{delivery.pk}/change/")
    for nobody in ("", "x", "999999", "9" * 40):
        admin_client.post(page_of(campaign, "test"), {"contact": nobody})
    assert Delivery.objects.count() == 1


def test_a_preview_shows_both_lock_screens_and_the_link(admin_client: Client) -> None:
    contact = make_reachable(traits={"first_name": "Ada <b>"})
    campaign = make_campaign(
        title="Hi {first_name}", body="b" * 100, link="myapp://products/shoes"
    )
    url = f"{page_of(campaign, 'preview')}?contact={contact.pk}"
    page = admin_client.get(url).content.decode()
    assert "Hi Ada &lt;b&gt;" in page
    assert "iPhone" in page
    assert "Android" in page
    assert "myapp://products/shoes?utm_source=push" in page
    assert "apr-rest" in page


def test_a_search_without_javascript_finds_people(admin_client: Client) -> None:
    make_contact(external_id="anna-1")
    campaign = make_campaign()
    page = admin_client.get(f"{page_of(campaign, 'preview')}?q=anna")
    assert "anna-1" in page.content.decode()


def test_the_report_moves_alone_while_it_runs(admin_client: Client) -> None:
    campaign = make_campaign()
    launch_campaign(campaign, by="test")
    url = page_of(campaign, "report")
    part = admin_client.get(url, headers={"hx-request": "true"}).content.decode()
    assert "<html" not in part
    assert 'hx-trigger="every 2s"' in part
    assert 'id="campaign-state" hx-swap-oob="true">Scheduled<' in part
    admin_client.post(page_of(campaign, "cancel"))
    answer = admin_client.get(url, headers={"hx-request": "true"})
    part = answer.content.decode()
    assert "hx-trigger" not in part
    assert answer["HX-Refresh"] == "true"


def test_the_reach_follows_what_the_form_says(admin_client: Client) -> None:
    make_reachable()
    make_contact()
    url = "/admin/notifications/campaign/audience/"
    topic = make_topic()
    assert "<b" in admin_client.get(f"{url}?topic={topic.pk}").content.decode()
    for query in ("?segment=999", "?segment=x", "?topic=99999", "?topic=x"):
        assert admin_client.get(url + query).status_code in (200, 404), query


def test_without_a_topic_the_form_asks_for_one_instead_of_counting(
    admin_client: Client,
) -> None:
    make_reachable()
    url = "/admin/notifications/campaign/audience/"
    assert "Choose a topic" in admin_client.get(url).content.decode()
    served = admin_client.get(f"{url}?purpose_class=transactional").content.decode()
    assert "Choose a topic" not in served
    assert "people" in served
