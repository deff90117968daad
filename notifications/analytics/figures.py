"""Figures: the shapes of reports, as pages and the API read them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from notifications.analytics.rates import Rate


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many messages ended, or wait, for one reason."""

    state: str
    reason: str
    sentence: str
    count: int


@dataclass(frozen=True, slots=True)
class Revenue:
    """What converted messages brought in, in one currency ('' where not told).

    total = gross - refunded; `per_send` and `per_delivered` are of the total.
    """

    currency: str
    gross: Decimal
    refunded: Decimal
    total: Decimal
    conversions: int
    per_send: Decimal | None = None
    per_delivered: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """One day in UTC."""

    on: date
    sent: int = 0
    opened: int = 0
    clicked: int = 0
    converted: int = 0


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """One campaign as of one moment; each figure is defined in `definitions`.

    planned = pending + in_work + sent + skipped + failed + cancelled + expired +
    unknown + held_out + quarantined: every person is accounted for.
    """

    campaign_id: int
    name: str
    state: str
    at: datetime
    # Some of it went to the built-in sandbox: nobody outside saw it.
    is_sandbox: bool
    planned: int
    attempted: int
    sent: int
    delivered: int
    opened: int
    clicked: int
    converted: int
    dismissed: int
    pending: int
    late: int
    in_work: int
    skipped: int
    failed: int
    cancelled: int
    expired: int
    unknown: int
    held_out: int
    quarantined: int
    skips: tuple[ReasonCount, ...]
    failures: tuple[ReasonCount, ...]
    cancellations: tuple[ReasonCount, ...]
    # Why waiting messages wait.
    waits: tuple[ReasonCount, ...]
    rates: Mapping[str, Rate]
    revenue: tuple[Revenue, ...]
    # Null while nothing converted.
    conversion_median_s: float | None

    @property
    def ladder(self) -> tuple[tuple[str, int], ...]:
        """The rungs in order, each no greater than the one before from `sent` on."""
        names = ("attempted", "sent", "delivered", "opened", "clicked", "converted")
        return tuple((name, getattr(self, name)) for name in names)


@dataclass(frozen=True, slots=True)
class Totals:
    """Messages sent in a period, and what came of them until now."""

    sent: int = 0
    delivered: int = 0
    opened: int = 0
    clicked: int = 0
    dismissed: int = 0
    converted: int = 0

    @property
    def open_rate(self) -> float | None:
        return self.opened / self.sent if self.sent else None

    @property
    def conversion_rate(self) -> float | None:
        return self.converted / self.sent if self.sent else None


@dataclass(frozen=True, slots=True)
class CampaignLine:
    """One campaign in a table of many."""

    campaign_id: int
    name: str
    totals: Totals
    revenue: tuple[Revenue, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a live campaign has come."""

    campaign_id: int
    name: str
    state: str
    next_run_at: datetime | None
    paused_reason: str
    planned: int
    # Rows that still have somewhere to go.
    open: int

    @property
    def done_pct(self) -> int:
        done = self.planned - self.open
        return done * 100 // self.planned if self.planned else 0


@dataclass(frozen=True, slots=True)
class AlertLine:
    text: str
    cause: str
    url: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The dashboard: what was sent, what it earned, what needs a human."""

    at: datetime
    days: int
    totals: Totals
    # The same number of days before, to compare with.
    before: Totals
    series: tuple[Day, ...]
    revenue: tuple[Revenue, ...]
    top: tuple[CampaignLine, ...]
    # Scheduled, running and paused campaigns, the newest first.
    running: tuple[Progress, ...]
    alerts: tuple[AlertLine, ...]
    # Of the last 7 days, whatever `days` is.
    skips: tuple[ReasonCount, ...]
    quarantined_deliveries: int
    quarantined_events: int
    pending: int
    late: int
