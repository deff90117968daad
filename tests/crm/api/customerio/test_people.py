"""Customer.io's Track API, v1: each call becomes the rows it means."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from django.utils import timezone

from crm.models import AuditEntry, Contact, Device, Event, PendingEvent
from crm.privacy import erase_contact
from preferences.centers import ensure_default_center
from preferences.models import ConsentRecord, Suppression
from preferences.suppressions import suppress_contact
from tests.callers import Caller
from tests.factories import (
    make_contact,
    make_device,
    make_event,
    make_sender,
)

pytestmark = pytest.mark.django_db
AT = 1_741_089_600  # 2025-03-04 12:00 UTC
NOON = datetime(2025, 3, 4, 12, tzinfo=UTC)
TAKEN = {
    "success": True,
    "accepted": 1,
    "duplicates": 0,
    "suppressed": 0,
    "rejected": [],
}


def test_identify_tells_a_profile_in_their_words(api: Caller) -> None:
    body = {
        "email": "Ada@Example.com",
        "created_at": AT,
        "plan": "pro",
        "nickname": "",
        "anonymous_id": "browser-1",
        "_timestamp": AT,
        "cio_relationships": {
            "action": "add_relationships",
            "relationships": [
                {
                    "identifiers": {"object_type_id": "1", "object_id": "acme"},
                    "relationship_attributes": {"role": "owner"},
                }
            ],
        },
    }
    assert api.do("PUT", "/api/v1/customers/ada", body)["accepted"] == 2
    ada = Contact.objects.get()
    assert ada.traits == {"email": "Ada@Example.com", "created_at": AT, "plan": "pro"}
    assert ada.traits_at["plan"] == AT
    assert (ada.external_id, ada.email) == ("ada", "Ada@Example.com")
    assert set(ada.identifiers.values_list("kind", "value")) == {
        ("external_id", "ada"),
        ("anonymous_id", "browser-1"),
        ("email", "ada@example.com"),
    }
    group = Event.objects.get()
    assert (group.name, group.source) == ("$group", "customerio")
    assert group.properties == {
        "group_id": "acme",
        "object_type_id": "1",
        "traits": {"role": "owner"},
    }


def test_a_call_rings_the_bell(api: Caller, rings: list[str]) -> None:
    api.do("PUT", "/api/v1/customers/ada", {})
    ends = time.monotonic() + 5
    while not rings and time.monotonic() < ends:
        time.sleep(0.02)
    assert rings


def test_an_empty_attribute_is_removed_and_an_older_word_yields(api: Caller) -> None:
    api.do("PUT", "/api/v1/customers/ada", {"plan": "pro", "city": "Ulm"})
    api.do("PUT", "/api/v1/customers/ada", {"plan": "", "city": None})
    api.do("PUT", "/api/v1/customers/ada", {"plan": "old", "_timestamp": AT})
    assert Contact.objects.get().traits == {}


def test_update_only_makes_nobody(api: Caller) -> None:
    answer = api.do("PUT", "/api/v1/customers/ada", {"plan": "pro", "_update": True})
    assert answer["accepted"] == 0
    assert not Contact.objects.exists()
    make_contact("ada")
    api.do("PUT", "/api/v1/customers/ada", {"plan": "pro", "_update": True})
    assert Contact.objects.get().traits == {"plan": "pro"}


@pytest.mark.parametrize("name", ["a/b", "Ünï 1", "x" * 249, "a@b", "cio_1"])
def test_any_id_in_the_path_is_that_id(api: Caller, name: str) -> None:
    path = f"/api/v1/customers/{quote(name, safe='')}"
    api.do("PUT", path, {"plan": "pro"})
    api.do("POST", f"{path}/events", {"name": "Seen"})
    assert Contact.objects.get().external_id == name
    assert Event.objects.get().name == "Seen"


def test_events_pages_and_screens_keep_their_time_and_id(api: Caller) -> None:
    path = "/api/v1/customers/ada/events"
    order = {"name": " Order ", "data": {"total": 9.5}, "timestamp": AT, "id": "01H"}
    page = {"type": "page", "name": "/shop", "data": {"ref": "x"}, "timestamp": AT + 1}
    assert api.do("POST", path, order) == TAKEN
    assert api.do("POST", path, order) == {**TAKEN, "accepted": 0, "duplicates": 1}
    api.do("POST", path, page)
    api.do("POST", path, {"type": "screen", "name": "Cart", "timestamp": str(AT + 2)})
    told = Event.objects.order_by("occurred_at")
    assert [(e.name, e.properties, e.occurred_at.second) for e in told] == [
        ("Order", {"total": 9.5}, 0),
        ("Page Viewed", {"name": "/shop", "ref": "x"}, 1),
        ("Screen Viewed", {"name": "Cart"}, 2),
    ]
    assert (told[0].message_id, told[0].occurred_at) == ("01H", NOON)
    assert Contact.objects.get().known_since == NOON


def test_an_anonymous_event_finds_its_person_later(api: Caller) -> None:
    event = {"name": "Seen", "anonymous_id": "browser-1", "timestamp": AT}
    api.do("POST", "/api/v1/events", event)
    assert Contact.objects.get().external_id is None
    api.do("PUT", "/api/v1/customers/ada", {"anonymous_id": "browser-1"})
    assert Event.objects.get().contact.external_id == "ada"
    assert Contact.objects.canonical().count() == 1


def test_somebody_known_by_email_alone_gets_an_id_later(api: Caller) -> None:
    path = "/api/v1/customers/Ada%40example.com"
    api.do("POST", f"{path}/events", {"name": "Seen"})
    api.do("PUT", path, {"plan": "pro", "anonymous_id": "browser-1"})
    ada = Contact.objects.get()
    assert (ada.external_id, ada.email) == (None, "Ada@example.com")
    api.do("PUT", "/api/v1/customers/42", {"email": "ada@example.com"})
    ada = Contact.objects.get()
    assert (ada.external_id, ada.traits["plan"]) == ("42", "pro")
    api.do("POST", f"{path}/events", {"name": "Seen"})
    assert Event.objects.filter(contact=ada).count() == 2
    assert ada.identifiers.filter(value="browser-1").exists()


def test_an_address_that_nobody_can_write_to_is_still_one_person(api: Caller) -> None:
    path = "/api/v1/customers/x%40y.z"
    for _ in range(2):
        api.do("POST", f"{path}/events", {"name": "Seen"})
    device = {"device": {"id": "t1", "platform": "ios"}}
    api.do("PUT", f"{path}/devices", device)
    nobody = Contact.objects.get()
    assert (nobody.email, nobody.traits) == ("", {"email": "x@y.z"})
    assert Device.objects.get().contact == nobody


def test_an_id_can_be_told_of_an_address_once(api: Caller) -> None:
    api.do("PUT", "/api/v1/customers/ada%40example.com", {"plan": "pro"})
    api.do("PUT", "/api/v1/customers/ada%40example.com", {"id": "42"})
    assert Contact.objects.get().external_id == "42"
    refused = api.send("PUT", "/api/v1/customers/ada%40example.com", {"id": "43"})
    assert (refused.status_code, refused.json()["path"]) == (400, "id")
    assert Contact.objects.get().external_id == "42"


def test_two_people_of_one_browser_stay_two(api: Caller) -> None:
    for name in ("ada", "bob"):
        path = f"/api/v1/customers/{name}%40example.com"
        api.do("PUT", path, {"anonymous_id": "shared"})
    assert Contact.objects.canonical().count() == 2


def test_a_cio_id_is_the_contact_itself(api: Caller) -> None:
    ada = make_contact("ada", email="ada@example.com")
    found = api.do("GET", "/v1/customers?email=ADA%40example.com")
    name = f"cio_{ada.uuid.hex}"
    assert found == {
        "results": [{"cio_id": name, "id": "ada", "email": "ada@example.com"}]
    }
    api.do("PUT", f"/api/v1/customers/{name}", {"plan": "pro"})
    ada.refresh_from_db()
    assert ada.traits == {"plan": "pro"}
    unknown = api.send("PUT", f"/api/v1/customers/cio_{'0' * 32}", {"plan": "pro"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert api.do("GET", "/v1/customers?email=no%40example.com") == {"results": []}


def test_a_device_is_added_in_the_shape_of_either_sdk(api: Caller) -> None:
    flat = {"id": "t:1", "platform": "ios", "last_used": AT, "app_version": "1.2"}
    nested = {
        "id": "t:1",
        "platform": "ios",
        "attributes": {
            "device_locale": "de-DE",
            "push_enabled": "false",
            "tier": "beta",
        },
    }
    path = "/api/v1/customers/ada/devices"
    api.do("PUT", path, {"device": flat})
    device = Device.objects.get()
    assert device.contact.external_id == "ada"
    assert (device.token, device.platform, device.app_version) == ("t:1", "ios", "1.2")
    assert (device.last_seen_at, device.permission) == (NOON, "unknown")
    api.do("PUT", path, {"device": nested})
    device.refresh_from_db()
    assert (device.locale, device.permission) == ("de-DE", "denied")
    assert device.attributes == {"tier": "beta"}
    assert PendingEvent.objects.filter(name="$device").count() == 2


def test_a_deleted_device_is_gone_for_its_owner_only(api: Caller) -> None:
    mine, other = make_device(make_contact("ada")), make_device()
    for device in (mine, other):
        token = quote(device.token, safe="")
        path = f"/api/v1/customers/ada/devices/{token}"
        assert api.do("DELETE", path, {})["accepted"] == 1
    mine.refresh_from_db()
    other.refresh_from_db()
    assert (mine.state, other.state) == ("gone", "active")
    again = {"device": {"id": mine.token, "platform": "android"}}
    api.do("PUT", "/api/v1/customers/ada/devices", again)
    mine.refresh_from_db()
    assert (mine.state, mine.gone_at) == ("active", None)


def test_a_merge_keeps_the_primary_and_can_be_repeated(api: Caller) -> None:
    keep = make_contact("keep", traits={"plan": "pro"}, traits_at={"plan": 1.0})
    newer = {"plan": "free", "city": "Ulm"}
    goes = make_contact(
        "goes",
        email="old@example.com",
        traits=newer,
        traits_at=dict.fromkeys(newer, 2.0),
    )
    make_event(goes)
    body = {"primary": {"id": "keep"}, "secondary": {"email": "old@example.com"}}
    for _ in range(2):
        api.do("POST", "/api/v1/merge_customers", body)
    goes.refresh_from_db()
    keep.refresh_from_db()
    assert keep.traits == {"plan": "pro", "city": "Ulm"}
    assert (goes.canonical, Event.objects.get().contact) == (keep, keep)
    assert AuditEntry.objects.filter(action="merged").count() == 1
    body["secondary"] = {"id": "nobody"}
    answer = api.send("POST", "/api/v1/merge_customers", body)
    assert (answer.status_code, answer.json()["path"]) == (404, "secondary.id")


def test_delete_erases_and_the_next_call_makes_somebody_new(api: Caller) -> None:
    ada = make_contact("ada", email="ada@example.com", traits={"plan": "pro"})
    make_device(ada)
    make_event(ada)
    for body in (b"", {}):
        api.do("DELETE", "/api/v1/customers/ada", body)
    ada.refresh_from_db()
    assert ada.erased_at is not None
    assert (ada.email, ada.traits, ada.identifiers.count()) == ("", {}, 0)
    assert not Event.objects.exists()
    assert not Device.objects.exists()
    [deed] = AuditEntry.objects.filter(action="erased")
    assert "ada" not in deed.object_name
    assert deed.changes["crm.event"] == 1
    api.do("PUT", "/api/v1/customers/ada", {})
    assert Contact.objects.canonical().get().pk != ada.pk


def test_nothing_is_kept_of_a_person_who_was_erased_for_good(api: Caller) -> None:
    erase_contact(make_contact("ada", email="ada@example.com"), actor="test")
    device = {"device": {"id": "token-1", "platform": "android"}}
    visit = {"anonymous_id": "browser-9"}
    for method, path, body in (
        ("PUT", "/api/v1/customers/ada", {"plan": "pro"}),
        ("PUT", "/api/v1/customers/ada@example.com", visit),
        ("POST", "/api/v1/customers/ada/events", {"name": "viewed"}),
        ("PUT", "/api/v1/customers/ada/devices", device),
    ):
        said = api.do(method, path, body)
        assert (said["accepted"], said["suppressed"]) == (0, 1)
    assert not Contact.objects.canonical().exists()
    assert not Device.objects.exists()


def test_a_stop_is_an_event_with_an_effect_and_spares_other_stops(api: Caller) -> None:
    ada = make_contact("ada")
    suppress_contact(ada, channel="", reason="bounce", at=timezone.now(), actor="rule")
    for _ in range(2):
        api.do("POST", "/api/v1/customers/ada/suppress", {})
    live = Suppression.objects.live().order_by("reason")
    assert [row.reason for row in live] == ["bounce", "requested"]
    assert live[1].actor == "event:customerio"
    api.do("POST", "/api/v1/customers/ada/unsuppress")
    assert [row.reason for row in Suppression.objects.live()] == ["bounce"]
    names = Event.objects.order_by("received_at").values_list("name", flat=True)
    assert list(names) == ["User Suppressed", "User Suppressed", "User Unsuppressed"]


def test_a_stop_of_somebody_unknown_is_kept(api: Caller) -> None:
    api.do("POST", "/api/v1/customers/ada/suppress", {})
    assert Suppression.objects.live().get().contact.external_id == "ada"


@pytest.mark.parametrize(
    "said",
    [
        {"cio_subscription_preferences": {"topics": {"topic_1": False}}},
        {"cio_subscription_preferences": '{"topics": {"topic_1": false}}'},
        {"cio_subscription_preferences.topics.topic_1": False},
    ],
)
def test_preferences_come_in_each_of_their_three_shapes(
    api: Caller, said: dict[str, Any]
) -> None:
    center = ensure_default_center(make_sender().brand)
    topic = center.topics.get(number=1)
    api.do("PUT", "/api/v1/customers/ada", said)
    row = ConsentRecord.objects.get()
    assert (row.topic_id, row.action) == (topic.pk, "unsubscribed")
    api.do("PUT", "/api/v1/customers/ada", {"unsubscribed": True})
    assert ConsentRecord.objects.count() == 2
