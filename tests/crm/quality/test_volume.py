"""Drops and silences: what is told, what is not, and how often in vain."""

from __future__ import annotations

import math
import random

import pytest

from crm.quality.volume import DROP, SILENCE, judge_series

STEADY = [100, 96, 104, 99, 101, 95, 105] * 4
OFFICE = [100, 101, 99, 100, 98, 0, 0] * 4
RARE = [1, 0, 0, 0, 0, 0, 0] * 4


@pytest.mark.parametrize(
    ("_case", "counts", "kind"),
    [
        ("as ever", [*STEADY, 100], None),
        ("a third less is no news", [*STEADY, 66], None),
        ("half is gone", [*STEADY, 48], DROP),
        ("nothing on a busy weekday", [*STEADY, 0], SILENCE),
        ("nothing on Saturday, as ever", OFFICE[:26] + [0], None),
        ("nothing on Monday", [*OFFICE, 0], SILENCE),
        ("a weekly event between its days", [*RARE, 1, 0, 0, 0], None),
        ("never more than a few", [1, 2, 1, 0, 2, 1, 1] * 4 + [0], None),
        ("a few every day, then none", [2, 1, 1, 2, 1, 1, 1] * 3 + [0] * 4, SILENCE),
        ("too young to judge", [100] * 10 + [0], None),
        ("not yet in use", [0] * 29, None),
        ("more than ever", [*STEADY, 900], None),
        ("one sale before moves nothing", [*STEADY[:-1], 9_000, 100], None),
    ],
)
def test_a_day_is_judged_by_its_weekday(
    _case: str, counts: list[int], kind: str | None
) -> None:
    verdict = judge_series(counts)

    assert (verdict.kind if verdict else None) == kind


def test_a_drop_says_how_much_is_missing_and_a_silence_how_long() -> None:
    drop = judge_series([*STEADY, 25])
    silence = judge_series([*STEADY, 0, 0])

    assert drop is not None
    assert (drop.counted, drop.expected, drop.lost_pct) == (25, 100, 75)
    assert silence is not None
    assert (silence.silent_days, silence.counted) == (2, 0)


def test_days_before_the_first_event_are_not_silence() -> None:
    assert judge_series([0] * 8 + STEADY[:20] + [99]) is None


def test_chance_alone_is_told_less_than_once_in_five_hundred_days() -> None:
    """Counts without any fault, with weekends and twice the spread of a Poisson."""
    dice = random.Random(7)
    alarms = 0
    for _ in range(2_000):
        level = dice.choice([3, 12, 60, 400, 5_000])
        counts = [
            draw_count(dice, level * (0.4 if day % 7 > 4 else 1.0)) for day in range(29)
        ]
        alarms += judge_series(counts) is not None

    assert alarms <= 4


def test_what_lost_two_thirds_is_nearly_always_told() -> None:
    dice = random.Random(8)
    told = 0
    for _ in range(500):
        counts = [draw_count(dice, 300) for _ in range(28)]
        told += judge_series([*counts, draw_count(dice, 100)]) is not None

    assert told >= 495


def draw_count(dice: random.Random, mean: float) -> int:
    """Poisson with a mean that itself varies (negative binomial, variance twice)."""
    rate = dice.gammavariate(mean, 1.0)
    if rate > 200:
        return max(0, round(dice.gauss(rate, math.sqrt(rate))))
    limit, product, count = math.exp(-rate), dice.random(), 0
    while product > limit:
        product *= dice.random()
        count += 1
    return count
