"""Who can be reached: the same people as the gate would let through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.clock import read_clock
from crm.models import Contact, Device
from crm.ports.facts import RuleError, Sql
from notifications.campaigns.checklist import check_campaign
from notifications.channels.base import AddressState, Outcome
from notifications.delivery.send import send_due
from notifications.pipeline import process_pending
from preferences.consent import Choice, record_choices
from preferences.models import Subscription, Suppression, Topic
from preferences.permission import PurposeClass, permissions_for
from preferences.suppressions import lift_suppression, suppress_contact
from segments.compile import compile_rule, compile_wakes
from segments.editing import save_segment
from segments.explain import explain_contact
from segments.membership import refresh_segment
from segments.models import Membership
from segments.rules.describe import describe
from segments.rules.validate import parse_rule
from tests.factories import make_contact, make_device
from tests.notifications.factories import (
    LoggingChannel,
    answer_with,
    lift_limits,
    make_campaign,
    make_reachable,
    make_topic,
    plan_for,
)

AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
CHANNELS = ["push", "email", "sms", "whatsapp"]
REASONS = [
    "no_address",
    "dead_address",
    "permission_denied",
    "suppressed",
    "no_consent",
]
# Topic key → on by default, transactional, active.
TOPICS = {f"t{n}": (bool(n & 1), bool(n & 2), bool(n & 4)) for n in range(8)}


@dataclass
class Person:
    email: str
    phone: str
    # (state, permission, days since it was seen)
    devices: list[tuple[str, str, int]]
    # (channel, is about the topic) → state
    said: dict[tuple[str, bool], str]
    # (channel, is live)
    stops: list[tuple[str, bool]]
    is_gone: bool = False


PERSON = st.builds(
    Person,
    email=st.sampled_from(["", "a@b.cd"]),
    phone=st.sampled_from(["", "+4912345"]),
    devices=st.lists(
        st.tuples(
            st.sampled_from(["active", "active", "gone"]),
            st.sampled_from(["granted", "provisional", "unknown", "denied"]),
            st.sampled_from([0, 269, 270, 271]),
        ),
        max_size=2,
    ),
    said=st.dictionaries(
        st.tuples(st.sampled_from(["", "push", "email"]), st.booleans()),
        st.sampled_from(["subscribed", "subscribed", "pending", "unsubscribed"]),
        max_size=3,
    ),
    stops=st.lists(
        st.tuples(st.sampled_from(["", "push", "email"]), st.booleans()),
        max_size=1,
    ),
    is_gone=st.sampled_from([False] * 9 + [True]),
)


def find_address_fault(person: Person, channel: str, at: datetime) -> str:
    if channel == "email":
        return "" if person.email else "no_address"
    if channel in ("sms", "whatsapp"):
        return "" if person.phone else "no_address"
    active = [
        permission
        for state, permission, days in person.devices
        if state == "active" and AT - DAY * days + 270 * DAY > at
    ]
    if set(active) - {"denied"}:
        return ""
    if active:
        return "permission_denied"
    return "dead_address" if person.devices else "no_address"


def find_obstacles(
    who: dict[int, Person], node: dict[str, Any], at: datetime
) -> dict[int, str]:
    """By the rows as they were made, and by the door that the gate asks."""
    topic = Topic.objects.filter(key=node.get("topic", "")).first()
    own: PurposeClass = (
        "transactional" if not topic or topic.is_transactional else "promotional"
    )
    answers = permissions_for(
        list(who),
        center_id=None,
        topic_id=topic.pk if topic else None,
        channel=node["channel"],
        purpose_class=own,
        at=at,
    )
    return {
        pk: find_address_fault(person, node["channel"], at) or answers[pk].reason
        for pk, person in who.items()
        if not person.is_gone
    }


def store(people: list[Person], topic: Topic | None) -> list[int]:
    center = make_topic().center
    contacts = Contact.objects.bulk_create(
        Contact(email=one.email, phone=one.phone, erased_at=AT if one.is_gone else None)
        for one in people
    )
    pairs = list(zip(contacts, people, strict=True))
    Device.objects.bulk_create(
        Device(
            contact=contact, token=f"{contact.pk}-{n}", platform="ios", state=state,
            permission=permission, last_seen_at=AT - DAY * days,
        )
        for contact, person in pairs
        for n, (state, permission, days) in enumerate(person.devices)
    )  # fmt: skip
    Subscription.objects.bulk_create(
        Subscription(
            contact=contact, center=center, channel=channel, state=state,
            topic=topic if is_about else None, changed_at=AT,
        )
        for contact, person in pairs
        for (channel, is_about), state in person.said.items()
        if topic or not is_about
    )  # fmt: skip
    Suppression.objects.bulk_create(
        Suppression(
            contact=contact, channel=channel, reason="manual", actor="test", at=AT,
            lifted_at=None if is_live else AT,
        )
        for contact, person in pairs
        for channel, is_live in person.stops
    )  # fmt: skip
    return [contact.pk for contact in contacts]


def run(sql: Sql) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.params)
        rows = [row[0] for row in cursor.fetchall()]
    assert len(rows) == len(set(rows)), "each contact once"
    return set(rows)


def parse(node: dict[str, Any]) -> Any:
    return parse_rule({"version": 1, "root": {"type": "reachable", **node}})


NODES = st.tuples(
    st.sampled_from(CHANNELS * 2 + ["push"] * 8),
    st.sampled_from([None, *TOPICS]),
    st.sampled_from([None, [], *([reason] for reason in REASONS), REASONS[3:]]),
).map(
    lambda parts: {
        "channel": parts[0],
        **({"topic": parts[1]} if parts[1] else {}),
        **({} if parts[2] is None else {"reachable": False, "reason": parts[2]}),
    }
)


@pytest.mark.django_db
@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(node=NODES, people=st.lists(PERSON, min_size=4, max_size=8))
def test_sql_answers_as_the_gate_does(
    node: dict[str, Any], people: list[Person]
) -> None:
    rule = parse(node)
    with transaction.atomic():
        topic = None
        if key := node.get("topic"):
            is_on, is_transactional, is_active = TOPICS[key]
            topic = make_topic(
                key,
                default="opt_out" if is_on else "opt_in",
                is_transactional=is_transactional,
                is_active=is_active,
            )
        ids = store(people, topic)
        who = dict(zip(ids, people, strict=True))
        expected = match(who, node, AT)
        assert run(compile_rule(rule, at=AT)) & set(ids) == expected
        for some in (ids[::2], ids[:1]):
            found = run(compile_rule(rule, at=AT, contacts=some))
            assert found == expected & set(some)
        for wakes in (
            compile_wakes(rule, at=AT, contacts=ids),
            compile_wakes(rule, at=AT),
        ):
            check_wakes(who, node, wakes, expected)
        transaction.set_rollback(True)


def match(who: dict[int, Person], node: dict[str, Any], at: datetime) -> set[int]:
    wanted = node.get("reason") or (REASONS if "reachable" in node else [""])
    obstacles = find_obstacles(who, node, at)
    return {pk for pk, reason in obstacles.items() if reason in wanted}


def check_wakes(
    who: dict[int, Person], node: dict[str, Any], wakes: Sql | None, before: set[int]
) -> None:
    """Nobody moves with time before the clock that was set for them."""
    due: dict[int, datetime] = {}
    if wakes is not None:
        with connection.cursor() as cursor:
            cursor.execute(wakes.text, wakes.params)
            due = dict(cursor.fetchall())
    for then in (AT + DAY, AT + 2 * DAY, AT + 270 * DAY):
        after = match(who, node, then)
        moved = {pk for pk in before ^ after if pk not in due or due[pk] > then}
        assert moved == set()


@pytest.mark.django_db
def test_a_page_before_launch_counts_the_same_people() -> None:
    topic = make_topic()
    make_reachable(topic=topic)
    make_contact()
    make_device(make_contact(), permission="denied")
    make_device(make_contact(), state="gone")
    make_device(make_contact())
    stopped = make_reachable(topic=topic)
    suppress_contact(stopped, channel="push", reason="manual", at=AT, actor="test")
    reach = check_campaign(make_campaign(topic=topic)).reach
    assert reach is not None
    assert reach.reasons == tuple((reason, 1) for reason in REASONS)
    for reason in ("", *REASONS):
        node: dict[str, Any] = {"channel": "push", "topic": topic.key}
        node |= {"reachable": False, "reason": [reason]} if reason else {}
        assert len(run(compile_rule(parse(node), at=read_clock()))) == 1


@pytest.mark.django_db
def test_what_changes_reach_moves_people() -> None:
    lift_limits()
    topic = make_topic()
    contact = make_reachable(topic=topic)
    rule = {"type": "reachable", "channel": "push", "topic": topic.key}
    segment = save_segment(
        name="Reach", rule={"version": 1, "root": rule}, actor="test"
    )
    refresh_segment(segment, at=read_clock())

    def is_in() -> bool:
        process_pending(budget_s=5)
        return Membership.objects.filter(contact=contact).exists()

    assert is_in()
    now = read_clock()
    row = suppress_contact(contact, channel="", reason="manual", at=now, actor="x")
    assert not is_in()
    lift_suppression(row, at=now, actor="x")
    assert is_in()
    for subscribed in (False, True):
        record_choices(
            contact,
            center=topic.center,
            changes=[Choice("push", topic.key, subscribed=subscribed)],
            at=now,
            actor="self",
            source="page",
        )
        assert is_in() is subscribed
    plan_for(make_campaign(topic=topic), contact)
    gone = answer_with(Outcome.DEAD_ADDRESS, address_state=AddressState.GONE)
    channel = LoggingChannel(lambda push: gone)
    send_due(budget_s=5, open_one=lambda sender: channel)
    assert not is_in()


@pytest.mark.django_db
def test_the_facts_name_the_obstacle() -> None:
    contact = make_contact()
    for node, matches, facts in (
        ({"channel": "push"}, False, "not reachable: No device or address"),
        (
            {"channel": "email", "reachable": False},
            True,
            "not reachable: No device or address",
        ),
    ):
        told = explain_contact(parse(node), contact.pk, at=AT)
        assert (told.matches, told.facts) == (matches, facts)
    make_device(contact, last_seen_at=AT)
    told = explain_contact(parse({"channel": "push"}), contact.pk, at=AT)
    assert (told.matches, told.facts) == (True, "reachable")


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (
            {"channel": "push"},
            "can be reached by push with what they need to know",
        ),
        (
            {"channel": "email", "topic": "deals", "reachable": False},
            "cannot be reached by e-mail about “deals”",
        ),
        (
            {"channel": "sms", "topic": "deals", "reachable": False}
            | {"reason": ["no_address", "suppressed"]},
            "cannot be reached by SMS about “deals” because they have no address "
            "or are suppressed",
        ),
    ],
)
def test_it_reads_as_english(node: dict[str, Any], words: str) -> None:
    assert describe(parse(node)) == f"People who {words}."


@pytest.mark.parametrize(
    ("node", "path", "code"),
    [
        ({}, "root.channel", "required"),
        ({"channel": "in_app"}, "root.channel", "choice"),
        ({"channel": "push", "topic": ["x"]}, "root.topic", "type"),
        ({"channel": "push", "topic": "a\0b"}, "root.topic", "nul"),
        ({"channel": "push", "reachable": "no"}, "root.reachable", "type"),
        ({"channel": "push", "reason": ["suppressed"]}, "root.reason", "choice"),
        (
            {"channel": "push", "reachable": False, "reason": ["capped"]},
            "root.reason[0]",
            "choice",
        ),
        (
            {"channel": "push", "reachable": False, "reason": "capped"},
            "root.reason",
            "type",
        ),
        ({"channel": "push", "center": 1}, "root", "unknown_key"),
    ],
)
def test_a_wrong_node_is_named(node: dict[str, Any], path: str, code: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse(node)
    assert (caught.value.path, caught.value.code) == (path, code)


@pytest.mark.django_db
def test_nobody_is_reached_about_a_topic_that_is_not_there() -> None:
    make_reachable()
    node = {"channel": "push", "topic": "nowhere"}
    assert run(compile_rule(parse(node), at=read_clock())) == set()
