"""Circuit breakers: stop asking a provider that cannot answer.

Open for 10 s, doubling to 5 minutes while probes fail; rows go back to pending
and spend no attempt meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

from notifications.channels.base import Breaker as Reach
from notifications.channels.base import Outcome
from notifications.delivery.finish import Answer
from notifications.models import Alert, Breaker, Sender

OPEN_FIRST_S = 10
OPEN_MAX_S = 300

OPEN = """
INSERT INTO notifications_breaker
    (sender_id, platform, reason, opened_at, open_until, openings)
VALUES (%(sender)s, %(platform)s, %(reason)s, clock_timestamp(),
        clock_timestamp() + make_interval(secs => %(first_s)s), 1)
ON CONFLICT ON CONSTRAINT breaker_one_per_platform DO UPDATE
SET reason = excluded.reason,
    openings = CASE WHEN notifications_breaker.open_until < clock_timestamp()
        THEN notifications_breaker.openings + 1
        ELSE notifications_breaker.openings END,
    open_until = CASE WHEN notifications_breaker.open_until < clock_timestamp()
        THEN clock_timestamp() + make_interval(secs => least(
            %(first_s)s * 2.0 ^ least(notifications_breaker.openings, 10), %(max_s)s))
        ELSE notifications_breaker.open_until END
"""


def note_answers(sender: Sender, answers: Iterable[Answer]) -> None:
    """Open or close this sender's breakers by what was answered."""
    answers = list(answers)
    faults: dict[str, str] = {}
    for answer in answers:
        result = answer.result
        if result.breaker == Reach.SENDER:
            faults[""] = f"{result.code} {result.detail}".strip()
        elif result.breaker == Reach.PLATFORM:
            faults[answer.post.attempt.platform] = result.detail
    for platform, reason in faults.items():
        open_breaker(sender, platform=platform, reason=reason)
    sent = {
        answer.post.attempt.platform
        for answer in answers
        if answer.result.outcome == Outcome.SENT
    }
    if sent and not faults:
        close_breakers(sender, platforms=["", *sent])


def open_breaker(sender: Sender, *, platform: str, reason: str) -> None:
    """Open it, or longer where a probe failed; staff see one alert."""
    with connection.cursor() as cursor:
        cursor.execute(
            OPEN,
            {
                "sender": sender.pk,
                "platform": platform,
                "reason": reason[:300],
                "first_s": OPEN_FIRST_S,
                "max_s": OPEN_MAX_S,
            },
        )
    where = f" ({platform})" if platform else ""
    Alert.objects.raise_once(
        cause=f"sender:{sender.pk}:{platform or 'all'}",
        text=f"{sender.name}{where} cannot send: {reason}"[:500],
    )


def close_breakers(sender: Sender, *, platforms: list[str]) -> None:
    """Close what answered again, and settle its alerts."""
    closed = Breaker.objects.filter(sender=sender, platform__in=platforms)
    names = list(closed.values_list("platform", flat=True))
    if not names:
        return
    closed.delete()
    for name in names:
        Alert.objects.resolve(f"sender:{sender.pk}:{name or 'all'}")
