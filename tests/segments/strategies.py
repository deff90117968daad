"""Random rules, people and their facts, and how these come into the tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from crm.models import Contact, Device, Event
from segments.models import Membership, Segment
from tests.factories import make_contact
from tests.segments.measure_leaves import AGGREGATE
from tests.segments.oracle import Person
from tests.segments.order_leaves import ORDER_LEAF, ORDERS, store_orders
from tests.segments.shelf import ASKED, NAMED, store_shelf

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
    "2024-02-29",
    "1990-03-04",
    "2026-03-08",
    "2026-03-31T23:30:00Z",
    "2026-04-01",
]
VERSIONS = ["2.10.1", "2.9", "v3", "3.0.0-beta.2", "3.0.0-beta.11", "3.0.0+5", "1.x"]
PATTERNS = ["^pro", "o|x", r"^\w+$", r"[^a-z]$", "(50|10)%", r"\d{2,}", "^.$", r"\\"]
ZONES = ["", "Europe/Berlin", "Pacific/Auckland", "America/New_York"]
PERIODS = [
    "today",
    "yesterday",
    "tomorrow",
    "this_week",
    "last_week",
    "next_week",
    "this_month",
    "last_month",
    "next_month",
    "this_quarter",
    "this_year",
]
SCALARS = st.sampled_from([*ODD, 10, 10.5, 0, -3, True, False])
VALUES = st.one_of(
    SCALARS,
    st.sampled_from(
        [None, ["pro", "a_b"], [10, True], {"x": 1}, [], *DATES]
        + [{"plan": "pro"}, [{"plan": "pro"}, {"plan": 10}]]
    ),
    st.sampled_from(VERSIONS),
)
WINDOWS = st.one_of(
    st.builds(lambda n: {"amount": n, "unit": "days"}, st.integers(1, 4)),
    st.builds(lambda n: {"amount": n * 12, "unit": "hours"}, st.integers(1, 5)),
)


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
                "op": st.sampled_from(["contains", "starts_with", "ends_with"]),
                "value": st.sampled_from(ODD),
            }
        ),
        st.fixed_dictionaries({"op": st.sampled_from(["exists", "not_exists"])}),
        st.fixed_dictionaries({"op": st.just("has"), "value": SCALARS}),
        st.fixed_dictionaries(
            {"op": st.just("matches"), "value": st.sampled_from(PATTERNS)}
        ),
        st.fixed_dictionaries(
            {
                "op": st.sampled_from(
                    ["version_is", "version_above", "version_at_least"]
                    + ["version_below", "version_at_most"]
                ),
                "value": st.sampled_from(VERSIONS[:-1]),
            }
        ),
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
            {"op": st.sampled_from(["within_last", "more_than_ago", "in_next"])}
            | {"value": WINDOWS}
        ),
        st.fixed_dictionaries(
            {"op": st.just("during"), "value": st.sampled_from(PERIODS)}
        ),
        st.fixed_dictionaries(
            {"op": st.just("anniversary"), "value": st.sampled_from([0, 1, 7])}
        ),
    ]
    return st.one_of(*plain, *(dates if dated else []))


def merged(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Any]:
    return st.tuples(*parts).map(
        lambda found: {k: v for d in found for k, v in d.items()}
    )


FILTER = merged(
    st.fixed_dictionaries({"property": st.sampled_from(TRAITS)}),
    comparisons(dated=False),
)
FILTERS = st.lists(st.one_of(FILTER, FILTER, ASKED), max_size=2)
STEP = st.fixed_dictionaries(
    {"name": st.sampled_from(EVENTS)}, optional={"where": FILTERS}
)
HAPPENING = merged(
    STEP,
    st.one_of(
        st.just({}),
        st.fixed_dictionaries({"within": WINDOWS}),
        st.just({"between": {"from": "2026-03-02T12:00:00+00:00"}}),
        st.just({"between": {"to": "2026-03-03T00:00:00+00:00"}}),
        st.just(
            {
                "between": {
                    "from": "2026-03-01T12:00:00+00:00",
                    "to": "2026-03-04T12:00:00+00:00",
                }
            }
        ),
    ),
)
LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "span": st.just({"amount": 12, "unit": "hours"}),
        "within": st.builds(lambda n: {"amount": n, "unit": "days"}, st.integers(1, 4)),
        "same": st.sampled_from(["plan", "a__b"]),
    },
)
TIMED = st.one_of(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["within_last", "more_than_ago"]), "value": WINDOWS}
    ),
    st.fixed_dictionaries(
        {
            "op": st.sampled_from(["before", "after"]),
            "value": st.just("2026-03-03T12:00:00+00:00"),
        }
    ),
)
FAMILIES = {
    "attribute": merged(
        st.fixed_dictionaries(
            {"type": st.just("attribute"), "trait": st.sampled_from(TRAITS)}
        ),
        comparisons(dated=True),
    ),
    "time field": st.fixed_dictionaries(
        {
            "type": st.just("attribute"),
            "field": st.just("known_since"),
            "op": st.sampled_from(["within_last", "more_than_ago", "in_next"]),
            "value": WINDOWS,
        }
    ),
    "calendar field": st.fixed_dictionaries(
        {
            "type": st.just("attribute"),
            "field": st.just("known_since"),
            "op": st.just("during"),
            "value": st.sampled_from(PERIODS),
        }
    ),
    "text field": st.fixed_dictionaries(
        {
            "type": st.just("attribute"),
            "field": st.just("email"),
            "op": st.sampled_from(["equals", "not_equals", "contains", "ends_with"]),
            "value": st.sampled_from(["a@b.cd", "a", "%"]),
        }
    ),
    "event": merged(
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
    "aggregate": merged(HAPPENING, AGGREGATE),
    "items": merged(
        st.fixed_dictionaries(
            {"type": st.just("event"), "name": st.sampled_from(EVENTS)}
        ),
        st.fixed_dictionaries({"where": st.lists(ASKED, min_size=1, max_size=2)}),
    ),
    "not_performed": merged(
        st.just({"type": "not_performed"}),
        HAPPENING,
        st.sampled_from([{}, {"include_newcomers": True}]),
    ),
    "occurrence": merged(
        st.just({"type": "occurrence"}),
        st.fixed_dictionaries(
            {"which": st.sampled_from(["first", "last"])},
            optional={"n": st.integers(1, 3)},
        ),
        STEP,
        st.one_of(
            TIMED,
            merged(TIMED, st.fixed_dictionaries({"having": FILTERS})),
            st.fixed_dictionaries({"having": st.lists(FILTER, min_size=1, max_size=2)}),
        ),
    ),
    "sequence": merged(
        st.just({"type": "sequence"}),
        st.fixed_dictionaries({"steps": st.lists(STEP, min_size=2, max_size=3)}),
        LIMITS,
    ),
    "not_followed": merged(
        st.just({"type": "not_followed"}),
        st.fixed_dictionaries({"first": STEP, "then": STEP}),
        LIMITS,
    ),
    "device": st.fixed_dictionaries(
        {"type": st.just("device")},
        optional={
            "platform": st.sampled_from(["ios", "web"]),
            "permission": st.sampled_from([["granted"], ["denied", "unknown"]]),
            "reachable": st.booleans(),
        },
    ),
    "cohort": st.fixed_dictionaries(
        {"type": st.just("cohort"), "to": st.sampled_from([50, 66.6, 90.05, 100])},
        optional={
            "from": st.sampled_from([0, 0.01, 33.3, 49.99]),
            "seed": st.sampled_from(["", "spring", "🌬️ %s"]),
        },
    ),
    "everyone": st.just({"type": "everyone"}),
    "segment": st.builds(
        lambda member: {"type": "segment", "segment": "vip", "member": member},
        st.booleans(),
    ),
}
LEAF = st.one_of(*FAMILIES.values(), ORDER_LEAF)
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
    time_zone=st.sampled_from(ZONES),
    merged=st.sampled_from([False] * 9 + [True]),
    events=st.lists(
        st.tuples(
            st.sampled_from(EVENTS),
            HALF_DAYS_AGO,
            merged(st.dictionaries(st.sampled_from(TRAITS), VALUES, max_size=2), NAMED),
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
    orders=ORDERS,
)


PEOPLE = st.lists(PERSON, min_size=5, max_size=9)


def store(people: list[Person]) -> list[int]:
    """Put the oracle's people into the tables; facts of the merged are moved."""
    target = make_contact(None)
    contacts = Contact.objects.bulk_create(
        Contact(
            uuid=person.uuid,
            traits=person.traits,
            email=person.email,
            time_zone=person.time_zone,
            known_since=person.known_since,
            canonical=target if person.merged else None,
        )
        for person in people
    )
    vip, _ = Segment.objects.get_or_create(name="VIP", slug="vip")
    pairs = [(c, p) for c, p in zip(contacts, people, strict=True) if not p.merged]
    Event.objects.bulk_create(
        Event(
            id=UUID(int=contact.pk * 100 + n), contact=contact, name=name,
            occurred_at=at, properties=properties, value=value, message_id="m",
            source="test",
        )
        for contact, person in pairs
        for n, (name, at, properties, value) in enumerate(person.events)
    )  # fmt: skip
    Device.objects.bulk_create(
        Device(
            contact=contact, token=f"{contact.pk}-{n}", platform=platform,
            permission=permission, state=state, last_seen_at=seen,
        )
        for contact, person in pairs
        for n, (platform, permission, state, seen) in enumerate(person.devices)
    )  # fmt: skip
    store_orders(pairs)
    store_shelf(AT)
    Membership.objects.bulk_create(
        Membership(segment=vip, contact=contact)
        for contact, person in pairs
        if person.segments
    )
    return [contact.pk for contact in contacts]
