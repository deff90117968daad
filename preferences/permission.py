"""The one door to consent: may this message go to these people, on this channel?

Asked by `notifications.decisioning` alone, inside the gate, with the contacts
locked. No other code decides over consent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Literal

from preferences import levels
from preferences.models import PreferenceCenter, Subscription, Suppression, Topic

PurposeClass = Literal["promotional", "transactional"]
Reason = Literal["", "no_consent", "suppressed"]


@dataclass(frozen=True, slots=True)
class Permission:
    """The answer for one contact. `detail` names what decided, for staff.

    `quiet_window` (local start and end) and `cap_per_day` are the person's own;
    None means that the product's settings apply.
    """

    allowed: bool
    reason: Reason = ""
    detail: str = ""
    quiet_window: tuple[time, time] | None = None
    cap_per_day: int | None = None


def permissions_for(
    contact_ids: Sequence[int],
    *,
    center_id: int | None,
    topic_id: int | None,
    channel: str,
    purpose_class: PurposeClass,
    at: datetime,
) -> dict[int, Permission]:
    """An answer for every id asked, in at most three queries whatever the number.

    1. A live suppression of the channel (or of all) stops everything.
    2. Promotional: a no at any level stops it, the widest first (master switch,
       channel, topic, topic on channel); waiting for confirmation is a no. Then
       it needs a yes: for a message with a topic on that topic (or on it on this
       channel), for one without on the channel or the master switch. Silence is
       a yes only where the topic is on by default and not transactional.
    3. Transactional: needs no opt-in and is not stopped by the master switch or
       a channel's; a person's explicit no to that very topic is obeyed.

    The center is the topic's; without a topic `center_id`, or the default
    brand's. `at` is kept for pauses that end; live rows decide today. Raises
    Topic.DoesNotExist for an unknown topic.
    """
    topic = Topic.objects.get(pk=topic_id) if topic_id is not None else None
    if topic is not None:
        center_id = topic.center_id
    elif center_id is None:
        center = PreferenceCenter.objects.default()
        center_id = center.pk if center else None
    suppressed = _read_suppressions(contact_ids, channel)
    said = _read_said(contact_ids, center_id)
    judge = (
        levels.judge_transactional
        if purpose_class == "transactional"
        else levels.judge_promotional
    )
    rule = topic.rule if topic else None
    return {
        pk: _build_permission(
            suppressed.get(pk), judge(said.get(pk, {}), channel=channel, topic=rule)
        )
        for pk in contact_ids
    }


def _build_permission(stop: str | None, verdict: levels.Verdict) -> Permission:
    if stop is not None:
        return Permission(False, "suppressed", stop)
    if not verdict.allowed:
        return Permission(False, "no_consent", verdict.basis)
    return Permission(True, detail=verdict.basis)


def _read_suppressions(contact_ids: Sequence[int], channel: str) -> dict[int, str]:
    rows = Suppression.objects.live().of_contacts(contact_ids).on_channel(channel)
    return {row.contact_id: str(row.get_reason_display()) for row in rows}


def _read_said(
    contact_ids: Sequence[int], center_id: int | None
) -> dict[int, dict[levels.Level, str]]:
    said: dict[int, dict[levels.Level, str]] = defaultdict(dict)
    if center_id is None:
        return said
    for row in Subscription.objects.of_contacts(contact_ids).in_center(center_id):
        said[row.contact_id][row.level] = row.state
    return said
