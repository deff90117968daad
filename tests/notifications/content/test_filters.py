"""Filters in our dialect."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from notifications.content.errors import RenderError
from notifications.content.liquid import render_text

NOW = dt.datetime(2026, 3, 1, 23, 30, tzinfo=ZoneInfo("Europe/Oslo"))
EVENT = {
    "at": dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC),
    "text_at": "2026-03-01T12:00:00Z",
    "local": "2026-03-01T12:00:00",
    "day": "2026-03-01",
    "date": dt.date(2026, 3, 1),
    "epoch": 1_772_366_400,
    "loose": "March 5, 2026",
    "price": Decimal("120.00"),
    "was": 150,
    "items": [{"name": "Hat", "price": 10}, {"name": "Scarf", "price": 5}],
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ 'now' | date: '%Y-%m-%d %H:%M' }}", "2026-03-01 23:30"),
        ("{{ now | date: '%H:%M' }}", "23:30"),
        ("{{ event.at | date: '%H:%M' }}", "13:00"),
        ("{{ event.text_at | date: '%H:%M' }}", "13:00"),
        ("{{ event.local | date: '%H:%M' }}", "12:00"),
        ("{{ event.day | date: '%d.%m.' }}", "01.03."),
        ("{{ event.date | date: '%d.%m.' }}", "01.03."),
        ("{{ event.epoch | date: '%Y-%m-%d %H:%M' }}", "2026-03-01 13:00"),
        ("{{ event.loose | date: '%Y-%m-%d' }}", "2026-03-05"),
        ("${{ event.price }} (was ${{ event.was }})", "$120.00 (was $150)"),
        ("{{ event.items | map: 'name' | join: ', ' }}", "Hat, Scarf"),
        ("{{ event.items | sum: 'price' }}", "15"),
        ("{{ event.items | sort: 'price' | map: 'name' | first }}", "Scarf"),
        ("{{ event.items | where: 'name', 'Hat' | map: 'price' | first }}", "10"),
        ("{{ 'a<b>c</b>' | strip_html }}", "ac"),
        ("{{ 'a,b' | split: ',' | reverse | join: '-' }}", "b-a"),
        ("{{ true | upcase }}", "TRUE"),
        ("{{ 'abcdef' | truncate: 4, '…' }}", "abc…"),
        ("{{ event.was | minus: 30 | times: 2 | divided_by: 7 }}", "34"),
    ],
)
def test_filters_give(source: str, expected: str) -> None:
    assert render_text(source, {"event": EVENT, "now": NOW}) == expected


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'soon' | date: '%Y' }}",
        "{{ event.items | date: '%Y' }}",
        "{{ 1 | divided_by: 0 }}",
        "{{ event.items | upcase }}",
        "{{ 'a' | truncate: 'x' }}",
        "{{ 'a' | plus }}",
        "{{ event.items | sort }}",
    ],
)
def test_filters_refuse_what_they_cannot_do(source: str) -> None:
    with pytest.raises(RenderError) as caught:
        render_text(source, {"event": EVENT, "now": NOW})

    assert caught.value.reason == "template_error"
    assert caught.value.line == 1
