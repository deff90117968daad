"""What the page is told, from rows alone."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from crm.models import CountedDay, EventDay, EventName, PropertyKind, RejectedItem
from crm.quality.report import (
    read_clients,
    read_names,
    read_refusals,
    read_volume,
)
from crm.quality.retention import forget_findings
from tests.factories import NOON

pytestmark = pytest.mark.django_db
TODAY = date(2026, 3, 4)
LAST = TODAY - timedelta(days=1)


def make_days(name: str, counts: list[int], **fields: Any) -> None:
    """One count a day, the last one yesterday."""
    for back, count in enumerate(reversed(counts)):
        day = LAST - timedelta(days=back)
        CountedDay.objects.get_or_create(
            counted_on=day, defaults={"counted_at": NOON, "events": count}
        )
        if count:
            fields = {"source": "segment", "library": "", **fields}
            EventDay.objects.create(counted_on=day, name=name, events=count, **fields)


def test_the_volume_reads_two_queries_and_finds_what_fell(
    django_assert_num_queries: Any,
) -> None:
    make_days("Viewed", [100] * 28 + [10])
    make_days("Bought", [20] * 29)
    make_days("Left", [30] * 28 + [0])
    with django_assert_num_queries(2):
        volume = read_volume(now=NOON)

    assert [one.name for one in volume.series] == ["Viewed", "Left", "Bought"]
    assert [(one.name, one.verdict.kind) for one in volume.findings if one.verdict] == [
        ("Viewed", "drop"),
        ("Left", "silence"),
    ]
    assert (volume.missing, len(volume.days), volume.days[-1]) == (0, 29, LAST)
    assert (volume.series[0].last, volume.series[0].typical) == (10, 100)


def test_days_that_nobody_counted_yet_are_no_silence() -> None:
    make_days("Viewed", [100] * 29)
    CountedDay.objects.filter(counted_on=LAST).delete()
    EventDay.objects.filter(counted_on=LAST).delete()
    volume = read_volume(now=NOON)
    assert (volume.findings, volume.missing) == ([], 1)

    # A gap in the middle: what lies before it judges nothing.
    make_days("Viewed", [0])
    gap = LAST - timedelta(days=10)
    CountedDay.objects.filter(counted_on=gap).delete()
    assert read_volume(now=NOON).findings == []


def test_an_empty_installation_has_no_findings() -> None:
    volume = read_volume(now=NOON)

    assert (list(volume.series), volume.missing, volume.counted_at) == ([], 29, None)
    assert read_names(volume, now=NOON).new == []
    assert read_clients(now=NOON) == []
    assert read_refusals() == []


def test_of_similar_names_the_more_frequent_is_kept() -> None:
    make_days("product_viewed", [100] * 3)
    make_days("Product Viewed", [1] * 3)
    for name in ("Product Viewed", "product_viewed", "$group"):
        EventName.objects.create(name=name, first_seen_at=NOON, last_seen_at=NOON)

    [pair] = read_names(read_volume(now=NOON), now=NOON).similar

    assert (pair.kept, pair.other) == ("product_viewed", "Product Viewed")


def test_a_name_is_new_for_a_week_but_not_in_the_first_week_of_all() -> None:
    EventName.objects.create(name="New", first_seen_at=NOON, last_seen_at=NOON)
    volume = read_volume(now=NOON)
    assert read_names(volume, now=NOON).new == []

    old = NOON - timedelta(days=9)
    EventName.objects.create(name="Old", first_seen_at=old, last_seen_at=NOON)
    assert [row.name for row in read_names(volume, now=NOON).new] == ["New"]


def test_a_client_whose_clock_runs_ahead_stands_first() -> None:
    make_days("Viewed", [100] * 9, source="segment", library="good", skewed=1)
    make_days("Bought", [50], source="segment", library="bad", skewed=25)

    clients = read_clients(now=NOON)

    assert [(c.library, c.share_pct, c.is_doubtful) for c in clients] == [
        ("bad", 50, True),
        ("good", 1, False),
    ]


def test_refusals_of_several_days_are_one_reason_with_the_newest_sample() -> None:
    for back, sample in ((0, "new"), (1, "old")):
        RejectedItem.objects.create(
            seen_on=TODAY - timedelta(days=back),
            source="segment",
            code="required",
            path="event",
            message="m",
            sample=sample,
            count=3,
            last_at=NOON - timedelta(days=back),
        )
    [one] = read_refusals()

    assert (one.total, one.last_at) == (6, NOON)


def test_what_no_page_reads_is_forgotten() -> None:
    make_days("Viewed", [1] * 60)
    old = NOON - timedelta(days=31)
    PropertyKind.objects.create(
        name="Viewed", property="a", kind="text", last_seen_at=old
    )
    for back in (6, 7):
        RejectedItem.objects.create(
            seen_on=TODAY - timedelta(days=back), source="s", code="c", message="m"
        )

    forget_findings(now=NOON)
    forget_findings(now=NOON)

    assert EventDay.objects.count() == CountedDay.objects.count() == 35
    assert PropertyKind.objects.count() == 0
    assert [row.seen_on.day for row in RejectedItem.objects.all()] == [26]
