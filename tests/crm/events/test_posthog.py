"""PostHog's wire: who is meant, what is said of them, and each fault with its path."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from crm.events.limits import BodyRefused, Limits
from crm.events.posthog import parse_capture
from crm.events.schema import Item
from tests.factories import NOON


def parse(event: dict[str, Any]) -> Item:
    body = json.dumps({"api_key": "k", **event}).encode()
    batch = parse_capture(body, received_at=NOON, limits=Limits())
    assert batch.write_key == "k"
    [item] = batch.items
    return item


def say(event: str = "Seen", who: Any = "ada", **properties: Any) -> dict[str, Any]:
    return {"event": event, "distinct_id": who, "properties": properties}


def test_an_event_keeps_its_own_properties_apart_from_the_clients() -> None:
    item = parse(
        {
            **say(size=2, **{"$lib": "posthog-node", "$groups": {"company": "acme"}}),
            "timestamp": "2026-03-04T11:00:00Z",
            "uuid": "u-1",
        }
    )
    assert (item.kind, item.name, item.user_id) == ("track", "Seen", "ada")
    assert (item.message_id, item.occurred_at) == ("u-1", NOON - timedelta(hours=1))
    assert item.properties == {"size": 2}
    assert item.context == {"$lib": "posthog-node", "$groups": {"company": "acme"}}


@pytest.mark.parametrize(
    ("event", "properties", "name", "kept"),
    [
        (
            "$pageview",
            {"$current_url": "https://a.example/b", "$pathname": "/b", "$title": "B"},
            "Page Viewed",
            {"url": "https://a.example/b", "path": "/b", "title": "B"},
        ),
        ("$screen", {"$screen_name": "Home"}, "Screen Viewed", {"name": "Home"}),
        ("$autocapture", {"tag": "a"}, "$autocapture", {"tag": "a"}),
        (
            "$groupidentify",
            {"$group_type": "company", "$group_key": 7, "$group_set": {"seats": 5}},
            "$group",
            {"group_id": "7", "group_type": "company", "traits": {"seats": 5}},
        ),
    ],
)
def test_events_of_its_own_get_our_names(
    event: str, properties: dict[str, Any], name: str, kept: dict[str, Any]
) -> None:
    item = parse(say(event, **properties))
    assert (item.name, item.properties) == (name, kept)


@pytest.mark.parametrize(
    ("_case", "event", "known", "guest", "previous"),
    [
        ("a server's event", say(), "ada", "", ""),
        ("a number", say(who=7), "7", "", ""),
        ("without a profile", say(**{"$process_person_profile": False}), "", "ada", ""),
        ("a browser's visitor", say(**{"$is_identified": False}), "", "ada", ""),
        (
            "among the properties",
            {"event": "Seen", "properties": {"distinct_id": "bea"}},
            "bea",
            "",
            "",
        ),
        ("identify", say("$identify", **{"$anon_distinct_id": "x"}), "ada", "x", ""),
        (
            "identify, still flagged",
            say("$identify", **{"$anon_distinct_id": "x", "$is_identified": False}),
            "ada",
            "x",
            "",
        ),
        ("alias by Node", say("$create_alias", alias="old"), "ada", "", "old"),
        (
            "alias by Python",
            say("$create_alias", "old", alias="ada", **{"$lib": "posthog-python"}),
            "ada",
            "",
            "old",
        ),
        (
            "a group by nobody",
            say("$groupidentify", "$a_b", **{"$group_type": "a", "$group_key": "b"}),
            "",
            "$a_b",
            "",
        ),
    ],
)
def test_who_is_meant(
    _case: str, event: dict[str, Any], known: str, guest: str, previous: str
) -> None:
    item = parse(event)
    assert (item.user_id, item.anonymous_id, item.previous_id) == (
        known,
        guest,
        previous,
    )


@pytest.mark.parametrize(
    ("_case", "event", "kind", "traits", "once"),
    [
        (
            "beside",
            {**say("$set"), "$set": {"a": 1}},
            "identify",
            {"a": 1},
            {},
        ),
        (
            "among",
            say("$identify", **{"$set": {"a": 1}, "$set_once": {"b": 2}}),
            "identify",
            {"a": 1},
            {"b": 2},
        ),
        ("once", {**say("$set_once"), "$set_once": {"b": 2}}, "identify", {}, {"b": 2}),
        ("on an event", say(**{"$set": {"a": 1}}), "track", {"a": 1}, {}),
        ("away", say("$set", **{"$unset": ["a", 5]}), "identify", {"a": None}, {}),
    ],
)
def test_what_is_said_of_the_person(
    _case: str,
    event: dict[str, Any],
    kind: str,
    traits: dict[str, Any],
    once: dict[str, Any],
) -> None:
    item = parse(event)
    assert (item.kind, item.traits, item.traits_once) == (kind, traits, once)
    assert item.properties == {}


def test_the_key_in_the_properties_opens_and_is_not_kept() -> None:
    body = b'{"event":"Seen","properties":{"token":"secret","distinct_id":"ada"}}'
    batch = parse_capture(body, received_at=NOON, limits=Limits())
    assert batch.write_key == "secret"
    assert batch.items[0].properties == {}
    assert batch.items[0].context == {}


FAULTS: list[tuple[str, bytes, str, str]] = [
    ("no event", b'{"distinct_id":"a"}', "required", "event"),
    ("blank event", b'{"event":" ","distinct_id":"a"}', "required", "event"),
    ("no person", b'{"event":"e"}', "required", "distinct_id"),
    ("float id", b'{"event":"e","distinct_id":1.5}', "invalid_type", "distinct_id"),
    (
        "object as id",
        b'{"event":"e","properties":{"distinct_id":{}}}',
        "invalid_type",
        "properties.distinct_id",
    ),
    (
        "null in the id",
        rb'{"event":"e","distinct_id":"\u0000"}',
        "null_character",
        "distinct_id",
    ),
    (
        "null in a property",
        rb'{"event":"e","distinct_id":"a","properties":{"k":"\u0000"}}',
        "null_character",
        "properties.k",
    ),
    (
        "half a pair",
        rb'{"event":"e","distinct_id":"a","properties":{"k":"\ud800"}}',
        "lone_surrogate",
        "properties.k",
    ),
    (
        "no object",
        b'{"event":"e","distinct_id":"a","properties":[]}',
        "invalid_type",
        "properties",
    ),
    (
        "person's words no object",
        b'{"event":"e","distinct_id":"a","properties":{"$set":5}}',
        "invalid_type",
        "properties.$set",
    ),
    (
        "null in the person's words",
        rb'{"event":"$set","distinct_id":"a","$set":{"k":"\u0000"}}',
        "null_character",
        "$set.k",
    ),
    (
        "no time",
        b'{"event":"e","distinct_id":"a","timestamp":"soon"}',
        "invalid_timestamp",
        "timestamp",
    ),
    (
        "long uuid",
        b'{"event":"e","distinct_id":"a","uuid":"' + b"u" * 101 + b'"}',
        "too_long",
        "uuid",
    ),
    (
        "half an alias",
        b'{"event":"$create_alias","distinct_id":"a"}',
        "required",
        "properties.alias",
    ),
    (
        "alias of itself",
        b'{"event":"$create_alias","distinct_id":"a","properties":{"alias":"a"}}',
        "same_id",
        "properties.alias",
    ),
    (
        "group without key",
        b'{"event":"$groupidentify","distinct_id":"a"}',
        "required",
        "properties.$group_key",
    ),
    (
        "infinite",
        b'{"event":"e","distinct_id":"a","properties":{"k":[1e400]}}',
        "number_out_of_range",
        "properties.k[0]",
    ),
    (
        "33 kB",
        b'{"event":"e","distinct_id":"a","properties":{"k":"' + b"x" * 33_000 + b'"}}',
        "event_too_large",
        "",
    ),
]


@pytest.mark.parametrize(("_case", "event", "code", "path"), FAULTS)
def test_one_bad_event_is_rejected_and_the_rest_is_kept(
    _case: str, event: bytes, code: str, path: str
) -> None:
    good = b'{"event":"Ok","distinct_id":"a"}'
    body = b'{"batch":[' + good + b"," + event + b"," + good + b"]}"
    batch = parse_capture(body, received_at=NOON, limits=Limits())
    assert [item.index for item in batch.items] == [0, 2]
    assert [(r.index, r.code, r.path) for r in batch.rejected] == [(1, code, path)]


@pytest.mark.parametrize(("_case", "event", "code", "path"), FAULTS)
def test_a_bad_event_alone_is_refused(
    _case: str, event: bytes, code: str, path: str
) -> None:
    with pytest.raises(BodyRefused) as refused:
        parse_capture(event, received_at=NOON, limits=Limits())
    assert (refused.value.fault.code, refused.value.fault.path) == (code, path)
    assert refused.value.status == (413 if code == "event_too_large" else 400)
