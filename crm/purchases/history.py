"""What changed of a subscription, as staff and programs read it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from crm.purchases.subscriptions import Said, list_changes

# Lines of a history, the newest ones; there is no end to what may be said.
SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One column that a word changed; '' where nothing was or is known."""

    at: datetime
    kind: str
    by_time: bool
    column: str
    was: str
    now: str


def describe_history(said: Sequence[Said]) -> list[Line]:
    """The newest changes, each from what to what, oldest first."""
    if not said:
        return []
    lines = [
        Line(
            at=change.at,
            kind=change.kind.replace("_", " "),
            by_time=change.by_time,
            column=column,
            was=show_value(was),
            now=show_value(now),
        )
        for change in list_changes(said)
        for column, (was, now) in change.columns.items()
    ]
    return lines[-SHOWN:]


def show_value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
