"""One message in plain words: what became of it, why, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from notifications.models import Delivery
from notifications.reasons import find_reason

State = Delivery.State
HEADLINES = {
    State.PENDING: "Waits for its turn",
    State.CLAIMED: "A worker has it in hand",
    State.SENDING: "Is being sent",
    State.SENT: "Sent",
    State.SKIPPED: "Not sent",
    State.FAILED: "Failed",
    State.UNKNOWN: "Maybe sent: the provider's answer was lost",
    State.EXPIRED: "Not sent: it expired before its turn",
    State.CANCELLED: "Cancelled",
    State.HELD_OUT: "Held out on purpose, to measure what the message changes",
    State.QUARANTINED: "Set aside: it stopped a worker three times",
}

# What to do about an end that has no reason beside it.
ADVICE = {
    State.UNKNOWN: "A promotional message is not sent twice. If the phone reports on "
    "it, it counts as sent.",
    State.EXPIRED: "Give the campaign more time in “Makes sense for”, or look whether "
    "sending was stopped or late.",
    State.HELD_OUT: "Nothing to do: they are compared with those who got it.",
    State.QUARANTINED: "The worker's log says what stopped it. Try again once that is "
    "mended, or drop it.",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """`headline` says what, `detail` the facts of this one, `advice` what to do."""

    headline: str
    detail: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """A step on a message's way."""

    at: datetime
    what: str


def explain_delivery(row: Delivery) -> Answer:
    reason = find_reason(row.reason)
    headline = HEADLINES[State(row.state)]
    if row.state == State.PENDING and row.due_at:
        headline = f"{headline}: due {row.due_at:%-d %b %Y, %H:%M} UTC"
    elif reason is not None:
        headline = f"{headline}: {reason.words[0].lower()}{reason.words[1:]}"
    advice = reason.sentence if reason else ADVICE.get(State(row.state), "")
    return Answer(headline, row.detail, advice)


def list_moments(row: Delivery) -> list[Moment]:
    """The steps that have happened, in their order."""
    steps = (
        (row.trigger_event_at, "The contact did what triggers it"),
        (row.created_at, "Planned"),
        (row.first_claimed_at, "Taken in hand by a worker"),
        (row.gated_at, "Passed the last check before sending"),
        (row.sent_at, "Taken by the provider"),
        (row.delivered_at, "Delivered to the device"),
        (row.opened_at, "Opened"),
        (row.clicked_at, "Clicked"),
        (row.dismissed_at, "Swiped away"),
        (row.converted_at, "Goal reached"),
        (
            row.finished_at if row.state != State.SENT else None,
            HEADLINES[State(row.state)],
        ),
    )
    return [Moment(at, what) for at, what in steps if at is not None]
