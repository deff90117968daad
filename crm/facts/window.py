"""Windows of time: rolling ones, an amount of a unit, and fixed ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

UNIT_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400}
# Ten years of 365 days: longer is "ever".
WINDOW_MAX_S = 3_650 * 86_400


@dataclass(frozen=True, slots=True)
class Window:
    """`(at - seconds, at]`; a day is 24 hours."""

    amount: int
    unit: str

    @property
    def span(self) -> timedelta:
        return timedelta(seconds=self.amount * UNIT_SECONDS[self.unit])

    def start(self, at: datetime) -> datetime:
        """The last moment that is outside."""
        return at - self.span

    def __str__(self) -> str:
        return f"{self.amount:,} {self.unit if self.amount != 1 else self.unit[:-1]}"


@dataclass(frozen=True, slots=True)
class Span:
    """A fixed window, `[since, until)`; an end that is None is open."""

    since: datetime | None = None
    until: datetime | None = None

    def __str__(self) -> str:
        words = [f"from {show_moment(self.since)} on"] if self.since else []
        words += [f"before {show_moment(self.until)}"] if self.until else []
        return " and ".join(words)


def show_moment(at: datetime) -> str:
    """As short as it is exact."""
    if at.microsecond:
        return f"{at:%Y-%m-%d %H:%M:%S.%f} UTC"
    if at.second:
        return f"{at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{at:%Y-%m-%d %H:%M} UTC" if at.hour or at.minute else f"{at:%Y-%m-%d}"
