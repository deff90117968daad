"""Rates with what chance alone may do to them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

# 97.5th percentile of the normal distribution: two sides of 95 %.
Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Rate:
    """A share and its 95 % interval; None where there is nothing to share."""

    numerator: int
    denominator: int
    share: float | None
    low: float | None
    high: float | None


def make_rate(numerator: int, denominator: int) -> Rate:
    """Wilson's score interval: right for few trials and for shares near 0."""
    if denominator <= 0:
        return Rate(numerator, denominator, None, None, None)
    share = numerator / denominator
    square = Z_95 * Z_95
    middle = share + square / (2 * denominator)
    spread = Z_95 * sqrt(
        share * (1 - share) / denominator + square / (4 * denominator * denominator)
    )
    scale = 1 + square / denominator
    # Rounding must not push the ends past what can be, or past the share itself.
    low = min(max((middle - spread) / scale, 0.0), share)
    high = max(min((middle + spread) / scale, 1.0), share)
    return Rate(numerator, denominator, share, low, high)
