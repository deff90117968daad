"""Circuit breakers: stop asking a provider that cannot answer.

Open for 10 s, doubling to 5 minutes while probes fail. A probe is one message of one
worker: until the provider answers it well, nobody else asks.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection
from django.db.models.functions import Now

from notifications.channels.base import Breaker as Reach
from notifications.channels.base import Outcome
from notifications.delivery.finish import Answer
from notifications.models import Alert, Breaker, Sender

OPEN_FIRST_S = 10
OPEN_MAX_S = 300

# A probe is over by then, or its worker is dead.
PROBE_S = 60
# So many answers of one batch say something about the provider, fewer about a message.
TELLING_ANSWERS = 5
# A provider that says nothing, or says that it cannot.
OUTAGES = (Outcome.AMBIGUOUS, Outcome.NOT_ACCEPTED)

TAKE_PROBE = """
UPDATE notifications_breaker
SET open_until = clock_timestamp() + make_interval(secs => %s)
WHERE sender_id = %s AND platform = '' AND open_until <= clock_timestamp()
"""

OPEN = """
INSERT INTO notifications_breaker
    (sender_id, platform, reason, opened_at, open_until, openings)
VALUES (%(sender)s, %(platform)s, %(reason)s, clock_timestamp(),
        clock_timestamp() + make_interval(secs => %(first_s)s), 1)
ON CONFLICT ON CONSTRAINT breaker_one_per_platform DO UPDATE
SET reason = excluded.reason,
    openings = CASE
        WHEN %(probe)s OR notifications_breaker.open_until < clock_timestamp()
        THEN notifications_breaker.openings + 1
        ELSE notifications_breaker.openings END,
    open_until = CASE WHEN %(probe)s
            OR notifications_breaker.open_until < clock_timestamp()
        THEN clock_timestamp() + make_interval(secs => least(
            %(first_s)s * 2.0 ^ least(notifications_breaker.openings, 10), %(max_s)s))
        ELSE notifications_breaker.open_until END
"""


def is_half_open(sender: Sender) -> bool:
    """Whether this sender's breaker has yet to be closed by a probe."""
    return Breaker.objects.filter(sender=sender, platform="").exists()


def take_probe(sender: Sender) -> bool:
    """The right to try one message; of several workers one gets it."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE_PROBE, [PROBE_S, sender.pk])
        return cursor.rowcount > 0


def release_probe(sender: Sender) -> None:
    """Nothing was posted, so nothing is known: the next message may try."""
    Breaker.objects.filter(sender=sender, platform="").update(open_until=Now())


def note_answers(
    sender: Sender, answers: Sequence[Answer], *, probe: bool = False
) -> None:
    """Open or close this sender's breakers by what was answered."""
    faults = _find_faults(answers, probe=probe)
    for platform, reason in faults.items():
        open_breaker(sender, platform=platform, reason=reason, probe=probe)
    sent = {
        answer.post.attempt.platform
        for answer in answers
        if answer.result.outcome == Outcome.SENT
    }
    if sent and not faults:
        close_breakers(sender, platforms=["", *sent])


def _find_faults(answers: Sequence[Answer], *, probe: bool) -> dict[str, str]:
    """Why each platform cannot be used, '' for the whole sender."""
    faults: dict[str, str] = {}
    for answer in answers:
        result = answer.result
        if result.breaker == Reach.SENDER:
            faults[""] = f"{result.code} {result.detail}".strip()
        elif result.breaker == Reach.PLATFORM:
            faults[answer.post.attempt.platform] = result.detail
    outages = [a.result for a in answers if a.result.outcome in OUTAGES]
    telling = probe or len(answers) >= TELLING_ANSWERS
    if telling and 2 * len(outages) > len(answers):
        faults.setdefault(
            "",
            f"{len(outages)} of {len(answers)} messages got no answer or an error: "
            f"{outages[-1].code}",
        )
    return faults


def open_breaker(
    sender: Sender, *, platform: str, reason: str, probe: bool = False
) -> None:
    """Open it, or longer where a probe failed; staff see one alert."""
    with connection.cursor() as cursor:
        cursor.execute(
            OPEN,
            {
                "sender": sender.pk,
                "platform": platform,
                "reason": reason[:300],
                "probe": probe,
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
