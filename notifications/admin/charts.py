"""Charts: series of days as Chart.js takes them. Pure.

Options are given in full: without them unfold draws series over each other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from notifications.analytics.figures import Day

# Colours that are told apart by most eyes, in light and in dark.
SERIES = (
    ("sent", "Sent", "#94a3b8"),
    ("opened", "Opened", "#4f7df3"),
    ("clicked", "Clicked", "#0ea5a4"),
    ("converted", "Converted", "#e8871e"),
)
TICK_COLOUR = "#8a94a6"
AXIS = {"ticks": {"color": TICK_COLOUR}, "border": {"display": False}}
OPTIONS: dict[str, Any] = {
    "responsive": True,
    "maintainAspectRatio": False,
    "animation": False,
    "interaction": {"mode": "index", "intersect": False},
    "plugins": {
        "legend": {
            "display": True,
            "position": "top",
            "align": "end",
            "labels": {
                "color": TICK_COLOUR,
                "usePointStyle": True,
                "pointStyle": "circle",
                "boxWidth": 6,
                "boxHeight": 6,
            },
        }
    },
    "scales": {
        "x": {
            **AXIS,
            "grid": {"display": False},
            "ticks": {"color": TICK_COLOUR, "maxTicksLimit": 8, "maxRotation": 0},
        },
        "y": {
            **AXIS,
            "grid": {"display": True},
            "beginAtZero": True,
            "ticks": {"color": TICK_COLOUR, "precision": 0, "maxTicksLimit": 6},
        },
    },
}


def build_day_chart(days: Sequence[Day]) -> dict[str, str]:
    """`data` and `options` as JSON texts; no data where there are no days."""
    if not days:
        return {}
    data = {
        "labels": [f"{day.on.day} {day.on:%b}" for day in days],
        "datasets": [
            {
                "label": label,
                "data": [getattr(day, name) for day in days],
                "borderColor": colour,
                "backgroundColor": colour,
                "borderWidth": 2,
                # A line of one day would be invisible without its point.
                "pointRadius": 3 if len(days) < 3 else 0,
                "pointHoverRadius": 4,
                # Never above or below the figures between two days.
                "cubicInterpolationMode": "monotone",
            }
            for name, label, colour in SERIES
        ],
    }
    return {"data": json.dumps(data), "options": json.dumps(OPTIONS)}
