"""Campaigns over the API: what is shown, and who may steer."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from rest_framework.test import APIClient

from crm.models import AuditEntry
from notifications.analytics.conversions import match_conversions
from notifications.campaigns.compose import Definition, Text, save_campaign
from notifications.models import Campaign
from tests.factories import NOON, make_campaign, make_delivery, make_event, make_sender
from tests.notifications.api.conftest import wait_for_ring

pytestmark = pytest.mark.django_db
ByKey = Callable[..., APIClient]


def make_draft(name: str = "Welcome") -> Campaign:
    """A draft that is ready to launch."""
    make_sender(is_default=True)
    definition = Definition(
        name,
        {"purpose_class": "transactional"},
        (Text({"title": "Hello", "body": "Good to see you"}),),
    )
    return save_campaign(definition, by="test")


def state_of(campaign: Campaign) -> str:
    campaign.refresh_from_db()
    return campaign.state


def test_list_shows_state_version_and_counts_newest_first(by_key: ByKey) -> None:
    older = make_campaign("Older", goal_event="Order Completed")
    make_delivery(older)
    make_delivery(older, state="skipped", reason="capped")
    newer = make_campaign("Newer", state="draft")

    found = by_key("read").get("/api/campaigns/").json()["results"]

    assert [row["id"] for row in found] == [newer.pk, older.pk]
    assert found[0]["counts"] == {}
    assert found[1]["state"] == "running"
    assert found[1]["counts"] == {"sent": 1, "skipped": 1}
    assert found[1]["version"]["number"] == 1
    assert found[1]["version"]["kind"] == "once"
    assert found[1]["version"]["goal_event"] == "Order Completed"
    assert found[1]["version"]["segment"] is None


def test_list_goes_on_from_where_it_stopped(by_key: ByKey) -> None:
    campaigns = [make_campaign() for _ in range(3)]
    client = by_key("read")

    first = client.get("/api/campaigns/?page_size=2").json()
    make_campaign("Came meanwhile")
    second = client.get(first["next"]).json()

    ids = [row["id"] for row in first["results"] + second["results"]]
    assert ids == [row.pk for row in reversed(campaigns)]
    assert second["next"] is None


def test_list_takes_the_same_queries_whatever_the_size(
    by_key: ByKey, django_assert_max_num_queries: Any
) -> None:
    client = by_key("read")
    client.get("/api/campaigns/")
    for _ in range(4):
        make_delivery(make_campaign())

    with django_assert_max_num_queries(2):
        client.get("/api/campaigns/")


def test_report_is_the_same_figures_as_json(by_key: ByKey) -> None:
    campaign = make_campaign("Win back", goal_event="Order Completed")
    bought = make_delivery(campaign, opened_at=NOON, delivered_at=NOON)
    make_delivery(campaign)
    make_delivery(campaign, state="skipped", reason="capped")
    match_conversions(
        [
            make_event(
                bought.contact, occurred_at=NOON, value=Decimal("12.5"), currency="GBP"
            )
        ]
    )

    shown = by_key("read").get(f"/api/campaigns/{campaign.pk}/report/").json()

    assert (shown["name"], shown["is_sandbox"]) == ("Win back", True)
    assert (shown["planned"], shown["sent"], shown["opened"]) == (3, 2, 1)
    assert [(row["reason"], row["count"]) for row in shown["skips"]] == [("capped", 1)]
    assert shown["skips"][0]["sentence"].startswith("They already had")
    assert shown["rates"]["open_rate"]["share"] == 0.5
    assert shown["rates"]["open_rate"]["numerator"] == 1
    assert shown["revenue"] == [
        {
            "currency": "GBP",
            "gross": "12.5000",
            "refunded": "0.0000",
            "total": "12.5000",
            "conversions": 1,
            "per_send": "6.2500",
            "per_delivered": "12.5000",
        }
    ]
    assert shown["conversion_median_s"] == 0
    assert shown["days"] == [
        {"on": "2026-03-04", "sent": 2, "opened": 1, "clicked": 0, "converted": 1}
    ]


@pytest.mark.parametrize(
    "path", ["/api/campaigns/999999/", "/api/campaigns/999999/report/"]
)
def test_unknown_campaign_is_not_found(by_key: ByKey, path: str) -> None:
    response = by_key("read").get(path)

    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_campaign_is_launched_paused_resumed_and_cancelled(by_key: ByKey) -> None:
    campaign = make_draft()
    client = by_key("send")
    seen = [
        client.post(f"/api/campaigns/{campaign.pk}/{step}/", said, format="json")
        for step, said in (
            ("launch", {}),
            ("pause", {"reason": "Typo"}),
            ("resume", {}),
            ("cancel", {}),
        )
    ]

    assert [answer.status_code for answer in seen] == [200] * 4
    assert [answer.json()["state"] for answer in seen] == [
        "scheduled",
        "paused",
        "scheduled",
        "cancelled",
    ]
    assert seen[1].json()["paused_reason"] == "Typo"
    trail = AuditEntry.objects.filter(object_type="notifications.campaign").order_by(
        "pk"
    )
    actions = [entry.action for entry in trail]
    assert actions[-4:] == ["launched", "paused", "resumed", "cancelled"]
    assert trail.last().actor_name.startswith("api:apr_")  # type: ignore[union-attr]


def test_a_launch_waits_for_no_tick(
    by_key: ByKey, rings: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    campaign, client = make_draft(), by_key("send")

    with django_capture_on_commit_callbacks(execute=True):
        client.post(f"/api/campaigns/{campaign.pk}/launch/")

    wait_for_ring(rings)
    assert rings == ["notifications.tasks.tick"]


def test_step_that_the_state_forbids_is_a_conflict(by_key: ByKey) -> None:
    campaign = make_draft()

    response = by_key("send").post(f"/api/campaigns/{campaign.pk}/pause/")

    assert response.status_code == 409
    assert response.json()["code"] == "illegal_transition"
    assert (
        response.json()["message"] == "A campaign that is draft cannot become paused."
    )
    assert state_of(campaign) == "draft"


def test_launch_names_what_is_missing(by_key: ByKey) -> None:
    campaign = make_campaign(state="draft")

    response = by_key("send").post(f"/api/campaigns/{campaign.pk}/launch/")

    assert (response.status_code, response.json()["path"]) == (400, "title")
    assert response.json()["message"] == "Write the message first."
    assert state_of(campaign) == "draft"


def test_bad_reason_is_refused(by_key: ByKey) -> None:
    campaign = make_campaign()

    response = by_key("send").post(
        f"/api/campaigns/{campaign.pk}/pause/", {"reason": "x" * 301}, format="json"
    )

    assert (response.status_code, response.json()["path"]) == (400, "reason")
    assert state_of(campaign) == "running"


@pytest.mark.parametrize(
    ("scopes", "reads", "steers"),
    [
        (("track",), 403, 403),
        (("read",), 200, 403),
        (("send",), 403, 200),
        (("admin",), 200, 200),
    ],
)
def test_key_needs_its_scope(
    by_key: ByKey, scopes: tuple[str, ...], reads: int, steers: int
) -> None:
    campaign = make_campaign()
    client = by_key(*scopes)

    assert client.get(f"/api/campaigns/{campaign.pk}/report/").status_code == reads
    assert client.post(f"/api/campaigns/{campaign.pk}/pause/").status_code == steers
    assert state_of(campaign) == ("paused" if steers == 200 else "running")


@pytest.mark.parametrize(
    ("codes", "reads", "steers"),
    [
        ((), 403, 403),
        (("view_campaign",), 200, 403),
        (("change_campaign",), 403, 403),
        (("view_campaign", "launch_campaign"), 200, 200),
    ],
)
def test_staff_need_the_right(
    by_staff: ByKey, codes: tuple[str, ...], reads: int, steers: int
) -> None:
    campaign = make_campaign()
    client = by_staff(*codes)

    assert client.get("/api/campaigns/").status_code == reads
    assert client.post(f"/api/campaigns/{campaign.pk}/pause/").status_code == steers


def test_nobody_reads_without_a_key() -> None:
    assert APIClient().get("/api/campaigns/").status_code == 401
    assert APIClient().post("/api/campaigns/1/launch/").status_code == 401
