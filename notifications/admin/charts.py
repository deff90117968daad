"""The chart of a campaign's, or all, messages by day. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from crm.admin.charts import draw_days
from notifications.analytics.figures import Day

# Colours that are told apart by most eyes, in light and in dark.
SERIES = (
    ("sent", "Sent", "#94a3b8"),
    ("opened", "Opened", "#4f7df3"),
    ("clicked", "Clicked", "#0ea5a4"),
    ("converted", "Converted", "#e8871e"),
)


def build_day_chart(days: Sequence[Day]) -> dict[str, str]:
    """`data` and `options` as JSON texts; no data where there are no days."""
    return draw_days(
        [day.on for day in days],
        [
            (label, colour, [getattr(day, name) for day in days])
            for name, label, colour in SERIES
        ],
    )
