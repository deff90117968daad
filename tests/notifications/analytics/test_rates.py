"""Wilson intervals against published values."""

from __future__ import annotations

import pytest

from notifications.analytics.rates import Rate, make_rate


@pytest.mark.parametrize(
    ("numerator", "denominator", "low", "high"),
    [
        # R: prop.test(x, n, correct = FALSE)
        (15, 100, 0.0930671, 0.2328305),
        (1, 10, 0.0178762, 0.4041500),
        (0, 10, 0.0, 0.2775328),
        (10, 10, 0.7224672, 1.0),
        (81, 263, 0.2552879, 0.3661873),
    ],
)
def test_interval_is_wilsons(
    numerator: int, denominator: int, low: float, high: float
) -> None:
    rate = make_rate(numerator, denominator)

    assert rate.share == numerator / denominator
    assert rate.low == pytest.approx(low, abs=5e-5)
    assert rate.high == pytest.approx(high, abs=5e-5)


def test_nothing_to_share_has_no_rate() -> None:
    assert make_rate(0, 0) == Rate(0, 0, None, None, None)


@pytest.mark.parametrize("numerator", [0, 1, 500_000, 999_999, 1_000_000])
def test_share_is_inside_its_interval(numerator: int) -> None:
    rate = make_rate(numerator, 1_000_000)

    assert rate.low is not None
    assert rate.high is not None
    assert rate.share is not None
    assert 0 <= rate.low <= rate.share <= rate.high <= 1
