"""The endpoint devices report to: signed, idempotent, open to any origin."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from crm.models import Event
from notifications.delivery.report_token import sign_report
from notifications.models import Delivery, Engagement
from tests.factories import make_campaign, make_delivery
from tests.notifications.api.conftest import wait_for_ring

pytestmark = pytest.mark.django_db
UNKNOWN = {
    "code": "not_found",
    "path": "",
    "message": "There is nothing here.",
    "detail": "There is nothing here.",
}


@pytest.fixture
def delivery() -> Delivery:
    return make_delivery(make_campaign(), gated_at=timezone.now())


def post(delivery_id: object, body: Any, **extra: Any) -> Any:
    client = Client(enforce_csrf_checks=True, raise_request_exception=True)
    return client.post(
        f"/v1/push/{delivery_id}/events",
        body if isinstance(body, bytes) else json.dumps(body),
        content_type=extra.pop("content_type", "application/json"),
        **extra,
    )


def say(delivery: Delivery, **said: Any) -> dict[str, Any]:
    token = sign_report(delivery.pk)
    return {"event": "opened", "token": token, "client_id": "c1", **said}


def test_report_is_accepted_once_and_rings(
    delivery: Delivery, rings: list[str]
) -> None:
    first = post(delivery.pk, say(delivery))
    again = post(delivery.pk, say(delivery))

    assert (first.status_code, first.json()) == (200, {"accepted": 1, "duplicates": 0})
    assert (again.status_code, again.json()) == (200, {"accepted": 0, "duplicates": 1})
    wait_for_ring(rings)
    assert set(rings) == {"notifications.tasks.process_events"}
    delivery.refresh_from_db()
    assert delivery.opened_at is not None


def test_several_reports_in_one_request(delivery: Delivery) -> None:
    events = [
        {"event": "delivered", "client_id": "c1"},
        {"event": "opened", "client_id": "c1"},
        {"event": "opened", "client_id": "c1"},
    ]

    response = post(delivery.pk, {"token": sign_report(delivery.pk), "events": events})

    assert response.json() == {"accepted": 2, "duplicates": 1}
    assert Engagement.objects.count() == 2


def test_forged_token_and_unknown_message_get_the_same_answer(
    delivery: Delivery,
) -> None:
    other = make_delivery(make_campaign())
    token = sign_report(delivery.pk)
    nobody = uuid.uuid4()
    answers = [
        post(delivery.pk, say(delivery, token="x" * 22)),
        post(delivery.pk, say(delivery, token="")),
        post(delivery.pk, say(delivery, token="é")),
        post(delivery.pk, {**say(delivery), "token": sign_report(other.pk)}),
        post(nobody, {**say(delivery), "token": sign_report(nobody)}),
        post("not-a-uuid", say(delivery)),
        post(
            delivery.pk,
            {
                "token": token,
                "events": [
                    {"event": "opened", "client_id": "a"},
                    {"event": "opened", "client_id": "b", "token": "forged"},
                ],
            },
        ),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert [answer.json() for answer in answers] == [UNKNOWN] * len(answers)
    assert Engagement.objects.count() == Event.objects.count() == 0


def test_bad_body_changes_nothing(delivery: Delivery) -> None:
    events = [
        {"event": "opened", "client_id": "a"},
        {"event": "opened", "client_id": "b", "at": "never"},
    ]

    response = post(delivery.pk, {"token": sign_report(delivery.pk), "events": events})

    assert response.status_code == 400
    assert response.json()["code"] == "invalid_timestamp"
    assert response.json()["path"] == "events[1].at"
    assert Engagement.objects.count() == 0


def test_report_on_an_old_message_is_gone(delivery: Delivery) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(gated_at="2020-01-01T00:00:00Z")

    response = post(delivery.pk, say(delivery))

    assert (response.status_code, response.json()["code"]) == (410, "too_late")


@pytest.mark.parametrize("method", ["get", "put", "delete", "head"])
def test_other_methods_are_refused(delivery: Delivery, method: str) -> None:
    response = getattr(Client(), method)(f"/v1/push/{delivery.pk}/events")

    assert response.status_code == 405
    assert response["Allow"] == "POST, OPTIONS"
    assert response["Content-Type"] == "application/json"


def test_service_workers_of_any_origin_may_report(delivery: Delivery) -> None:
    url = f"/v1/push/{delivery.pk}/events"
    asked = Client().options(url, headers={"Origin": "https://shop.example"})
    told = post(delivery.pk, say(delivery), HTTP_ORIGIN="https://shop.example")
    refused = post(delivery.pk, {}, HTTP_ORIGIN="https://shop.example")

    assert (asked.status_code, asked.content) == (204, b"")
    assert "Content-Type" in asked["Access-Control-Allow-Headers"]
    for answer in (asked, told, refused):
        assert answer["Access-Control-Allow-Origin"] == "*"


def test_form_of_a_page_without_javascript_goes_back_to_it(delivery: Delivery) -> None:
    form = "&".join(
        [
            "event=clicked",
            f"token={sign_report(delivery.pk)}",
            "client_id=projects/p/messages/1",
            "button=0",
            "next=/sandbox/%3Fdevice%3Dab%26done%3Dclicked",
        ]
    )

    response = post(
        delivery.pk,
        form.encode(),
        content_type="application/x-www-form-urlencoded",
    )

    assert response.status_code == 303
    assert response["Location"] == "/sandbox/?device=ab&done=clicked"
    assert Engagement.objects.get().kind == "clicked"


def test_form_never_leads_to_another_site(delivery: Delivery) -> None:
    token = sign_report(delivery.pk)
    form = f"event=opened&token={token}&client_id=c&next=//evil.example/"

    response = post(delivery.pk, form.encode())

    assert (response.status_code, response.json()["path"]) == (400, "next")
    assert Engagement.objects.count() == 0


def test_leaked_word_can_not_fill_the_road(delivery: Delivery) -> None:
    token = sign_report(delivery.pk)
    events = [{"event": "opened", "client_id": str(n)} for n in range(100)]
    flood = post(delivery.pk, {"token": token, "events": events})

    more = post(delivery.pk, say(delivery, client_id="one more"))

    assert flood.json() == {"accepted": 100, "duplicates": 0}
    assert (more.status_code, more.json()["code"]) == (429, "too_many_reports")
    assert Engagement.objects.count() == 100
