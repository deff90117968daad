"""One row holds what is left of a limit, for all processes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from crm.models import RateBucket
from crm.models.rate import BURST_S

pytestmark = pytest.mark.django_db
RATE = 10


def lease(wanted: float, name: str = "a") -> float:
    return RateBucket.objects.lease(name, rate_per_s=RATE, wanted=wanted)


def let_pass(seconds: float) -> None:
    row = RateBucket.objects.get(name="a")
    row.filled_at -= timedelta(seconds=seconds)
    row.save()


def test_a_rested_limit_gives_its_burst_and_then_nothing() -> None:
    given = [lease(8) for _ in range(4)]

    assert given[:2] == [8, 8]
    # What little time passed between is worth less than one call.
    assert RATE * BURST_S <= sum(given) < RATE * BURST_S + 1


def test_time_fills_it_again_up_to_the_burst() -> None:
    lease(100)
    let_pass(1)
    assert lease(100) == pytest.approx(RATE, abs=1)

    let_pass(3_600)
    assert lease(100) == RATE * BURST_S


def test_a_clock_set_back_takes_nothing_away() -> None:
    lease(5)
    let_pass(-60)

    assert lease(5) == 5


def test_limits_do_not_touch_each_other() -> None:
    lease(100)

    assert lease(5, name="b") == 5


def test_what_is_idle_for_a_day_is_forgotten() -> None:
    lease(1)
    lease(1, name="b")
    let_pass(25 * 3_600)

    assert RateBucket.objects.forget_idle(now=timezone.now()) == 1
    assert RateBucket.objects.get().name == "b"
