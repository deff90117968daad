"""Pure parts of the pages: charts, lock screens, typed filters."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from notifications.admin.charts import build_day_chart
from notifications.admin.fields import PeriodWidget, read_line, show_filter
from notifications.admin.lockscreen import build_screens, split_text
from notifications.analytics.figures import Day


def test_a_chart_has_one_line_for_each_rung() -> None:
    chart = build_day_chart([Day(date(2026, 3, 4), sent=5, opened=2)])
    data = json.loads(chart["data"])
    assert data["labels"] == ["4 Mar"]
    assert [line["data"] for line in data["datasets"]] == [[5], [2], [0], [0]]
    # unfold reads the grids of both axes.
    options = json.loads(chart["options"])
    assert all("grid" in options["scales"][axis] for axis in "xy")


def test_no_days_are_no_chart() -> None:
    assert build_day_chart([]) == {}


def test_a_text_is_cut_between_letters() -> None:
    family = "👩‍👩‍👧"
    shown = split_text(family * 3, 2)
    assert (shown.head, shown.rest, shown.is_cut) == (family * 2, family, True)
    assert not split_text("short", 10).is_cut


def test_there_are_two_lock_screens() -> None:
    assert [one.name for one in build_screens("a", "b")] == ["iPhone", "Android"]


@pytest.mark.parametrize(
    ("line", "node"),
    [
        ("total > 50", {"property": "total", "op": "gt", "value": 50}),
        ("total>=50.5", {"property": "total", "op": "gte", "value": 50.5}),
        ("colour = red", {"property": "colour", "op": "equals", "value": "red"}),
        ('size = "42"', {"property": "size", "op": "equals", "value": "42"}),
        ("is new != true", {"property": "is new", "op": "not_equals", "value": True}),
        ("note exists", {"property": "note", "op": "exists"}),
        ("name contains a", {"property": "name", "op": "contains", "value": "a"}),
        ("size in 1, 2", {"property": "size", "op": "in", "value": [1, 2]}),
    ],
)
def test_a_filter_reads_as_it_is_written(line: str, node: dict[str, Any]) -> None:
    assert read_line(line) == node
    assert read_line(show_filter(node)) == node


def test_a_line_that_says_nothing_is_refused() -> None:
    with pytest.raises(ValidationError):
        read_line("total")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, [0, "60"]), (900, [15, "60"]), (7_200, [2, "3600"]), (86_400, [1, "86400"])],
)
def test_a_period_opens_in_its_largest_unit(seconds: int, shown: list[Any]) -> None:
    assert PeriodWidget().decompress(seconds) == shown
