from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.models import Contact, Device, Event
from crm.ports.facts import Sql
from segments.compile import compile_rule, compile_wakes
from segments.models import Membership, Segment
from segments.rules.validate import parse_rule
from tests.factories import make_contact, make_event
from tests.segments.oracle import Person, matches

AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
HALF_DAYS = st.integers(-2, 10)
EVENTS = ["app_open", "Order Completed"]
TRAITS = ["plan", "it's 100%", "a__b"]
ODD = ["pro", "50% off", "O'Neil", "a_b", "", "10", "pro max", "\\", "🌬️"]
DATES = [
    "2026-03-03T12:00:00Z",
    "2026-03-02",
    "2026-03-01T12:00:00.000+00:00",
    "2026-02-30",
    "2026-03-03T14:00:00+02:00",
    1772539200,
    1772539200000,
    "soon",
]
SCALARS = st.sampled_from([*ODD, 10, 10.5, 0, -3, True, False])
VALUES = st.one_of(
    SCALARS,
    st.sampled_from([None, ["pro", "a_b"], {"x": 1}, [], *DATES]),
)
WINDOWS = st.one_of(
    st.builds(lambda n: {"amount": n, "unit": "days"}, st.integers(1, 4)),
    st.builds(lambda n: {"amount": n * 12, "unit": "hours"}, st.integers(1, 5)),
)


def run(sql: Sql) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.params)
        rows = [row[0] for row in cursor.fetchall()]
    assert len(rows) == len(set(rows)), "each contact once"
    return set(rows)


def comparisons(dated: bool) -> st.SearchStrategy[dict[str, Any]]:
    plain = [
        st.fixed_dictionaries(
            {"op": st.sampled_from(["equals", "not_equals"]), "value": SCALARS}
        ),
        st.fixed_dictionaries(
            {"op": st.just("in"), "value": st.lists(SCALARS, min_size=1, max_size=25)}
        ),
        st.fixed_dictionaries(
            {
                "op": st.sampled_from(["contains", "starts_with"]),
                "value": st.sampled_from(ODD),
            }
        ),
        st.fixed_dictionaries({"op": st.sampled_from(["exists", "not_exists"])}),
        st.fixed_dictionaries(
            {
                "op": st.sampled_from(["gt", "gte", "lt", "lte"]),
                "value": st.sampled_from([10, 10.5, 0, -3]),
            }
        ),
    ]
    dates = [
        st.fixed_dictionaries(
            {
                "op": st.sampled_from(["before", "after"]),
                "value": st.sampled_from(
                    ["2026-03-03T12:00:00+00:00", "2026-03-02T00:00:00+00:00"]
                ),
            }
        ),
        st.fixed_dictionaries(
            {"op": st.sampled_from(["within_last", "more_than_ago"]), "value": WINDOWS}
        ),
    ]
    return st.one_of(*plain, *(dates if dated else []))


def merged(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Any]:
    return st.tuples(*parts).map(
        lambda found: {k: v for d in found for k, v in d.items()}
    )


HAPPENING = st.fixed_dictionaries(
    {"name": st.sampled_from(EVENTS)},
    optional={
        "within": WINDOWS,
        "where": st.lists(
            merged(
                st.fixed_dictionaries({"property": st.sampled_from(TRAITS)}),
                comparisons(dated=False),
            ),
            max_size=2,
        ),
    },
)
LEAF = st.one_of(
    merged(
        st.fixed_dictionaries(
            {"type": st.just("attribute"), "trait": st.sampled_from(TRAITS)}
        ),
        comparisons(dated=True),
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("attribute"),
            "field": st.just("known_since"),
            "op": st.sampled_from(["within_last", "more_than_ago"]),
            "value": WINDOWS,
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("attribute"),
            "field": st.just("email"),
            "op": st.sampled_from(["equals", "not_equals", "contains", "starts_with"]),
            "value": st.sampled_from(["a@b.cd", "a", "%"]),
        }
    ),
    merged(
        st.just({"type": "event"}),
        HAPPENING,
        st.one_of(
            st.just({}),
            st.builds(
                lambda op, n: {"count": {"op": op, "n": max(n, int(op == "at_least"))}},
                st.sampled_from(["at_least", "at_most", "exactly"]),
                st.integers(0, 3),
            ),
            st.builds(
                lambda prop, op, n: {"sum": {"property": prop, "op": op, "n": n}},
                st.sampled_from(["value", "plan"]),
                st.sampled_from(["at_least", "more_than", "at_most", "less_than"]),
                st.sampled_from([0, 10, 20.5, -3]),
            ),
        ),
    ),
    merged(
        st.just({"type": "not_performed"}),
        HAPPENING,
        st.sampled_from([{}, {"include_newcomers": True}]),
    ),
    st.fixed_dictionaries(
        {"type": st.just("device")},
        optional={
            "platform": st.sampled_from(["ios", "web"]),
            "permission": st.sampled_from([["granted"], ["denied", "unknown"]]),
            "reachable": st.booleans(),
        },
    ),
    st.just({"type": "everyone"}),
    st.builds(
        lambda member: {"type": "segment", "segment": "vip", "member": member},
        st.booleans(),
    ),
)
NODE = st.recursive(
    LEAF,
    lambda inner: st.builds(
        lambda mode, children: {mode: children},
        st.sampled_from(["all", "any", "none"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)
HALF_DAYS_AGO = HALF_DAYS.map(lambda n: AT - timedelta(hours=12 * n))
PERSON = st.builds(
    Person,
    known_since=HALF_DAYS_AGO,
    traits=st.dictionaries(st.sampled_from(TRAITS), VALUES, max_size=3),
    email=st.sampled_from(["", "a@b.cd", "100%@x.yz"]),
    merged=st.sampled_from([False] * 9 + [True]),
    events=st.lists(
        st.tuples(
            st.sampled_from(EVENTS),
            HALF_DAYS_AGO,
            st.dictionaries(st.sampled_from(TRAITS), VALUES, max_size=2),
            st.sampled_from([None, 10, 0.5]),
        ),
        max_size=5,
    ),
    devices=st.lists(
        st.tuples(
            st.sampled_from(["ios", "web"]),
            st.sampled_from(["granted", "provisional", "denied", "unknown"]),
            st.sampled_from(["active", "gone"]),
            st.sampled_from([AT, AT - timedelta(days=270), AT - timedelta(days=269)]),
        ),
        max_size=2,
    ),
    segments=st.sampled_from([set(), {"vip"}]),
)


def store(people: list[Person]) -> list[int]:
    """Put the oracle's people into the tables; facts of the merged are moved."""
    target = make_contact(None)
    contacts = Contact.objects.bulk_create(
        Contact(
            traits=person.traits,
            email=person.email,
            known_since=person.known_since,
            canonical=target if person.merged else None,
        )
        for person in people
    )
    vip, _ = Segment.objects.get_or_create(name="VIP", slug="vip")
    pairs = [(c, p) for c, p in zip(contacts, people, strict=True) if not p.merged]
    Event.objects.bulk_create(
        Event(
            contact=contact, name=name, occurred_at=at, properties=properties,
            value=value, message_id="m", source="test",
        )
        for contact, person in pairs
        for name, at, properties, value in person.events
    )  # fmt: skip
    Device.objects.bulk_create(
        Device(
            contact=contact, token=f"{contact.pk}-{n}", platform=platform,
            permission=permission, state=state, last_seen_at=seen,
        )
        for contact, person in pairs
        for n, (platform, permission, state, seen) in enumerate(person.devices)
    )  # fmt: skip
    Membership.objects.bulk_create(
        Membership(segment=vip, contact=contact)
        for contact, person in pairs
        if person.segments
    )
    return [contact.pk for contact in contacts]


@pytest.mark.django_db
@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(root=NODE, people=st.lists(PERSON, min_size=3, max_size=8), later=HALF_DAYS)
def test_sql_answers_as_the_plain_evaluator_does(
    root: dict[str, Any], people: list[Person], later: int
) -> None:
    data = {"version": 1, "root": root}
    rule = parse_rule(data)
    with transaction.atomic():
        ids = store(people)
        who = dict(zip(ids, people, strict=True))
        expected = {pk for pk, one in who.items() if matches(data, one, AT)}
        assert run(compile_rule(rule, at=AT)) & set(ids) == expected
        some = ids[::2]
        assert run(compile_rule(rule, at=AT, contacts=some)) == expected & set(some)
        wakes = compile_wakes(rule, at=AT, contacts=ids)
        all_wakes = compile_wakes(rule, at=AT)
        check_wakes(data, who, wakes, later, expected)
        # The full base may leave out people whom no clock can bring in.
        check_wakes(data, who, all_wakes, later, expected)
        transaction.set_rollback(True)


def check_wakes(
    data: dict[str, Any],
    who: dict[int, Person],
    wakes: Sql | None,
    later: int,
    before: set[int],
) -> None:
    """Nobody moves with time before the clock that was set for them."""
    then = AT + timedelta(hours=12 * abs(later))
    due: dict[int, datetime] = {}
    if wakes is not None:
        with connection.cursor() as cursor:
            cursor.execute(wakes.text, wakes.params)
            due = dict(cursor.fetchall())
    for pk, person in who.items():
        if pk not in due or due[pk] > then:
            assert matches(data, person, then) == (pk in before), (pk, due.get(pk))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("_case", "ago", "inside"),
    [
        ("just now", timedelta(0), True),
        ("a microsecond inside", timedelta(days=7) - timedelta(microseconds=1), True),
        ("exactly one window ago", timedelta(days=7), False),
        ("older", timedelta(days=7, microseconds=1), False),
        ("still to come", -timedelta(microseconds=1), False),
    ],
)
def test_window_is_half_open(_case: str, ago: timedelta, inside: bool) -> None:
    contact = make_contact(known_since=AT - timedelta(days=90))
    make_event(contact, "app_open", occurred_at=AT - ago)
    week = {"amount": 7, "unit": "days"}
    done = {"type": "event", "name": "app_open", "within": week}
    away = {"type": "not_performed", "name": "app_open", "within": week}
    for node, expected in ((done, inside), (away, not inside)):
        rule = parse_rule({"version": 1, "root": node})
        assert run(compile_rule(rule, at=AT)) == ({contact.pk} if expected else set())


HOSTILE = [
    "'", '"', "%", "%s", "%(a)s", "__", "a'); DROP TABLE crm_contact; --", "\\", "🌬️",
    "{}", "{0}", "$1", "?", "a->>b", "a\tb", "\u202e", "key with spaces", "ключ",
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("key", HOSTILE)
def test_hostile_keys_and_values_are_only_ever_data(key: str) -> None:
    contact = make_contact(traits={key: key})
    make_contact(traits={"other": "x"})
    make_event(contact, key, occurred_at=AT, properties={key: key})
    nodes: list[dict[str, Any]] = [
        {"type": "attribute", "trait": key, "op": op, "value": key}
        for op in ("equals", "contains", "starts_with")
    ]
    nodes.append({"type": "attribute", "trait": key, "op": "in", "value": [key] * 30})
    nodes.append({"type": "attribute", "trait": key, "op": "exists"})
    where = [{"property": key, "op": "contains", "value": key}]
    nodes.append({"type": "event", "name": key, "where": where})
    for node in nodes:
        rule = parse_rule({"version": 1, "root": node})
        assert run(compile_rule(rule, at=AT)) == {contact.pk}, node


@pytest.mark.django_db
@settings(
    max_examples=200,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    key=st.text(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
        min_size=1,
        max_size=40,
    )
)
def test_any_trait_key_can_be_asked(key: str) -> None:
    if not key.strip():
        return
    with transaction.atomic():
        contact = make_contact(None, traits={key: 1})
        node = {"type": "attribute", "trait": key, "op": "gte", "value": 1}
        rule = parse_rule({"version": 1, "root": node})
        assert run(compile_rule(rule, at=AT)) == {contact.pk}
        transaction.set_rollback(True)
