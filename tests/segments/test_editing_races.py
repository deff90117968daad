"""Staff at once: each edit judges what the one before it left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from rest_framework.test import APIClient

from segments.editing import delete_segment, save_segment
from segments.models import Segment
from tests.factories import make_api_key
from tests.segments.races import ADVISORY, start, wait_for_queue

pytestmark = pytest.mark.django_db(transaction=True)
EVERYONE = {"version": 1, "root": {"type": "everyone"}}
OPENED = {"version": 1, "root": {"type": "event", "name": "app_open"}}


@pytest.fixture
def segment(transactional_db: None) -> Iterator[Segment]:
    yield save_segment(name="A", rule=EVERYONE, actor="x", kind="static")
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE crm_auditentry")


def make_api_client() -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_api_key('admin')}")
    return client


def test_of_two_edits_at_once_the_later_one_stands(segment: Segment) -> None:
    stale = Segment.objects.select_related("current_version").get()
    with transaction.atomic():
        save_segment(name="B", rule=OPENED, actor="x", segment=segment)
        # By what it holds nothing would change.
        edit = start(
            lambda: save_segment(name="A", rule=EVERYONE, actor="y", segment=stale)
        )
        wait_for_queue(ADVISORY)
    edit.join(10)
    stored = Segment.objects.select_related("current_version").get()
    assert stored.current_version is not None
    assert (stored.name, stored.current_version.rule) == ("A", EVERYONE)
    assert [one.number for one in stored.versions.all()] == [3, 2, 1]


def test_a_call_that_waited_changes_what_it_names_alone(segment: Segment) -> None:
    client, url = make_api_client(), f"/api/segments/{segment.pk}/"
    with transaction.atomic():
        save_segment(name="B", rule=OPENED, actor="x", segment=segment)
        call = start(
            lambda: client.patch(url, {"description": "theirs"}, format="json")
        )
        wait_for_queue(ADVISORY)
    call.join(10)
    stored = Segment.objects.select_related("current_version").get()
    assert stored.current_version is not None
    assert (stored.name, stored.description) == ("B", "theirs")
    assert stored.current_version.rule == OPENED


def test_what_was_deleted_meanwhile_is_not_found(segment: Segment) -> None:
    api, staff = make_api_client(), Client()
    staff.force_login(User.objects.create_superuser("grace"))
    url, page = f"/api/segments/{segment.pk}/", f"/admin/segments/segment/{segment.pk}/"
    calls: list[Callable[[], Any]] = [
        lambda: api.patch(url, {"name": "B"}, format="json"),
        lambda: api.delete(url),
        lambda: api.post(f"{url}restore/", {"version": 1}, format="json"),
        lambda: api.post(f"{url}members/", {"contacts": []}, format="json"),
        lambda: staff.post(f"{page}change/", {"do": "save", "name": "B"}),
        lambda: staff.post(f"{page}delete/", {"post": "yes"}),
        lambda: staff.post(f"{page}restore/", {"version": "1"}),
    ]
    found: list[int] = []
    with transaction.atomic():
        delete_segment(segment, actor="x")
        threads = [
            start(lambda call=call: found.append(call().status_code))  # type: ignore[misc]
            for call in calls
        ]
        wait_for_queue(ADVISORY, waiting=len(calls))
    for thread in threads:
        thread.join(20)
    assert found == [404] * len(calls)
