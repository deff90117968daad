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
# So many answers say something about the provider, fewer about a message.
TELLING_ANSWERS = 5
# As many are remembered from batch to batch.
WINDOW = 100
# A provider that says nothing, or says that it cannot.
OUTAGES = (Outcome.AMBIGUOUS, Outcome.NOT_ACCEPTED)

TAKE_PROBE = """
UPDATE notifications_breaker
SET open_until = clock_timestamp() + make_interval(secs => %s)
WHERE sender_id = %s AND platform = '' AND open_until <= clock_timestamp()
"""

# One statement, so that workers who answer at once each see the other's answers.
REMEMBER = """
UPDATE notifications_sender
SET recent_answers = right(recent_answers || %s, %s) WHERE id = %s
RETURNING recent_answers
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
    window = _remember_answers(sender, answers)
    faults = _find_faults(answers, window, probe=probe)
    for platform, reason in faults.items():
        open_breaker(sender, platform=platform, reason=reason, probe=probe)
    sent = {
        answer.post.attempt.platform
        for answer in answers
        if answer.result.outcome == Outcome.SENT
    }
    if sent and not faults:
        close_breakers(sender, platforms=["", *sent])


def _remember_answers(sender: Sender, answers: Sequence[Answer]) -> str:
    """The newest answers, these included, oldest first; '' while all is well.

    Nothing is written while no answer failed, lately or now. Failures of a batch come
    before its other answers: they arrive last, because they wait for a timeout, and
    must not look like a run of their own.
    """
    failed = sum(answer.result.outcome in OUTAGES for answer in answers)
    if not failed and "x" not in sender.recent_answers:
        return ""
    added = "x" * failed + "." * (len(answers) - failed)
    with connection.cursor() as cursor:
        cursor.execute(REMEMBER, [added, WINDOW, sender.pk])
        row = cursor.fetchone()
    return row[0] if row else ""


def is_outage(window: str) -> bool:
    """Whether most of these answers failed, or all of the last few."""
    failed = window.count("x")
    telling = len(window) >= TELLING_ANSWERS
    return telling and (
        2 * failed > len(window) or set(window[-TELLING_ANSWERS:]) == {"x"}
    )


def _find_faults(
    answers: Sequence[Answer], window: str, *, probe: bool
) -> dict[str, str]:
    """Why each platform cannot be used, '' for the whole sender."""
    faults: dict[str, str] = {}
    for answer in answers:
        result = answer.result
        if result.breaker == Reach.SENDER:
            faults[""] = f"{result.code} {result.detail}".strip()
        elif result.breaker == Reach.PLATFORM:
            faults[answer.post.attempt.platform] = result.detail
    outages = [a.result for a in answers if a.result.outcome in OUTAGES]
    batch = "x" * len(outages) + "." * (len(answers) - len(outages))
    if outages:
        code = outages[-1].code
        if is_outage(batch) or (probe and 2 * len(outages) > len(answers)):
            faults.setdefault("", _word_outage(batch, code))
        elif is_outage(window):
            faults.setdefault("", _word_outage(window, code))
    return faults


def _word_outage(window: str, code: str) -> str:
    return (
        f"{window.count('x')} of {len(window)} messages got no answer or an error: "
        f"{code}"
    )


def open_breaker(
    sender: Sender, *, platform: str, reason: str, probe: bool = False
) -> None:
    """Open it, or longer where a probe failed; staff see one alert.

    What was answered until now is forgotten: from here on probes decide.
    """
    if not platform:
        Sender.objects.filter(pk=sender.pk).update(recent_answers="")
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
