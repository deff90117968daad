"""Rules about orders, and orders to ask them of."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from hypothesis import strategies as st

from crm.models import Contact, Order
from tests.segments.oracle import Person

AT = datetime.fromisoformat("2026-03-04T12:00:00+00:00")
WITHIN = st.builds(lambda n: {"amount": n * 12, "unit": "hours"}, st.integers(1, 6))
SUMS = st.sampled_from(["at_least", "more_than", "at_most", "less_than"])
OPTIONAL = {"within": WITHIN, "currency": st.sampled_from(["EUR", "GBP"])}
ORDER_LEAF = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.just("orders"),
            "measure": st.just("count"),
            "op": st.sampled_from(["at_least", "at_most", "exactly"]),
            "n": st.integers(1, 3),
        },
        optional=OPTIONAL,
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("orders"),
            "measure": st.just("count"),
            "op": st.sampled_from(["at_most", "exactly"]),
            "n": st.just(0),
        },
        optional=OPTIONAL,
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("orders"),
            "measure": st.sampled_from(["net", "gross", "average", "refunded_pct"]),
            "op": SUMS,
            "n": st.sampled_from([0, 10, 50, 100]),
        },
        optional=OPTIONAL,
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("last_order"),
            "op": st.sampled_from(["within_last", "more_than_ago"]),
            "value": WITHIN,
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("last_order"),
            "op": st.sampled_from(["before", "after"]),
            "value": st.just("2026-03-03T12:00:00+00:00"),
        }
    ),
)


@st.composite
def draw_order(draw: st.DrawFn) -> tuple[datetime | None, str, str, int, int]:
    state = draw(
        st.sampled_from(["paid", "partially_refunded", "cancelled", "awaited"])
    )
    hours = draw(st.integers(-2, 8)) * 12
    gross = draw(st.sampled_from([0, 10, 50, 100]))
    back = draw(st.sampled_from([0, gross // 2, gross]))
    placed_at = None if state == "awaited" else AT - timedelta(hours=hours)
    return placed_at, state, draw(st.sampled_from(["EUR", "GBP", ""])), gross, back


ORDERS = st.lists(draw_order(), max_size=4)


def store_orders(pairs: Iterable[tuple[Contact, Person]]) -> None:
    Order.objects.bulk_create(
        Order(
            contact=contact, number=str(n), placed_at=placed_at, state=state,
            currency=currency, gross=gross, refunded=back, excess=0, last_at=AT,
            net=gross - back if state in ("paid", "partially_refunded") else 0,
        )
        for contact, person in pairs
        for n, (placed_at, state, currency, gross, back) in enumerate(person.orders)
    )  # fmt: skip
