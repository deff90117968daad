"""The one door to consent: may this message go to these people, on this channel?

Asked by `notifications.decisioning` alone, inside the gate, with the contacts
locked. No other code decides over consent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, Literal

from crm.ports.facts import Sql
from preferences import levels
from preferences.models import PreferenceCenter, Subscription, Suppression, Topic

PurposeClass = Literal["promotional", "transactional"]
Reason = Literal["", "no_consent", "suppressed"]

DEFAULT_CENTER = """(SELECT c.id FROM preferences_preferencecenter c
    JOIN crm_brand b ON b.id = c.brand_id ORDER BY b.is_default DESC, c.id LIMIT 1)"""
NO_TOPIC = (
    f"SELECT NULL::bigint AS topic_id, {DEFAULT_CENTER} AS center_id, '' AS flags"
)
TOPIC = """SELECT t.id AS topic_id, t.center_id,
    CASE WHEN t.default = 'opt_out' THEN 'd' ELSE '-' END
    || CASE WHEN t.is_transactional THEN 't' ELSE '-' END
    || CASE WHEN t.is_active THEN 'a' ELSE '-' END AS flags
FROM preferences_topic t WHERE """
# What each said at the levels of `levels.name_levels`, spelt, beside a suppression.
ANSWERS = """
WITH people AS ({people}), subject AS ({subject}), said AS (
    SELECT s.contact_id, {spelt} AS words
    FROM people p
    JOIN preferences_subscription s ON s.contact_id = p.contact_id
    JOIN subject u ON u.center_id = s.center_id
        AND (s.topic_id IS NULL OR s.topic_id = u.topic_id)
    WHERE s.channel IN ('', %s)
    GROUP BY s.contact_id)
SELECT p.contact_id, CASE
    WHEN EXISTS (SELECT FROM preferences_suppression x WHERE x.contact_id = p.contact_id
        AND x.lifted_at IS NULL AND x.channel IN ('', %s)) THEN 'suppressed'
    WHEN coalesce(d.words, %s) || u.flags = ANY(%s::text[]) THEN ''
    ELSE 'no_consent' END AS reason
FROM people p LEFT JOIN subject u ON true
LEFT JOIN said d ON d.contact_id = p.contact_id
"""
# The word at one level: master switch, channel, topic, topic on the channel.
SPELT_LEVELS = tuple(
    "coalesce(max(left(s.state, 1)) FILTER "
    f"(WHERE s.channel {channel} AND s.topic_id IS {topic}NULL), '-')"
    for topic in ("", "NOT ")
    for channel in ("= ''", "<> ''")
)


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


def select_permissions(
    people: Sql,
    *,
    channel: str,
    purpose_class: PurposeClass | None,
    topic_id: int | None = None,
    topic_key: str = "",
) -> Sql:
    """`contact_id, reason` for each of `people`, as `permissions_for` answers them.

    For so many people that they cannot be read one by one: what they said is spelt,
    and looked up among all that `levels` judges to be a yes. A topic is named by its
    id, or by its key in the default brand's center; one that is not there is refused
    by everybody. A purpose of None is the topic's own.
    """
    has_topic = topic_id is not None or bool(topic_key)
    subject = Sql(NO_TOPIC)
    if topic_id is not None:
        subject = Sql(f"{TOPIC} t.id = %s", (topic_id,))
    elif topic_key:
        subject = Sql(
            f"{TOPIC} t.center_id = {DEFAULT_CENTER} AND t.key = %s", (topic_key,)
        )
    spelt = SPELT_LEVELS if has_topic else SPELT_LEVELS[:2]
    allowed = levels.spell_agreements(purpose_class or "", with_topic=has_topic)
    params: tuple[Any, ...] = (channel, channel, "-" * len(spelt), list(allowed))
    return Sql(
        ANSWERS.format(
            people=people.text, subject=subject.text, spelt=" || ".join(spelt)
        ),
        (*people.params, *subject.params, *params),
    )


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
