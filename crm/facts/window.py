"""Rolling windows: an amount of a unit, in seconds inside."""

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
