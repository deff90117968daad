"""The tracking plan in the admin."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from crm.models import EventName, PlannedEvent
from crm.quality.expectations import Expected
from crm.quality.plan import save_planned
from tests.factories import make_contact, make_event
from tests.staff import log_in, make_staff

pytestmark = pytest.mark.django_db
PAGE = "/admin/crm/plannedevent/"


def test_an_event_is_planned_changed_and_dropped() -> None:
    mia = make_staff("mia", "Marketer")
    browser = log_in(mia)
    body = {"name": "Viewed", "owner": mia.pk, "expected": "price number required"}
    assert browser.post(f"{PAGE}add/", body).status_code == 302
    event = PlannedEvent.objects.get()
    assert (event.owner, len(event.properties)) == (mia, 1)

    own = f"{PAGE}{event.pk}/"
    page = browser.get(f"{own}change/").content.decode()
    assert "price number required" in page
    assert "No event of this name" in page
    browser.post(f"{own}change/", {"expected": "", "description": "Seen"})
    event.refresh_from_db()
    assert (event.name, event.description, event.properties) == ("Viewed", "Seen", [])
    assert browser.post(f"{own}delete/", {"post": "yes"}).status_code == 302
    assert not PlannedEvent.objects.exists()


def test_a_line_that_is_none_is_refused_in_words(admin_client: Client) -> None:
    body = {"name": "Viewed", "expected": "price money"}
    answer = admin_client.post(f"{PAGE}add/", body)

    assert answer.status_code == 200
    assert "“price money”: a name, then one of" in answer.content.decode()
    assert not PlannedEvent.objects.exists()


def test_violations_stand_on_the_page_with_the_way_to_a_fix(
    admin_client: Client,
) -> None:
    planned = PlannedEvent(name="Viewed")
    save_planned(planned, expected=[Expected("price", "number")], actor="test")
    EventName.objects.create(name="Viewed")
    make_event(
        make_contact("ada"),
        "Viewed",
        occurred_at=timezone.now(),
        properties={"price": "9", "<script>": 1},
    )

    page = admin_client.get(f"{PAGE}{planned.pk}/change/").content.decode()

    assert "is text, not number" in page
    assert "&lt;script&gt;" in page
    assert "?kind=coerce&amp;name=Viewed&amp;key=price&amp;target=number" in page
    listed = admin_client.get(PAGE).content.decode()
    assert "live" in listed


def test_the_names_page_tells_the_gaps(admin_client: Client) -> None:
    EventName.objects.create(name="Wild")
    save_planned(PlannedEvent(name="Bought"), expected=[], actor="test")

    page = admin_client.get("/admin/crm/eventday/?part=names").content.decode()

    assert f"{PAGE}add/?name=Wild" in page
    assert "Planned, and never seen" in page


def test_support_reads_the_plan_and_changes_nothing() -> None:
    planned = save_planned(PlannedEvent(name="Viewed"), expected=[], actor="test")
    sue = log_in(make_staff("sue", "Support"))

    assert sue.get(PAGE).status_code == 200
    assert sue.get(f"{PAGE}{planned.pk}/change/").status_code == 200
    assert sue.post(f"{PAGE}{planned.pk}/change/", {"expected": ""}).status_code == 403
    assert sue.get(f"{PAGE}add/").status_code == 403
