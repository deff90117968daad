"""Customer.io's Track API, v2: entities alone and in batches."""

from __future__ import annotations

import pytest

from crm.models import Contact, Device, Event, Identifier
from preferences.models import Suppression
from tests.callers import Caller

pytestmark = pytest.mark.django_db
AT = 1_741_089_600  # 2025-03-04 12:00 UTC
TAKEN = {
    "success": True,
    "accepted": 1,
    "duplicates": 0,
    "suppressed": 0,
    "rejected": [],
}


BATCH = [
    {
        "type": "person",
        "action": "identify",
        "identifiers": {"id": "ada"},
        "attributes": {"email": "ada@example.com"},
        "timestamp": AT,
    },
    {
        "type": "person",
        "action": "event",
        "identifiers": {"email": "ada@example.com"},
        "name": "Seen",
        "timestamp": AT,
        "id": "01H",
    },
    {
        "type": "person",
        "action": "page",
        "identifiers": {"id": "ada"},
        "name": "/shop",
        "timestamp": AT + 1,
    },
    {
        "type": "person",
        "action": "add_device",
        "identifiers": {"id": "ada"},
        "device": {"token": "t1", "platform": "android"},
    },
    {
        "type": "person",
        "action": "delete_device",
        "identifiers": {"id": "ada"},
        "device": {"token": "t1"},
    },
    {
        "type": "person",
        "action": "add_relationships",
        "identifiers": {"id": "ada"},
        "cio_relationships": [{"identifiers": {"object_id": "acme"}}],
    },
    {
        "type": "object",
        "action": "delete_relationships",
        "identifiers": {"object_type_id": 1, "object_id": "acme"},
        "cio_relationships": [
            {"identifiers": {"id": "ada"}},
            {"identifiers": {"anonymous_id": "browser-1"}},
        ],
    },
    {"type": "person", "action": "suppress", "identifiers": {"id": "bob"}},
    {
        "type": "person",
        "action": "merge",
        "primary": {"id": "ada"},
        "secondary": {"id": "bob"},
    },
    {"type": "person", "action": "delete", "identifiers": {"id": "nobody"}},
]


def test_a_batch_does_each_entity_in_order(api: Caller) -> None:
    answer = api.do("POST", "/api/v2/batch", {"batch": BATCH})
    assert answer == {**TAKEN, "accepted": 11}
    ada = Contact.objects.get(external_id="ada")
    events = Event.objects.filter(contact=ada).values_list("name", flat=True)
    assert sorted(events) == [
        "$group",
        "$group_left",
        "Page Viewed",
        "Seen",
        "User Suppressed",
    ]
    assert Device.objects.get().state == "gone"
    assert Suppression.objects.live().get().contact == ada
    assert ada.traits_at["email"] == AT
    assert Identifier.objects.filter(contact=ada).count() == 3


def test_each_entity_alone_does_the_same(api: Caller) -> None:
    for entity in BATCH:
        api.do("POST", "/api/v2/entity", entity)
    assert Contact.objects.canonical().count() == 2
    assert Event.objects.count() == 6


def test_a_batch_lists_what_it_could_not_take(api: Caller) -> None:
    wrong = [
        {**BATCH[0], "identifiers": {"id": "a", "email": "b@c.co"}},
        {**BATCH[1], "name": ""},
        BATCH[2],
        {"type": "delivery", "action": "event"},
        {**BATCH[0], "identifiers": {"cio_id": "0" * 32}},
        {**BATCH[0], "attributes": {"k": "a\0b"}},
        {**BATCH[0], "attributes": {"k": "x" * 40_000}},
        "text",
        {"type": "object", "action": "delete", "identifiers": {"object_id": "a"}},
    ]
    answer = api.do("POST", "/api/v2/batch", {"batch": wrong})
    assert (answer["accepted"], Event.objects.count()) == (1, 1)
    assert [(row["index"], row["code"], row["path"]) for row in answer["rejected"]] == [
        (0, "invalid", "identifiers"),
        (1, "required", "name"),
        (3, "unsupported", "type"),
        (4, "not_found", "cio_id"),
        (5, "null_character", "attributes.k"),
        (6, "event_too_large", ""),
        (7, "invalid_type", ""),
        (8, "unsupported", "action"),
    ]
    assert answer["errors"][1] == {
        "batch_index": 1,
        "reason": "required",
        "field": "name",
        "message": "An event needs a name.",
    }
