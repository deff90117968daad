from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.facts.aggregates import MEASURES, Aggregate, read_aggregate, show_answer
from crm.facts.comparisons import Comparison
from crm.facts.measured import Measured, list_operators
from crm.facts.reading import Reader
from crm.models import Contact, Event
from crm.ports.facts import RuleError, Scope, Sql
from tests.factories import make_catalog, make_contact, make_event, make_item

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def read(**node: Any) -> Aggregate:
    if "names" not in node:
        node.setdefault("name", "Viewed")
    return read_aggregate(Reader.over(node, "root"))


def run(sql: Sql) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.params)
        return cursor.fetchall()


def ask(aggregate: Aggregate, contact: Contact, *, at: datetime = AT) -> Any:
    """The contact's value as JSON, alone and among everybody; None where none."""
    one = dict(run(aggregate.select_values(Scope(at, (contact.pk,)))))
    everybody = dict(run(aggregate.select_values(Scope(at))))
    assert one.get(contact.pk) == everybody.get(contact.pk)
    return one.get(contact.pk)


def view(contact: Contact, days: float, name: str = "Viewed", **properties: Any) -> Any:
    """An event so many days before AT."""
    at = AT - timedelta(days=days)
    value = properties.get("value")
    return make_event(contact, name, occurred_at=at, properties=properties, value=value)


def test_each_measure_has_its_answer() -> None:
    ada = make_contact()
    view(ada, 9, price=10, color="red", value=3)
    view(ada, 5, price=5.5, color="blue", value=4)
    view(ada, 4, price="12", color="blue")
    view(ada, 3, price=30, color="", extra=None)
    view(ada, 2, color=["red"])
    view(ada, 1, "Other", price=1_000, color="green")
    expected: dict[str, Any] = {
        "count": "5",
        "sum": "45.5",
        "average": "15.1667",
        "minimum": "5.5",
        "maximum": "30",
        "distinct": "2",
        "first": '"red"',
        "last": '"blue"',
        "most_frequent": '"blue"',
        "first_at": '"2026-02-23T12:00:00+00:00"',
        "last_at": '"2026-03-02T12:00:00+00:00"',
    }
    assert set(expected) == set(MEASURES)
    numbers = {"sum", "average", "minimum", "maximum"}
    for measure, answer in expected.items():
        node: dict[str, Any] = {"measure": measure}
        if measure not in ("count", "first_at", "last_at"):
            node["property"] = "price" if measure in numbers else "color"
        assert ask(read(**node), ada) == answer, measure
    assert ask(read(measure="sum", property="value"), ada) == "7"
    assert ask(read(measure="count"), make_contact()) is None


def test_of_values_as_frequent_as_each_other_the_latest_wins() -> None:
    ada = make_contact()
    for days, color in ((9, "red"), (8, "red"), (7, "blue"), (6, "blue"), (5, "red")):
        view(ada, days, color=color)
    favourite = read(measure="most_frequent", property="color")
    assert ask(favourite, ada) == '"red"'
    view(ada, 1, color="blue")
    assert ask(favourite, ada) == '"blue"'


def test_several_names_a_window_and_filters_narrow_what_is_counted() -> None:
    ada = make_contact()
    view(ada, 3, "A", plan="pro")
    view(ada, 2, "B", plan="pro")
    view(ada, 1, "B", plan="free")
    view(ada, 1, "C", plan="pro")
    node = {"measure": "count", "names": ["A", "B"]}
    assert ask(read(**node), ada) == "3"
    where = [{"property": "plan", "op": "equals", "value": "pro"}]
    assert ask(read(**node, where=where), ada) == "2"
    within = {"amount": 3, "unit": "days"}
    assert ask(read(**node, where=where, within=within), ada) == "1"


def test_lines_are_read_entry_by_entry_the_last_of_them_last() -> None:
    ada = make_contact()
    view(ada, 2, products=[{"sku": "a", "price": 1}, {"sku": "b", "price": 2}])
    view(ada, 1, products=[{"sku": "b", "price": 4}, {"sku": "a"}, "odd", {"sku": 3}])
    view(ada, 1, products="none")
    lines = {"lines": "products"}
    assert ask(read(measure="last", property="sku", **lines), ada) == "3"
    assert ask(read(measure="first", property="sku", **lines), ada) == '"a"'
    assert ask(read(measure="sum", property="price", **lines), ada) == "7"
    assert ask(read(measure="distinct", property="sku", **lines), ada) == "3"


def test_a_lookup_goes_on_with_a_field_of_the_item() -> None:
    ada, shop = make_contact(), make_catalog("shop")
    make_item(shop, "1", category="Shoes", price=Decimal("10.50"))
    make_item(shop, "2", category="Hats", price=4, attributes={"size": "L"})
    make_item(make_catalog("news"), "3", category="Sport")
    for days, code in ((4, "1"), (3, 1), (2, "2"), (1, "3"), (1, "gone")):
        view(ada, days, product_id=code)
    by = {"property": "product_id"}

    def lookup(measure: str, field: str) -> Any:
        to = {"catalog": "shop", "field": field}
        return ask(read(measure=measure, lookup=to, **by), ada)

    assert lookup("most_frequent", "category") == '"Shoes"'
    assert lookup("last", "category") == '"Hats"'
    assert lookup("last", "size") == '"L"'
    assert lookup("average", "price") == "8.3333"
    assert lookup("last", "url") is None


COLORS = st.sampled_from(["red", "blue", "", 1, 2.5, -3, True, None, ["x"]])
HISTORY = st.lists(st.tuples(st.integers(0, 80), COLORS), max_size=12)


def is_known(value: Any) -> bool:
    return value not in ("", None) and not isinstance(value, list)


def answer_plainly(measure: str, history: list[tuple[int, Any]]) -> Any:
    """The oracle: one event after the other, oldest first, within two days."""
    rows = [
        value for hours, value in sorted(history, key=lambda h: -h[0]) if hours < 48
    ]
    values = [value for value in rows if is_known(value)]
    numbers = [Decimal(str(v)) for v in values if type(v) in (int, float)]
    if not rows:
        return None
    if measure == "count":
        return len(rows)
    if measure == "sum":
        return sum(numbers)
    if measure == "distinct":
        return len({(type(value), value) for value in values})
    if measure in ("average", "minimum", "maximum"):
        if not numbers:
            return None
        if measure == "average":
            return round(sum(numbers) / len(numbers), 4)
        return min(numbers) if measure == "minimum" else max(numbers)
    if not values:
        return None
    if measure in ("first", "last"):
        return values[0 if measure == "first" else -1]
    keys = [(type(value), value) for value in values]
    times = Counter(keys)
    most = max(times.values())
    return next(key[1] for key in reversed(keys) if times[key] == most)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(HISTORY)
def test_sql_answers_as_the_plain_evaluator_does(
    history: list[tuple[int, Any]],
) -> None:
    hours = [one for one, _ in history]
    history = [one for n, one in enumerate(history) if one[0] not in hours[:n]]
    ada = make_contact()
    for ago, value in history:
        view(ada, ago / 24, color=value)
    for measure in set(MEASURES) - {"first_at", "last_at"}:
        node: dict[str, Any] = {"measure": measure}
        if measure != "count":
            node["property"] = "color"
        aggregate = read(**node, within={"amount": 2, "unit": "days"})
        (row,) = run(aggregate.select_answers(Scope(AT, (ada.pk,)))) or [(0, None)]
        got = ask(aggregate, ada)
        wanted = answer_plainly(measure, history)
        if wanted is None or isinstance(wanted, str | bool):
            shown = {None: None, True: "true"}.get(wanted, f'"{wanted}"')
            assert got == shown, (measure, row)
        else:
            assert Decimal(got) == Decimal(str(wanted)), (measure, row)
    Event.objects.filter(contact=ada).delete()


def test_the_clock_wakes_when_an_event_leaves_and_when_one_to_come_counts() -> None:
    ada = make_contact()
    view(ada, 3, color="red")
    view(ada, 1, color="blue")
    view(ada, -2, color="green")
    within = {"amount": 7, "unit": "days"}
    favourite = read(measure="most_frequent", property="color", within=within)
    wakes = run(favourite.wake(Scope(AT)))
    assert wakes == [(ada.pk, AT + timedelta(days=4)), (ada.pk, AT + timedelta(days=2))]
    ever = read(measure="last_at")
    assert run(ever.wake(Scope(AT))) == [(ada.pk, AT + timedelta(days=2))]


def test_an_answer_says_what_it_is_made_of() -> None:
    ada = make_contact()
    view(ada, 2, price=1_000)
    view(ada, 1, price=3_000.5)
    average = read(measure="average", property="price")
    evidence = average.evidence(Scope(AT, (ada.pk,)))
    assert average.describe() == "average price of “Viewed” ever"
    assert evidence.wording(run(evidence.sql)[0]) == (
        "average price is 2,000.25, from 2 events, the last on 2026-03-03 12:00:00 UTC"
    )
    evidence = average.evidence(Scope(AT, (make_contact().pk,)))
    assert evidence.wording(run(evidence.sql)[0]) == "never did “Viewed” ever"
    assert show_answer(Decimal("1000")) == "1,000"


def test_an_aggregate_reads_as_plain_english() -> None:
    lookup = {"catalog": "products", "field": "category"}
    node = {"measure": "most_frequent", "names": ["A", "B"], "property": "sku"}
    assert read(**node, lines="products", lookup=lookup).describe() == (
        "most frequent item category (catalog “products”, by sku in products) of "
        "“A” or “B” ever"
    )
    assert read(measure="count").describe() == "number of “Viewed” ever"
    assert read(measure="last_at").describe() == "time of the last “Viewed” ever"


@pytest.mark.parametrize(
    ("node", "path", "code"),
    [
        ({}, "root.measure", "required"),
        ({"measure": "mode"}, "root.measure", "choice"),
        ({"measure": "sum"}, "root.property", "required"),
        ({"measure": "count", "property": "x"}, "root.property", "unknown_key"),
        ({"measure": "count", "names": []}, "root.names", "range"),
        ({"measure": "count", "names": ["a", " "]}, "root.names[1]", "required"),
        ({"measure": "count", "names": ["a"], "name": "b"}, "root", "choice"),
        ({"measure": "count", "nmae": "x"}, "root", "unknown_key"),
        (
            {"measure": "last", "property": "x", "lookup": {"catalog": "c"}},
            "root.lookup.field",
            "required",
        ),
        (
            {"measure": "last", "property": "x", "lookup": "c"},
            "root.lookup",
            "type",
        ),
    ],
)
def test_a_wrong_aggregate_is_refused_with_its_path(
    node: dict[str, Any], path: str, code: str
) -> None:
    with pytest.raises(RuleError) as refused:
        read(**node)
    assert (refused.value.path, refused.value.code) == (path, code)


def test_an_answer_is_compared_as_the_values_of_profiles_are() -> None:
    ada, bob = make_contact(), make_contact()
    view(ada, 2, color="red", price=4)
    view(bob, 1, color="blue", price=6)
    make_contact()

    def find(aggregate: Aggregate, op: str, value: Any) -> set[int]:
        assert op in list_operators(aggregate)
        condition = Measured(aggregate, Comparison(op, value))
        rows = run(condition.select(Scope(AT)).sql)
        return {pk for (pk,) in rows}

    last = read(measure="last", property="color")
    assert find(last, "equals", "red") == {ada.pk}
    assert find(last, "not_equals", "red") == {bob.pk}
    assert find(last, "starts_with", "bl") == {bob.pk}
    average = read(measure="average", property="price")
    assert find(average, "gt", 4) == {bob.pk}
    assert find(average, "equals", 4) == {ada.pk}
    assert find(average, "in", (4, 6)) == {ada.pk, bob.pk}
    last_at = read(measure="last_at")
    assert find(last_at, "before", AT - timedelta(days=1)) == {ada.pk}
