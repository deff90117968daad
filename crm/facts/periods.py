"""Days of the calendar: periods around today, and anniversaries.

Everything is said as the half-open span of local days on which an answer is true,
so that the same span answers and says when the answer changes.
"""

from __future__ import annotations

from dataclasses import dataclass

from crm.ports.facts import Sql

# Half a year ahead: beyond, the next anniversary and the last would meet.
ANNIVERSARY_MAX_DAYS = 180


@dataclass(frozen=True, slots=True)
class Period:
    """A day, a week from Monday on, a month, quarter or year; `ahead` of this one."""

    unit: str
    ahead: int
    words: str


# One unit's length; a quarter has no interval of its own.
LENGTHS = {
    "day": "1 day",
    "week": "7 days",
    "month": "1 month",
    "quarter": "3 months",
    "year": "1 year",
}
PERIODS = {
    "today": Period("day", 0, "today"),
    "yesterday": Period("day", -1, "yesterday"),
    "tomorrow": Period("day", 1, "tomorrow"),
    **{
        f"{word}_{unit}": Period(unit, ahead, f"{word} {unit}")
        for unit in ("week", "month", "quarter", "year")
        for word, ahead in (("this", 0), ("last", -1), ("next", 1))
    },
}
# The next anniversary from today (`t`) on, of a day (`d`) that is before it. 29
# February is kept on 28 February where there is none.
NEXT_ANNIVERSARY = """(d.d + make_interval(years => greatest(1,
  extract(year FROM d.t)::int - extract(year FROM d.d)::int
  + CASE WHEN (d.d + make_interval(years => extract(year FROM d.t)::int
      - extract(year FROM d.d)::int))::date < d.t THEN 1 ELSE 0 END)))::date"""


def show_anniversary(days: int) -> str:
    if days == 0:
        return "today"
    return f"today or within the next {days} day{'s' if days > 1 else ''}"


def span_period(name: str) -> Sql:
    """`starts, ends`: on which local days a day `d.d` falls into the period."""
    period = PERIODS[name]
    length = LENGTHS[period.unit]
    start = f"date_trunc(%s, d.d::timestamp) - %s * interval '{length}'"
    params = (period.unit, period.ahead)
    return Sql(
        f"({start})::date AS starts, ({start} + interval '{length}')::date AS ends",
        (*params, *params),
    )


def span_anniversary(days: int) -> Sql:
    """`starts, ends`: the days up to the next anniversary that count, itself too."""
    return Sql(
        f"({NEXT_ANNIVERSARY} - %s::int) AS starts, ({NEXT_ANNIVERSARY} + 1) AS ends",
        (days,),
    )
