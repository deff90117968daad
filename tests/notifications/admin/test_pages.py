"""Every page answers: with rows and without, to whom it is for and to nobody else."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from notifications.delivery.breaker import open_breaker
from notifications.delivery.switches import stop_sending
from notifications.models import Alert, Attempt, Delivery, RenderedMessage
from notifications.reasons import Reason
from tests.factories import make_campaign, make_contact, make_delivery

pytestmark = pytest.mark.django_db

LISTS = (
    "/admin/",
    "/admin/?days=30",
    *(
        f"/admin/notifications/{model}/"
        for model in (
            "alert",
            "campaign",
            "delivery",
            "frequencycap",
            "quiethours",
            "sender",
            "switch",
            "template",
        )
    ),
    "/admin/auth/user/",
    "/admin/auth/group/",
    "/admin/django_celery_beat/periodictask/",
    "/admin/django_celery_beat/intervalschedule/",
    "/admin/django_celery_beat/crontabschedule/",
)
FORMS = (
    *(
        f"/admin/notifications/{model}/add/"
        for model in ("campaign", "frequencycap", "quiethours", "sender", "template")
    ),
    "/admin/auth/user/add/",
    "/admin/django_celery_beat/crontabschedule/add/",
    "/admin/django_celery_beat/intervalschedule/add/",
)


def make_history() -> list[Delivery]:
    """One message in each state, with what hangs on it."""
    campaign = make_campaign(goal_event="Order Completed")
    rows = []
    for state in Delivery.State:
        reason = "capped" if state in ("skipped", "failed", "cancelled") else ""
        fields: dict[str, Any] = {"state": state, "reason": reason}
        if state in ("claimed", "sending"):
            fields |= {"lease": uuid.uuid4(), "lease_until": timezone.now()}
        rows.append(make_delivery(campaign, **fields))
    sent = next(row for row in rows if row.state == "sent")
    Attempt.objects.create(
        delivery=sent,
        contact=sent.contact,
        number=1,
        channel="push",
        state="sent",
        lease=uuid.uuid4(),
        gated_at=sent.gated_at,
    )
    RenderedMessage.objects.create(
        delivery_id=sent.pk,
        created_at=timezone.now(),
        contact=sent.contact,
        locale="en",
        fields={"title": "Hi <b>", "body": "a\nb", "link": "", "buttons": []},
    )
    Alert.objects.raise_once(cause="test", text="Something broke", url="/admin/")
    open_breaker(sent.sender, platform="", reason="503")
    stop_sending("channel:push", by="test")
    return rows


@pytest.mark.parametrize("path", [*LISTS, *FORMS])
def test_each_page_answers_with_nothing_in_it(path: str, admin_client: Client) -> None:
    assert admin_client.get(path).status_code == 200


def test_each_page_answers_with_rows_in_thirty_queries(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    rows = make_history()
    campaign = rows[0].campaign_id
    pages = [
        *LISTS,
        *(
            f"/admin/notifications/campaign/{campaign}/{page}/"
            for page in ("change", "preview", "check", "report", "people")
        ),
        f"/admin/notifications/sender/{rows[0].sender_id}/change/",
        f"/admin/notifications/delivery/?campaign={campaign}&state=skipped",
        "/admin/notifications/delivery/?q=user",
    ]
    for page in pages:
        with django_assert_max_num_queries(30):
            assert admin_client.get(page).status_code == 200, page


def test_each_message_says_what_became_of_it(admin_client: Client) -> None:
    for row in make_history():
        page = admin_client.get(f"/admin/notifications/delivery/{row.pk}/change/")
        assert page.status_code == 200
        if row.reason:
            assert Reason.CAPPED.sentence in page.content.decode()


@pytest.mark.parametrize(
    "query",
    [
        "?campaign=x",
        "?campaign=9999999999999999999999",
        "?state=nonsense",
        "?reason=%27",
        "?p=x",
        "?q=%F0%9F%98%80",
        "?o=1.2",
    ],
)
def test_a_list_takes_any_question(query: str, admin_client: Client) -> None:
    make_delivery(make_campaign())
    page = admin_client.get(f"/admin/notifications/delivery/{query}")
    assert page.status_code in (200, 302, 400)


@pytest.mark.parametrize(
    ("_case", "role", "path", "status"),
    [
        ("writes", "Marketer", "campaign/add/", 200),
        ("reads", "Support", "campaign/", 200),
        ("writes none", "Support", "campaign/add/", 403),
        ("writes none", "Sales", "template/add/", 403),
        ("no keys", "Marketer", "sender/add/", 403),
        ("keys", "Administrator", "sender/add/", 200),
        ("messages", "Sales", "delivery/", 200),
        ("limits", "Approver", "frequencycap/", 200),
        ("sets none", "Approver", "frequencycap/add/", 403),
    ],
)
def test_a_role_sees_its_pages(
    _case: str, role: str, path: str, status: int, login_as: Callable[[str], Client]
) -> None:
    page = login_as(role).get(f"/admin/notifications/{path}")
    assert page.status_code == status


def test_the_sidebar_holds_what_the_role_may_see(
    login_as: Callable[[str], Client],
) -> None:
    seen = login_as("Sales").get("/admin/").content.decode()
    assert "/admin/notifications/campaign/" in seen
    assert "/admin/crm/apikey/" not in seen
    everything = login_as("Administrator").get("/admin/").content.decode()
    assert "/admin/crm/apikey/" in everything


def test_staff_without_a_role_get_an_empty_frame(client: Client) -> None:
    client.force_login(User.objects.create_user("new", is_staff=True))
    assert client.get("/admin/").status_code == 200
    assert client.get("/admin/notifications/campaign/").status_code == 403


def test_a_first_run_shows_the_first_steps(admin_client: Client) -> None:
    page = admin_client.get("/admin/").content.decode()
    assert "Four steps to the first message" in page
    make_campaign()
    assert "Four steps" not in admin_client.get("/admin/").content.decode()


def test_the_overview_counts_what_was_sent(admin_client: Client) -> None:
    at = timezone.now() - timedelta(hours=1)
    make_delivery(make_campaign(), make_contact(), sent_at=at, finished_at=at)
    page = admin_client.get("/admin/")
    assert page.context["overview"].totals.sent == 1
    assert 'data-type="line"' in page.content.decode()
