"""The data quality page: seven parts, and the deeds on them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from crm.admin import quality
from crm.models import (
    CountedDay,
    DuplicateSuspect,
    EventDay,
    EventName,
    PropertyKind,
    RejectedItem,
)
from crm.quality.duplicates import find_duplicates
from crm.tasks import count_events
from tests.factories import make_contact, make_event, make_purchase
from tests.staff import log_in, make_staff

pytestmark = pytest.mark.django_db
PAGE = "/admin/crm/eventday/"
PARTS = tuple(quality.PARTS)


@pytest.fixture
def shop() -> None:
    """Something to tell in every part."""
    now = timezone.now()
    make_purchase(make_contact("buyer"), "1", placed=100, refunded=130)
    for back in range(30):
        day = (now - timedelta(days=back)).date()
        count = 5 if back == 1 else 100
        CountedDay.objects.create(counted_on=day, events=count)
        EventDay.objects.create(
            counted_on=day, name="Viewed", source="segment", events=count, skewed=count
        )
    for name in ("Viewed Page", "viewed_page"):
        EventName.objects.create(name=name)
    for kind in ("text", "number"):
        PropertyKind.objects.create(name="Viewed", property="price", kind=kind)
    make_event(
        make_contact("ada", email="ada@example.com"),
        "Viewed",
        occurred_at=now,
        properties={"price": "9 EUR"},
    )
    make_contact("ada2", email="")
    type(make_contact("b")).objects.filter(external_id="ada2").update(
        email="ada@example.com"
    )
    find_duplicates()
    RejectedItem.objects.create(
        seen_on=now.date(),
        source="segment",
        code="required",
        path="event",
        message="A track call needs the event's name.",
        sample='{"event": "<script>"}',
        count=1_234,
    )


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("volume", "5 instead of the usual 100"),
        ("names", "The same but for capitals"),
        ("properties", "Properties that change their type"),
        ("people", "same e-mail"),
        ("clocks", "100.0 %"),
        ("rejected", "1,234"),
        ("orders", "30.00 EUR more was refunded"),
    ],
)
def test_each_part_tells_its_findings(
    part: str, said: str, admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(24):
        page = admin_client.get(PAGE, {"part": part}).content.decode()

    assert said in page
    assert "<script>" not in page.partition("Rejected, last seven days")[2][:2_000]


def test_days_that_are_not_counted_are_not_called_good(admin_client: Client) -> None:
    shown = admin_client.get(f"{PAGE}?part=volume").content.decode()

    assert "Nothing is judged before the days are counted" in shown
    assert "as often as" not in shown

    count_events()

    assert "as often as" in admin_client.get(f"{PAGE}?part=volume").content.decode()


@pytest.mark.parametrize("part", PARTS)
def test_each_part_of_an_empty_installation_says_so(
    part: str, admin_client: Client
) -> None:
    assert admin_client.get(PAGE, {"part": part}).status_code == 200


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    "query", ["?part=nothing", "?name=x", "?name=Viewed", "?part[]=1", "?q=%ff"]
)
def test_a_strange_question_gets_the_page(query: str, admin_client: Client) -> None:
    assert admin_client.get(PAGE + query).status_code == 200


@pytest.mark.usefixtures("shop")
def test_one_events_days_are_drawn(admin_client: Client) -> None:
    page = admin_client.get(PAGE, {"name": "Viewed"})

    assert page.context["chosen"].name == "Viewed"
    assert "Viewed" in page.context["chart"]["data"]


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_examples_come_as_a_piece_or_as_a_page(
    headers: dict[str, str], admin_client: Client
) -> None:
    answer = admin_client.get(
        f"{PAGE}examples/", {"name": "Viewed", "property": "price"}, headers=headers
    )

    text = answer.content.decode()
    assert "price: 9 EUR" in text
    assert ("<html" in text) is not bool(headers)


@pytest.mark.usefixtures("shop")
def test_two_people_are_told_apart_by_a_role_that_merges() -> None:
    row = DuplicateSuspect.objects.get()
    marketer = log_in(make_staff("mia", "Marketer"))
    seen = marketer.get(PAGE, {"part": "people"})
    assert (seen.status_code, b"Two people" in seen.content) == (200, False)
    assert marketer.post(f"{PAGE}apart/{row.pk}/").status_code == 403

    support = log_in(make_staff("sue", "Support"))
    assert b"Two people" in support.get(PAGE, {"part": "people"}).content
    assert support.post(f"{PAGE}apart/{row.pk}/").status_code == 302
    row.refresh_from_db()
    assert row.dismissed_by is not None
    assert row.dismissed_by.username == "sue"
    assert support.post(f"{PAGE}apart/{row.pk + 99}/").status_code == 404


@pytest.mark.usefixtures("shop")
def test_the_button_leads_to_the_merge_of_the_two(admin_client: Client) -> None:
    row = DuplicateSuspect.objects.get()
    link = f"/admin/crm/contact/{row.first_id}/merge/?other={row.second_id}"

    page = admin_client.get(PAGE, {"part": "people"}).content.decode()

    assert link in page
    assert admin_client.get(link).status_code == 200


def test_counting_is_rung_for(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(quality, "ring_bell", heard.append)

    assert admin_client.post(f"{PAGE}count/").status_code == 302
    assert admin_client.get(f"{PAGE}count/").status_code == 405
    assert heard == ["crm.tasks.count_events"]
    assert heard == [count_events.name]
