"""What each figure means: rendered into the docs, shown beside the figure.

Pure. All counts are of messages to people: one person and one message is one,
however many devices it went to. Test sends never count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Definition:
    """One figure. A count has no denominator."""

    label: str
    numerator: str
    denominator: str = ""
    window: str = "Since the launch, until now."
    note: str = ""


def _count(label: str, numerator: str, note: str = "") -> Definition:
    return Definition(label, numerator, note=note)


def _rate(label: str, numerator: str, denominator: str, note: str = "") -> Definition:
    return Definition(label, numerator, denominator, note=note)


# Words used more than once, so that one figure reads alike everywhere.
SENT: Final = "messages the provider took for at least one device"
REPORTED: Final = "Only devices tell; what they do not report stays unknown."
COHORT: Final = "Messages sent in the period, whenever the rest happened."

DEFINITIONS: Final[Mapping[str, Definition]] = {
    "planned": _count("Planned", "People who were to get the message: every row."),
    "pending": _count("Waiting", "Messages that still wait for their turn."),
    "in_work": _count("In work", "Messages a worker holds right now."),
    "late": _count("Late", "Waiting messages whose time has come."),
    "attempted": _count("Attempted", "Messages a worker took in hand at least once."),
    "sent": _count("Sent", SENT.capitalize() + "."),
    "delivered": _count("Delivered", "Sent messages a device says it got.", REPORTED),
    "opened": _count(
        "Opened", "Sent messages whose body, button or link was tapped.", REPORTED
    ),
    "clicked": _count(
        "Clicked", "Sent messages whose button or link was tapped.", REPORTED
    ),
    "dismissed": _count("Dismissed", "Sent messages that were swiped away.", REPORTED),
    "converted": Definition(
        "Converted",
        "Sent messages followed by the campaign's goal event.",
        window="The campaign's goal window, from its anchor (sent, delivered, opened "
        "or clicked), by the event's own clock; the end is outside.",
        note="Once per message, at the first event; an event counts once per campaign.",
    ),
    "skipped": _count("Skipped", "Messages not sent, for the reasons shown."),
    "failed": _count("Failed", "Messages that could not be written or were refused."),
    "cancelled": _count("Cancelled", "Messages that were no longer true or wanted."),
    "expired": _count("Expired", "Messages whose time had passed before their turn."),
    "unknown": _count(
        "Maybe delivered",
        "Messages posted without an answer, not sent again.",
        "A device's report makes them sent.",
    ),
    "held_out": _count("Held out", "People kept without messages, for comparison."),
    "quarantined": _count("Quarantined", "Messages set aside after three crashes."),
    "delivery_rate": _rate("Delivery rate", "delivered", "sent", REPORTED),
    "open_rate": _rate("Open rate", "opened", "sent"),
    "click_rate": _rate("Click rate", "clicked", "sent"),
    "click_to_open_rate": _rate("Click-to-open rate", "clicked", "opened"),
    "dismiss_rate": _rate("Dismiss rate", "dismissed", "sent"),
    "conversion_rate": _rate("Conversion rate", "converted", "sent"),
    "failure_rate": _rate("Failure rate", "failed", "attempted"),
    "revenue": Definition(
        "Revenue",
        "Sum of the values of the goal events that converted a message, less what was "
        "refunded or cancelled of their orders, per currency; currencies are never "
        "added up.",
        window="The campaign's goal window; refunds until now.",
        note="What happened after the message, not because of it: see lift.",
    ),
    "revenue_per_send": _rate("Revenue per send", "revenue", "sent"),
    "revenue_per_delivered": _rate("Revenue per delivered", "revenue", "delivered"),
    "conversion_median_s": Definition(
        "Median time to conversion",
        "Seconds from sent to the goal event, of which half the conversions were "
        "faster.",
        window="The campaign's goal window.",
    ),
    "daily": Definition(
        "Per day",
        "Messages sent, opened, clicked and converted on each day (UTC).",
        window="The first days from the first send.",
    ),
    "overview": Definition(
        "Last days", "The same counts over all messages.", window=COHORT
    ),
}

# Rates of a report: name → (numerator, denominator), both counts of the report.
RATES: Final[Mapping[str, tuple[str, str]]] = {
    name: (definition.numerator, definition.denominator)
    for name, definition in DEFINITIONS.items()
    if name.endswith("_rate")
}
