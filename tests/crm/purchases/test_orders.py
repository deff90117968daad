from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.purchases.orders import OrderFacts, fold_order
from tests.factories import NOON


@dataclass
class Entry:
    kind: str
    at: datetime
    message_id: str
    amount: Decimal | None = None
    currency: str = ""
    refund_id: str = ""


def say(kind: str, hour: int, amount: Any = None, **more: str) -> Entry:
    more = {"message_id": f"{kind} {hour}", **more}
    money = None if amount is None else Decimal(amount)
    return Entry(kind, NOON + timedelta(hours=hour), amount=money, **more)


def tell(facts: OrderFacts) -> tuple[str, Decimal, Decimal, Decimal]:
    return facts.state, facts.gross, facts.refunded, facts.net


PLACED = say("placed", 0, 100, currency="EUR")


@pytest.mark.parametrize(
    ("_case", "entries", "expected"),
    [
        ("paid", [PLACED], ("paid", 100, 0, 100)),
        (
            "some back",
            [PLACED, say("refunded", 1, 30)],
            ("partially_refunded", 100, 30, 70),
        ),
        (
            "in two",
            [PLACED, say("refunded", 1, 30), say("refunded", 2, 70)],
            ("refunded", 100, 100, 0),
        ),
        ("all of it", [PLACED, say("refunded", 1)], ("refunded", 100, 100, 0)),
        (
            "the rest",
            [PLACED, say("refunded", 1, 30), say("refunded", 2)],
            ("refunded", 100, 100, 0),
        ),
        ("too much", [PLACED, say("refunded", 1, 130)], ("refunded", 100, 100, 0)),
        (
            "one refund told twice",
            [
                PLACED,
                say("refunded", 1, 30, refund_id="r"),
                say("refunded", 2, 40, refund_id="r"),
            ],
            ("partially_refunded", 100, 40, 60),
        ),
        (
            "dollars of euros",
            [PLACED, say("refunded", 1, 30, currency="USD")],
            ("paid", 100, 0, 100),
        ),
        ("cancelled", [PLACED, say("cancelled", 1)], ("cancelled", 100, 0, 0)),
        (
            "cancelled and placed again",
            [PLACED, say("cancelled", 1), say("placed", 2, 90)],
            ("paid", 90, 0, 90),
        ),
        ("changed", [PLACED, say("updated", 1, 80)], ("paid", 80, 0, 80)),
        (
            "a draft before",
            [say("updated", -1, 80), PLACED],
            ("paid", 100, 0, 100),
        ),
        ("no order yet", [say("refunded", 1, 30)], ("awaited", 0, 0, 0)),
        ("a draft alone", [say("updated", 1, 30)], ("awaited", 0, 0, 0)),
        ("worth nothing", [say("placed", 0), say("refunded", 1)], ("paid", 0, 0, 0)),
    ],
)  # fmt: skip
def test_order(_case: str, entries: list[Entry], expected: tuple[Any, ...]) -> None:
    assert tell(fold_order(entries)) == expected


def test_what_does_not_fit_is_noted() -> None:
    more = fold_order([PLACED, say("refunded", 1, 130)])
    other = fold_order([PLACED, say("refunded", 1, 30, currency="USD")])

    assert (more.excess, more.is_mixed) == (30, False)
    assert (other.excess, other.is_mixed) == (0, True)


ENTRIES = st.lists(
    st.builds(
        lambda kind, hour, amount, currency, refund_id, n: say(
            kind,
            hour,
            amount,
            currency=currency,
            refund_id=refund_id,
            message_id=f"m{n}",
        ),
        st.sampled_from(["placed", "updated", "refunded", "cancelled"]),
        st.integers(0, 3),
        st.sampled_from([None, 0, 10, 25, 100]),
        st.sampled_from(["", "EUR", "USD"]),
        st.sampled_from(["", "r1"]),
        st.integers(0, 99),
    ),
    min_size=1,
    max_size=7,
    unique_by=lambda entry: entry.message_id,
)


@given(entries=ENTRIES, data=st.data())
def test_any_order_and_repeats_come_to_the_same(
    entries: list[Entry], data: Any
) -> None:
    again = data.draw(st.lists(st.sampled_from(entries), max_size=4))
    shuffled = data.draw(st.permutations(entries + again))

    facts = fold_order(shuffled)

    assert facts == fold_order(entries)
    assert 0 <= facts.refunded <= facts.gross
    assert 0 <= facts.net <= facts.gross - facts.refunded
    assert facts.excess >= 0
