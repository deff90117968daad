"""Which events fell silent or dropped, judged by whole days. Pure.

A drop: counts are made comparable by Anscombe's transform (The transformation of
Poisson data, Biometrika 35, 1948), the median of the same weekday is taken away, and
the day is scored by the modified z-score of Iglewicz and Hoaglin (How to Detect and
Handle Outliers, 1993), whose cut is 3.5. Medians, so that one sale or one outage among
the days before moves nothing. A silence: each day is active or not, the share is
estimated by Krichevsky and Trofimov (a + ½) / (n + 1), and so many empty days in a row
are less likely than one in a thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt
from statistics import median

# Four weeks before the day that is judged.
BASELINE_DAYS = 28
WEEK = 7
# Fewer days say nothing of weekdays.
MIN_DAYS = 14
CUT = -3.5
# The median absolute deviation of a normal distribution, upside down.
MAD_TO_SIGMA = 1.4826
# What lost less than half is not told, however certain.
LEFT_SHARE = 0.5
UNLIKELY = 0.001

DROP, SILENCE = "drop", "silence"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`expected` is the median of the same weekday, `silent_days` the empty days up
    to the judged one."""

    kind: str
    counted: int
    expected: float
    silent_days: int = 0

    @property
    def lost_pct(self) -> int:
        return round(100 * (1 - self.counted / self.expected)) if self.expected else 0


def judge_series(counts: Sequence[int]) -> Verdict | None:
    """`counts`: one for each day, oldest first, the judged day last.

    Days before the first event say nothing: the name was not in use yet.
    """
    used = list(counts[-BASELINE_DAYS - 1 :])
    while used and used[0] == 0:
        used.pop(0)
    if len(used) <= MIN_DAYS:
        return None
    *before, judged = used
    expected = median(pick_weekday(before))
    silent_days = count_silent(used)
    if silent_days and is_unlikely_silence(used, silent_days):
        return Verdict(SILENCE, judged, expected, silent_days)
    if judged > expected * LEFT_SHARE or score_day(before, judged) > CUT:
        return None
    kind = DROP if judged else SILENCE
    return Verdict(kind, judged, expected, silent_days)


def pick_weekday(before: Sequence[int], offset: int = 0) -> list[int]:
    """The days of one weekday; offset 0 is the weekday of the day that follows."""
    return list(before[(len(before) + offset) % WEEK :: WEEK])


def score_day(before: Sequence[int], judged: int) -> float:
    """How many spreads the day lies above (below: negative) its weekday's median."""
    residuals: list[float] = []
    for offset in range(WEEK):
        days = [stabilise(count) for count in pick_weekday(before, offset)]
        middle = median(days)
        residuals += [day - middle for day in days]
    # A Poisson count, stabilised, has a spread of one: never believe in less.
    spread = max(1.0, MAD_TO_SIGMA * median(abs(one) for one in residuals))
    same = [stabilise(count) for count in pick_weekday(before)]
    # The median of so few days is itself uncertain (its variance is π / 2n).
    spread *= sqrt(1 + pi / (2 * len(same)))
    return (stabilise(judged) - median(same)) / spread


def stabilise(count: int) -> float:
    return 2 * sqrt(count + 3 / 8)


def count_silent(counts: Sequence[int]) -> int:
    """The empty days at the end."""
    return next((n for n, count in enumerate(reversed(counts)) if count), len(counts))


def is_unlikely_silence(counts: Sequence[int], silent_days: int) -> bool:
    before = counts[:-silent_days]
    if len(before) < WEEK:
        return False
    active = sum(1 for count in before if count)
    share = (active + 0.5) / (len(before) + 1)
    return bool((1 - share) ** silent_days < UNLIKELY)
