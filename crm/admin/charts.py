"""Charts: series of days as Chart.js takes them. Pure.

Options are given in full: without them unfold draws series over each other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

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

# Label, colour, one value for each day.
Line = tuple[str, str, Sequence[int]]


def draw_days(days: Sequence[date], lines: Sequence[Line]) -> dict[str, str]:
    """`data` and `options` as JSON texts; no data where there are no days."""
    if not days:
        return {}
    data = {
        "labels": [f"{day.day} {day:%b}" for day in days],
        "datasets": [
            {
                "label": label,
                "data": list(values),
                "borderColor": colour,
                "backgroundColor": colour,
                "borderWidth": 2,
                # A line of one day would be invisible without its point.
                "pointRadius": 3 if len(days) < 3 else 0,
                "pointHoverRadius": 4,
                # Never above or below the figures between two days.
                "cubicInterpolationMode": "monotone",
            }
            for label, colour, values in lines
        ],
    }
    return {"data": json.dumps(data), "options": json.dumps(OPTIONS)}
