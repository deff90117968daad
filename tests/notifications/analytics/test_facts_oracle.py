"""Conditions on messages against a plain evaluator, clock moves included."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.models import Contact
from crm.ports.facts import Sql
from notifications.models import Campaign, Delivery
from segments.compile import compile_rule, compile_wakes
from segments.rules.validate import parse_rule
from tests.factories import make_campaign, make_contact, make_sender

AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
HALF_DAY = timedelta(hours=12)
OUTCOMES = ["sent", "delivered", "opened", "clicked", "dismissed", "converted"]
NAMES = ["Spring", "Sum'mer 100%"]


@dataclass
class Message:
    """`at` maps an outcome to its moment; not sent where it has no `sent`."""

    at: dict[str, datetime]
    campaign: str = ""
    channel: str = "push"
    kind: str = "campaign"


@dataclass
class Person:
    known_since: datetime
    messages: list[Message] = field(default_factory=list)
    is_gone: bool = False


def span(window: dict[str, Any]) -> timedelta:
    return timedelta(**{window["unit"]: window["amount"]})


def list_messages(node: dict[str, Any], person: Person) -> list[Message]:
    return [
        one
        for one in person.messages
        if "sent" in one.at
        and one.kind != "test"
        and node.get("campaign", one.campaign) == one.campaign
        and node.get("channel", one.channel) == one.channel
    ]


def list_moments(node: dict[str, Any], person: Person, at: datetime) -> list[datetime]:
    moments = [one.at.get(node["outcome"]) for one in list_messages(node, person)]
    between = node.get("between", {})
    since, until = between.get("from"), between.get("to")
    return [
        moment
        for moment in moments
        if moment is not None
        and moment <= at
        and ("within" not in node or moment > at - span(node["within"]))
        and (since is None or moment >= datetime.fromisoformat(since))
        and (until is None or moment < datetime.fromisoformat(until))
    ]


def message(node: dict[str, Any], person: Person, at: datetime) -> bool:
    many = len(list_moments(node, person, at))
    count = node.get("count", {"op": "at_least", "n": 1})
    return {
        "at_least": many >= count["n"],
        "at_most": many <= count["n"],
        "exactly": many == count["n"],
    }[count["op"]]


def not_message(node: dict[str, Any], person: Person, at: datetime) -> bool:
    if list_moments(node, person, at):
        return False
    begins = at - span(node["within"]) if "within" in node else None
    if "from" in node.get("between", {}):
        begins = datetime.fromisoformat(node["between"]["from"])
    return (
        begins is None
        or bool(node.get("include_newcomers"))
        or person.known_since <= begins
    )


def ignored(node: dict[str, Any], person: Person, at: datetime) -> bool:
    patience = span(node.get("after", {"amount": 1, "unit": "days"}))
    newest_first = sorted(list_messages(node, person), key=lambda one: one.at["sent"])[
        ::-1
    ]
    row = 0
    for one in newest_first:
        sent, opened = one.at["sent"], one.at.get("opened")
        if sent > at or ("within" in node and sent <= at - span(node["within"])):
            continue
        if opened is not None and opened <= at:
            break
        row += sent + patience <= at
    return row >= node["last"]


LEAVES = {"message": message, "not_message": not_message, "ignored": ignored}


def matches(node: dict[str, Any], person: Person, at: datetime) -> bool:
    return not person.is_gone and LEAVES[node["type"]](node, person, at)


# --- Random people and rules ---

MOMENTS = st.integers(-2, 10).map(lambda n: AT - HALF_DAY * n)
WINDOWS = st.one_of(
    st.builds(lambda n: {"amount": n, "unit": "days"}, st.integers(1, 4)),
    st.builds(lambda n: {"amount": n * 12, "unit": "hours"}, st.integers(1, 5)),
)
MESSAGE = st.builds(
    Message,
    at=st.dictionaries(st.sampled_from(OUTCOMES), MOMENTS, max_size=3).flatmap(
        lambda at: (
            MOMENTS.map(lambda sent: {**at, "sent": sent})
            if len(at) < 3 or "sent" in at
            else st.just({})
        )
    ),
    campaign=st.sampled_from([*NAMES, ""]),
    channel=st.sampled_from(["push", "push", "email"]),
    kind=st.sampled_from(["campaign"] * 5 + ["test"]),
)
PERSON = st.builds(
    Person,
    known_since=MOMENTS,
    messages=st.lists(MESSAGE, max_size=5),
    is_gone=st.sampled_from([False] * 9 + [True]),
)
LIMITS = st.one_of(
    st.just({}),
    WINDOWS.map(lambda window: {"within": window}),
    st.just({"between": {"from": "2026-03-02T12:00:00+00:00"}}),
    st.just({"between": {"to": "2026-03-03T00:00:00+00:00"}}),
    st.just({"between": {"from": "2026-03-01T12:00+00:00", "to": "2026-03-04T12:00Z"}}),
)
OF = st.fixed_dictionaries(
    {},
    optional={
        "campaign": st.sampled_from(NAMES),
        "channel": st.sampled_from(["push", "email"]),
    },
)
OUTCOME = st.sampled_from(OUTCOMES).map(lambda one: {"outcome": one})
COUNT = st.builds(
    lambda op, n: {"count": {"op": op, "n": max(n, int(op == "at_least"))}},
    st.sampled_from(["at_least", "at_most", "exactly"]),
    st.integers(0, 3),
)


def joined(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Any]:
    return st.tuples(*parts).map(
        lambda found: {k: v for d in found for k, v in d.items()}
    )


FAMILIES = {
    "message": joined(
        st.just({"type": "message"}), OUTCOME, OF, LIMITS, st.one_of(st.just({}), COUNT)
    ),
    "not_message": joined(
        st.just({"type": "not_message"}),
        OUTCOME,
        OF,
        LIMITS,
        st.sampled_from([{}, {"include_newcomers": True}]),
    ),
    "ignored": joined(
        st.builds(lambda n: {"type": "ignored", "last": n}, st.integers(1, 3)),
        OF,
        st.sampled_from([{}, {"after": {"amount": 12, "unit": "hours"}}]),
        st.sampled_from([{}, {"within": {"amount": 3, "unit": "days"}}]),
    ),
}


def store(people: list[Person]) -> list[int]:
    """People and their messages; those of the gone are an erased contact's."""
    campaigns = {}
    for name in NAMES:
        found = Campaign.objects.filter(name=name).first()
        campaigns[name] = found or make_campaign(name)
    sender = make_sender()
    contacts = Contact.objects.bulk_create(
        Contact(known_since=one.known_since, erased_at=AT if one.is_gone else None)
        for one in people
    )
    Delivery.objects.bulk_create(
        Delivery(
            id=UUID(int=contact.pk * 100 + n), contact=contact, sender=sender,
            source_kind=one.kind, source_id=n, campaign=campaigns.get(one.campaign),
            channel=one.channel, origin="manual", relevance="segment",
            purpose_class="transactional", due_at=AT, expires_at=AT,
            state="sent" if one.at else "unknown",
            **{f"{outcome}_at": moment for outcome, moment in one.at.items()},
        )
        for contact, person in zip(contacts, people, strict=True)
        for n, one in enumerate(person.messages)
    )  # fmt: skip
    return [contact.pk for contact in contacts]


def run(sql: Sql) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.params)
        rows = [row[0] for row in cursor.fetchall()]
    assert len(rows) == len(set(rows)), "each contact once"
    return set(rows)


@pytest.mark.django_db
@pytest.mark.parametrize("family", FAMILIES)
def test_sql_answers_as_the_plain_evaluator_does(family: str) -> None:
    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        node=FAMILIES[family],
        people=st.lists(PERSON, min_size=5, max_size=9),
        shift=st.sampled_from([-TICK, 0 * TICK]),
    )
    def check(node: dict[str, Any], people: list[Person], shift: timedelta) -> None:
        at = AT + shift
        rule = parse_rule({"version": 1, "root": node})
        with transaction.atomic():
            ids = store(people)
            who = dict(zip(ids, people, strict=True))
            expected = {pk for pk, one in who.items() if matches(node, one, at)}
            assert run(compile_rule(rule, at=at)) & set(ids) == expected
            for some in (ids[::2], ids[:1]):
                found = run(compile_rule(rule, at=at, contacts=some))
                assert found == expected & set(some)
            for wakes in (
                compile_wakes(rule, at=at, contacts=ids),
                compile_wakes(rule, at=at),
            ):
                check_wakes(node, who, wakes, at)
            transaction.set_rollback(True)

    check()


def check_wakes(
    node: dict[str, Any], who: dict[int, Person], wakes: Sql | None, at: datetime
) -> None:
    """Nobody moves with time before the clock that was set for them."""
    assert wakes is not None
    with connection.cursor() as cursor:
        cursor.execute(wakes.text, wakes.params)
        due = dict(cursor.fetchall())
    for pk, person in who.items():
        for then in (AT + HALF_DAY * n for n in range(1, 7)):
            if pk not in due or due[pk] > then:
                now = matches(node, person, at)
                assert matches(node, person, then) == now, (pk, due.get(pk))


@pytest.mark.django_db
def test_a_campaign_is_found_by_its_id_whatever_it_is_called() -> None:
    contact, campaign = make_contact(), make_campaign("Spring")
    store_one(contact, campaign)
    store_one(make_contact(), make_campaign("Summer"))
    node = {"type": "message", "outcome": "sent", "campaign": campaign.pk}
    assert run(compile_rule(parse_rule({"version": 1, "root": node}), at=AT)) == {
        contact.pk
    }


def store_one(contact: Contact, campaign: Campaign) -> None:
    from tests.factories import make_delivery

    make_delivery(campaign, contact)
