"""Who entered, who left, and why: full refreshes, touches and the clock.

Callers lock the contacts they touch in id order, before. Segments are then taken
in order of (depth, id), by everybody, so waits never form a ring.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DataError, OperationalError, connection, transaction

from crm.clock import read_clock
from crm.models import Contact
from crm.ports.facts import Sql
from crm.wakes import Pair
from segments.catalogs import list_behind
from segments.diff import (
    CLOCKS,
    Diff,
    apply_rule,
    lock_segment,
    wait_for_touches,
)
from segments.models import (
    ContactClock,
    Membership,
    Segment,
)
from segments.waves import Change, Wave

logger = logging.getLogger(__name__)

# After this many changed rows the planner's statistics are worth renewing.
ANALYZE_ROWS = 10_000
# A live segment is compared with the full base this often, come what may.
RECHECK_AFTER = timedelta(hours=24)
# A build that failed is tried again so much later: the load may be lighter then.
RETRY_AFTER = timedelta(hours=1)
# SQLSTATE of what is over when it is told: connections, rollbacks, shutdowns.
PASSING = ("08", "40", "57P")
# Sizes up to this many are counted on every tick, larger ones once a minute.
COUNT_ALWAYS_MAX = 50_000
COUNT_EVERY = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Expiry:
    """What the clock did: rows looked at, and who moved."""

    looked: int
    changes: tuple[Change, ...]


# --- Reading ---


def member_ids_sql(segment: Segment) -> tuple[str, list[int]]:
    """`SELECT contact_id …` of the members, for INSERT … SELECT."""
    return (
        "SELECT m.contact_id FROM segments_membership m WHERE m.segment_id = %s",
        [segment.pk],
    )


def member_ids(segment: Segment) -> Sql:
    """`SELECT contact_id …` of the members."""
    text, params = member_ids_sql(segment)
    return Sql(text, tuple(params))


def is_member(segment: Segment, contact_id: int) -> bool:
    return Membership.objects.of_segment(segment).filter(contact_id=contact_id).exists()


def count_members(segment: Segment) -> int:
    """Exact, by the index."""
    return Membership.objects.of_segment(segment).count()


def contact_segments(contact_id: int) -> list[Segment]:
    """The segments this contact is in now, by name."""
    return list(Segment.objects.with_contact(contact_id))


# --- Full refresh ---


def refresh_segment(segment: Segment, *, at: datetime, reason: str = "") -> Diff:
    """Compare the whole base with the rule and write the difference.

    1. Let touches that began before this rule was saved come to their end.
    2. Alone on this segment: diff, clocks, state.
    3. Pass the changes on to segments that name this one.

    Call it outside a transaction: step 1 waits for others, who may wait for it.
    A failure of the database (a timeout, a number out of range) leaves the old
    membership, is kept on the segment for staff, and is raised. One that passes by
    itself (a ring of waits, a lost connection) leaves the segment waiting.
    """
    diff = None
    while diff is None:
        diff = _refresh_alone(segment.pk, at=at, reason=reason)
    if diff.size >= ANALYZE_ROWS:
        analyze_memberships()
    return diff


def _refresh_alone(segment_id: int, *, at: datetime, reason: str) -> Diff | None:
    """None where an edit came while this waited: touches that began since may know
    the older rule alone, and must end before the new one is built."""
    segment = Segment.objects.get(pk=segment_id)
    version_id = segment.current_version_id
    segment.start_build(at=read_clock())
    wait_for_touches()
    try:
        with transaction.atomic():
            lock_segment(segment_id, shared=False)
            segment = Segment.objects.select_related("current_version").get(
                pk=segment_id
            )
            if segment.current_version_id != version_id:
                return None
            diff = _rebuild_membership(segment, at=at, reason=reason)
            pass_on(segment, diff, at=at)
            return diff
    except (DataError, OperationalError) as error:
        if _is_passing(error):
            segment.stop_build()
        else:
            segment.fail_build(str(error).splitlines()[0])
        raise


def _is_passing(error: Exception) -> bool:
    """Whether the next tick may fare better: the fault is not the rule's."""
    state = getattr(error.__cause__, "sqlstate", None)
    return isinstance(error, OperationalError) and (
        state is None or state.startswith(PASSING)
    )


def _rebuild_membership(segment: Segment, *, at: datetime, reason: str) -> Diff:
    first = segment.refreshed_at is None
    edited = (
        segment.state != Segment.State.LIVE
        and segment.built_version_id != segment.current_version_id
    )
    if edited:
        # Clocks of the older rule would only cost looks.
        ContactClock.objects.filter(segment=segment).delete()
    words = reason or (
        "the segment was built"
        if first
        else f"the rule was edited (version {segment.current_version.number})"
        if edited and segment.current_version
        else "the segment was checked"
    )
    started = read_clock()
    diff = apply_rule(segment, at=at, reason=words, handled=first)
    size = count_members(segment)
    took = read_clock() - started
    segment.finish_build(at=at, size=size, took_s=took.total_seconds())
    return diff


def pass_on(segment: Segment, diff: Diff, *, at: datetime) -> None:
    """Let the segments that name this one follow its changes."""
    dependents = list(Segment.objects.depending_on(segment.slug).in_order())
    if not diff.size or not dependents:
        return
    if diff.entered_ids is None or diff.left_ids is None:
        # Too many to name: the tick rebuilds them.
        ids = [dependent.pk for dependent in dependents]
        Segment.objects.filter(pk__in=ids).update(state=Segment.State.BUILDING)
        return
    moved = [*diff.entered_ids, *diff.left_ids]
    wave = Wave(at=at, reason=f"“{segment.name}” changed")
    for dependent in dependents:
        wave.add(dependent, moved)
    wave.run()


def refresh_waiting_segments(at: datetime) -> int:
    """Build what was made or edited, recheck what was not for a day, and what asks
    about items since some changed; try again what failed an hour ago."""
    waiting = Segment.objects.building() | Segment.objects.filter(
        kind=Segment.Kind.DYNAMIC,
        state=Segment.State.LIVE,
        refreshed_at__lt=at - RECHECK_AFTER,
    )
    waiting |= Segment.objects.failed_before(at - RETRY_AFTER)
    reasons = dict.fromkeys(list_behind(at), "items of a catalog changed")
    reasons |= dict.fromkeys(waiting.values_list("pk", flat=True), "")
    built = 0
    found = Segment.objects.filter(pk__in=reasons)
    for pk in found.in_order().values_list("pk", flat=True):
        try:
            refresh_segment(Segment(pk=pk), at=at, reason=reasons[pk])
            built += 1
        except (DataError, OperationalError):
            # Shown on the segment; the others must not wait for it.
            logger.exception("segment %s could not be built", pk)
    return built


def analyze_memberships() -> None:
    """Stale statistics turn a diff of seconds into one of minutes."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE segments_membership, segments_contactclock")


# --- Touch ---


def touch_contacts(
    contact_ids: Iterable[int],
    *,
    at: datetime,
    event_names: Iterable[str] | None = None,
    trait_names: Iterable[str] | None = None,
) -> list[Change]:
    """Re-judge these contacts, inside the caller's transaction, contacts locked.

    Asks the live segments that mention one of the event names or traits; with
    neither given, every live segment. Contacts never judged before, or whose
    profile turned out older, are judged by every segment. A device that came,
    changed or went is the trait `crm.ports.facts.DEVICE_CHANGED`.
    """
    ids = sorted(set(contact_ids))
    if not ids:
        return []
    lock_segment(0, shared=True)
    everything = event_names is None and trait_names is None
    events, traits = list(event_names or ()), list(trait_names or ())
    strangers = _judge_first_time(ids)
    live = Segment.objects.kept_live()
    moved = live if everything else live.moved_by(events=events, traits=traits)
    wave = Wave(at=at, reason=_word_touch(events, traits))
    for segment in moved:
        wave.add(segment, ids)
    if strangers and not everything:
        for segment in live:
            wave.add(segment, strangers)
    return wave.run()


def touch_performers(
    did: Mapping[str, Collection[int]],
    *,
    at: datetime,
    traits: Mapping[str, Collection[int]] | None = None,
    handled: bool = False,
) -> list[Change]:
    """Re-judge contacts by what each of them did: event name → contacts; and by the
    traits that moved with it: trait → contacts.

    As `touch_contacts`, but each segment looks only at those whom something that it
    mentions concerns: of a batch with many names that is a small part. Changes that
    are `handled` trigger no campaign.
    """
    moved = traits or {}
    ids = sorted(set[int]().union(*did.values(), *moved.values()))
    if not ids:
        return []
    lock_segment(0, shared=True)
    strangers = _judge_first_time(ids)
    live = Segment.objects.kept_live()
    reason = _word_touch(list(did), list(moved))
    wave = Wave(at=at, reason=reason, handled=handled)
    for segment in live.moved_by(events=did, traits=moved):
        version = segment.current_version
        told = version.pick_mentioned(did) if version else []
        named = [key for key in moved if version and key in version.trait_names]
        contacts = set[int]().union(*(did[name] for name in told))
        contacts |= set[int]().union(*(moved[key] for key in named))
        wave.add(segment, contacts, reason=_word_touch(told, named))
    if strangers:
        for segment in live:
            wave.add(segment, strangers)
    return wave.run()


def _word_touch(events: Sequence[str], traits: Sequence[str]) -> str:
    parts = []
    if events:
        names = [name.removeprefix("$") for name in sorted(set(events))]
        shown = ", ".join(f"“{name}”" for name in names[:3])
        parts.append(f"after {shown}" + (" and more" if len(set(events)) > 3 else ""))
    if traits:
        parts.append(f"profile changed: {', '.join(sorted(set(traits))[:5])}")
    return "; ".join(parts) or "looked at again"


def _judge_first_time(ids: list[int]) -> list[int]:
    """Contacts not judged yet, or judged as younger than they are; noted now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO segments_judgedcontact AS j (contact_id, known_since) "
            "SELECT c.id, c.known_since FROM crm_contact c "
            "LEFT JOIN segments_judgedcontact old ON old.contact_id = c.id "
            "WHERE c.id = ANY(%s::bigint[]) "
            "AND old.known_since IS DISTINCT FROM c.known_since ORDER BY c.id "
            "ON CONFLICT (contact_id) DO UPDATE "
            "SET known_since = excluded.known_since RETURNING contact_id",
            [ids],
        )
        return [contact_id for (contact_id,) in cursor.fetchall()]


# --- Time ---


def expire_memberships(at: datetime, *, limit: int = 2_000) -> Expiry:
    """Move people whom time alone moves: entries and exits at their second.

    1. Read who is due, without locks.
    2. Lock their contacts in id order, as every other writer does.
    3. Segment by segment, take the due clocks; what another worker took meanwhile is
       gone. Judge again, which sets the next clock.
    """
    with transaction.atomic():
        pairs = CLOCKS.find_due(at, limit=limit)
        if not pairs:
            return Expiry(0, ())
        Contact.objects.lock_in_order(sorted({contact for _, contact in pairs}))
        lock_segment(0, shared=True)
        due = defaultdict[int, list[Pair]](list)
        for segment_id, contact_id in pairs:
            due[segment_id].append((segment_id, contact_id))
        wave = Wave(at=at, reason="time passed")
        for segment in Segment.objects.kept_live().filter(pk__in=list(due)):
            wave.add_due(segment, due.pop(segment.pk))
        # Of segments that are gone.
        CLOCKS.take([pair for left in due.values() for pair in left], at=at)
        return Expiry(len(pairs), tuple(wave.run()))


def count_sizes(at: datetime) -> int:
    """Renew the sizes that lists show, where somebody moved since; how many."""
    counted = 0
    for segment in Segment.objects.exclude(refreshed_at=None):
        since = (segment.sized_at or segment.created_at) - COUNT_EVERY
        small = segment.size <= COUNT_ALWAYS_MAX
        if not small and segment.sized_at and segment.sized_at > at - COUNT_EVERY:
            continue
        if segment.changes.filter(at__gt=since).exists():
            size = count_members(segment)
            Segment.objects.filter(pk=segment.pk).update(size=size, sized_at=at)
            counted += 1
    return counted
