"""Measures of events with what they are compared by, to be merged with the events."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

VALUES = [10, 10.5, 0, -3, 0.5, True, "pro", "50% off", "10", "a_b"]
NUMBERS = [10, 10.5, 0, -3, 1, 2, 3, 0.5, 20]
NUMERIC = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["gt", "gte", "lt", "lte", "equals", "not_equals"]),
        "value": st.sampled_from(NUMBERS),
    }
)
SAID = st.one_of(
    st.fixed_dictionaries(
        {
            "op": st.sampled_from(["equals", "not_equals"]),
            "value": st.sampled_from(VALUES),
        }
    ),
    st.fixed_dictionaries(
        {"op": st.just("in"), "value": st.lists(st.sampled_from(VALUES), min_size=1)}
    ),
    st.fixed_dictionaries(
        {
            "op": st.sampled_from(["contains", "starts_with", "ends_with", "matches"]),
            "value": st.sampled_from(["pro", "o", "0"]),
        }
    ),
    NUMERIC,
)
HALF_DAYS = st.builds(lambda n: {"amount": n * 12, "unit": "hours"}, st.integers(1, 5))
MOMENTS = st.one_of(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["within_last", "more_than_ago"]), "value": HALF_DAYS}
    ),
    st.fixed_dictionaries(
        {
            "op": st.sampled_from(["before", "after"]),
            "value": st.just("2026-03-03T12:00:00+00:00"),
        }
    ),
)
OF_EVENTS = {"type": st.just("aggregate")}
# The properties of events in `strategies`, and `value`, which has a column.
OF_PROPERTY = OF_EVENTS | {
    "property": st.sampled_from(["plan", "plan", "it's 100%", "value"])
}
LINES = {"lines": st.sampled_from(["plan", "a__b"])}


def measures(*names: str) -> dict[str, st.SearchStrategy[str]]:
    return {"measure": st.sampled_from(names)}


def pair(
    one: st.SearchStrategy[dict[str, Any]], two: st.SearchStrategy[dict[str, Any]]
) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda a, b: {**a, **b}, one, two)


AGGREGATE = st.one_of(
    pair(st.fixed_dictionaries(OF_EVENTS | measures("count")), NUMERIC),
    pair(st.fixed_dictionaries(OF_EVENTS | measures("first_at", "last_at")), MOMENTS),
    pair(
        st.fixed_dictionaries(
            OF_PROPERTY | measures("sum", "average", "minimum", "maximum", "distinct"),
            optional=LINES,
        ),
        NUMERIC,
    ),
    pair(
        st.fixed_dictionaries(
            OF_PROPERTY | measures("first", "last", "most_frequent"), optional=LINES
        ),
        SAID,
    ),
)
