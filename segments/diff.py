"""Writing memberships: one statement finds, applies and records who moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from crm.ports.facts import Scope, Sql
from crm.wakes import Clocks
from segments.compile import compile_rule, compile_wakes
from segments.models import Segment, SegmentVersion
from segments.rules.condition import Rule
from segments.rules.validate import parse_rule

# Classes of advisory locks; the second key is a segment's id, or 0.
LOCK_CLASS = 0x5E61
# A full refresh names those who moved up to this many, and beyond only counts.
NAMED_MAX = 50_000
# Parsed rules kept per process.
RULES_KEPT_MAX = 4_096

# A FULL JOIN, because it stays one hash or merge join however stale the
# statistics are; anti-joins were seen not to end.
DIFF = """
WITH wanted AS MATERIALIZED ({wanted}),
held AS (
  SELECT m.contact_id FROM segments_membership m WHERE m.segment_id = %s{limit}),
diff AS MATERIALIZED (
  SELECT coalesce(w.contact_id, h.contact_id) AS contact_id,
    h.contact_id IS NULL AS entering
  FROM wanted w FULL JOIN held h ON h.contact_id = w.contact_id
  WHERE w.contact_id IS NULL OR h.contact_id IS NULL),
gone AS (
  DELETE FROM segments_membership m USING diff d
  WHERE m.segment_id = %s AND m.contact_id = d.contact_id AND NOT d.entering
  RETURNING m.contact_id),
came AS (
  INSERT INTO segments_membership (segment_id, contact_id, entered_at)
  SELECT %s, d.contact_id, %s FROM diff d WHERE d.entering
  ON CONFLICT DO NOTHING RETURNING contact_id),
moved AS MATERIALIZED (
  SELECT contact_id, 'entered' AS action FROM came
  UNION ALL SELECT contact_id, 'left' FROM gone),
noted AS (
  INSERT INTO segments_membershipchange
    (segment_id, contact_id, action, at, reason, version_id, handled_at)
  SELECT %s, contact_id, action, %s, %s, %s, %s FROM moved)
SELECT action, count(*), CASE WHEN count(*) <= %s
  THEN array_agg(contact_id ORDER BY contact_id) END
FROM moved GROUP BY action
"""

CLOCKS = Clocks("segments_contactclock", "segment_id")


@dataclass(frozen=True, slots=True)
class Diff:
    """Who entered and left. The ids are None where too many moved to name."""

    entered: int
    left: int
    entered_ids: tuple[int, ...] | None
    left_ids: tuple[int, ...] | None

    @property
    def size(self) -> int:
        return self.entered + self.left


_rules: dict[tuple[int, datetime], Rule] = {}


def load_rule(version: SegmentVersion) -> Rule:
    """The checked rule of a version; versions never change, so it is kept."""
    key = (version.pk, version.created_at)
    if key not in _rules:
        if len(_rules) >= RULES_KEPT_MAX:
            _rules.clear()
        _rules[key] = parse_rule(version.rule)
    return _rules[key]


def lock_segment(segment_id: int, *, shared: bool) -> None:
    """Keep full refreshes and touches of one segment apart, until commit.

    Touches share it. A refresh takes it alone before its statement starts, so
    that its snapshot holds all that touches wrote, and none writes beside it.
    """
    suffix = "_shared" if shared else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT pg_advisory_xact_lock{suffix}(%s, %s)", [LOCK_CLASS, segment_id]
        )


def wait_for_touches() -> None:
    """Return when every touch that may not know a new segment has ended."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_lock(%s, 0), pg_advisory_unlock(%s, 0)",
            [LOCK_CLASS, LOCK_CLASS],
        )


@contextmanager
def hold_build_lock() -> Iterator[bool]:
    """True where no other worker builds; held by this session until the end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, -1)", [LOCK_CLASS])
        held = bool(cursor.fetchone()[0])
        try:
            yield held
        finally:
            if held:
                cursor.execute("SELECT pg_advisory_unlock(%s, -1)", [LOCK_CLASS])


def apply_rule(
    segment: Segment,
    *,
    at: datetime,
    reason: str,
    contacts: Sequence[int] | None = None,
    handled: bool = False,
) -> Diff:
    """Bring memberships in line with the rule as of `at`, and set the clocks."""
    version = segment.current_version
    if version is None:
        raise ValueError(f"segment {segment.pk} has no version")
    rule = load_rule(version)
    wanted = compile_rule(rule, at=at, contacts=contacts)
    diff = write_diff(
        segment, wanted, at=at, reason=reason, contacts=contacts, handled=handled
    )
    if segment.kind == Segment.Kind.DYNAMIC:
        CLOCKS.note(segment.pk, compile_wakes(rule, at=at, contacts=contacts))
    return diff


def write_diff(
    segment: Segment,
    wanted: Sql,
    *,
    at: datetime,
    reason: str,
    contacts: Sequence[int] | None = None,
    handled: bool = False,
) -> Diff:
    """Make `wanted` the members of the segment, within `contacts` where given."""
    scope = Scope(at, None if contacts is None else tuple(contacts))
    limit = scope.limit("m.contact_id")
    params = (
        *wanted.params,
        *(segment.pk, *limit.params),
        segment.pk,
        *(segment.pk, at),
        *(segment.pk, at, reason[:300], segment.current_version_id),
        at if handled else None,
        NAMED_MAX if contacts is None else len(contacts),
    )
    with connection.cursor() as cursor:
        cursor.execute(DIFF.format(wanted=wanted.text, limit=limit.text), params)
        rows = {action: (count, ids) for action, count, ids in cursor.fetchall()}
    entered, entered_ids = rows.get("entered", (0, []))
    left, left_ids = rows.get("left", (0, []))
    return Diff(
        entered,
        left,
        None if entered_ids is None else tuple(entered_ids),
        None if left_ids is None else tuple(left_ids),
    )
