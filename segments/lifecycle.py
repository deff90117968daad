"""Who is in which stage of the lifecycle, and why: one stage a contact.

Callers lock the contacts they touch in id order, before. The stage stands among the
computed traits too, where templates, exports and the API read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Max

from crm.computed.values import Moved, write_value
from crm.models import Contact
from crm.models.audit import record_audit
from crm.ports.audiences import Use, name_uses
from crm.ports.facts import Sql
from crm.wakes import Clocks
from segments.compile import compile_rule, compile_wakes
from segments.models import Lifecycle, StageClock
from segments.rules.stages import STAGE_TRAIT, Stage, read_stages
from segments.uses import list_stage_uses

CLOCKS: Final = Clocks("segments_stageclock", "version_id")
# Contacts of one piece of a build.
PIECE: Final = 2_000

# The first stage whose rule finds somebody wins: the lowest rank.
RANKED: Final = """
SELECT q.contact_id, min(q.rank) AS rank FROM ({stages}) q GROUP BY q.contact_id
"""
JUDGE: Final = """
WITH ranked AS MATERIALIZED ({ranked}),
diff AS MATERIALIZED (
  SELECT c.id AS contact_id, coalesce(h.stage, '') AS was,
    coalesce((%s::text[])[r.rank], '') AS now
  FROM crm_contact c
  LEFT JOIN ranked r ON r.contact_id = c.id
  LEFT JOIN segments_contactstage h ON h.contact_id = c.id
  WHERE c.id = ANY(%s::bigint[])
    AND coalesce(h.stage, '') <> coalesce((%s::text[])[r.rank], '')),
gone AS (
  DELETE FROM segments_contactstage h USING diff d
  WHERE h.contact_id = d.contact_id AND d.now = ''),
kept AS (
  INSERT INTO segments_contactstage (contact_id, stage, since, reason)
  SELECT contact_id, now, %s, %s FROM diff WHERE now <> '' ORDER BY contact_id
  ON CONFLICT (contact_id) DO UPDATE SET stage = excluded.stage,
    since = excluded.since, reason = excluded.reason),
noted AS (
  INSERT INTO segments_stagechange (contact_id, was, now, at, reason, version)
  SELECT contact_id, was, now, %s, %s, %s FROM diff)
SELECT contact_id FROM diff ORDER BY contact_id
"""
STAGE_VALUES: Final = (
    "SELECT s.contact_id, to_jsonb(s.stage) AS value FROM segments_contactstage s "
    "WHERE s.contact_id = ANY(%s::bigint[])"
)
_stages: dict[int, tuple[Stage, ...]] = {}


def load_stages(version: Lifecycle) -> tuple[Stage, ...]:
    """The checked stages of a version; versions never change, so they are kept."""
    if version.pk not in _stages:
        _stages.clear()
        _stages[version.pk] = read_stages(version.stages)
    return _stages[version.pk]


def list_stage_events(version_id: int | None) -> frozenset[str]:
    """The event names that the rules of this version mention; none before the first.

    A query only where another version was the last to judge here.
    """
    if version_id is None:
        return frozenset()
    stages = _stages.get(version_id)
    if stages is None:
        stages = load_stages(Lifecycle.objects.get(pk=version_id))
    return frozenset[str]().union(*(one.rule.mentions().events for one in stages))


def judge_stages(contacts: Sequence[int], *, at: datetime, reason: str) -> Moved:
    """Put these contacts into the stage that is theirs now, and set their clocks."""
    version = Lifecycle.objects.current()
    ids = sorted(set(contacts))
    if version is None or not ids:
        return {}
    moved = set(_write(version, ids, at=at, reason=reason))
    CLOCKS.note(version.pk, _find_wakes(load_stages(version), ids, at=at))
    # Of all of them: an undone merge brings a stage back that is no move.
    told = write_value(STAGE_TRAIT, ids, Sql(STAGE_VALUES, (ids,)))
    moved.update(told.get(STAGE_TRAIT, ()))
    return {STAGE_TRAIT: sorted(moved)} if moved else {}


def judge_moved(moved: Moved, *, at: datetime) -> Moved:
    """Judge whom a trait moved that a stage asks for: time or a build moves it, and no
    event or clock of the stages tells."""
    version = Lifecycle.objects.current()
    if version is None or not moved:
        return {}
    mentions = [one.rule.mentions().traits for one in load_stages(version)]
    keys = sorted(frozenset[str]().union(*mentions).intersection(moved))
    contacts = sorted(set[int]().union(*(moved[key] for key in keys)))
    reason = f"profile changed: {', '.join(keys[:5])}"
    return judge_stages(contacts, at=at, reason=reason)


def _write(
    version: Lifecycle, ids: list[int], *, at: datetime, reason: str
) -> list[int]:
    stages = load_stages(version)
    ranked, keys = rank_stages(stages, at=at, contacts=ids), [one.key for one in stages]
    with connection.cursor() as cursor:
        cursor.execute(
            JUDGE.format(ranked=ranked.text),
            (
                *(*ranked.params, keys, ids, keys),
                *(at, reason[:300]),
                *(at, reason[:300], version.number),
            ),
        )
        return [contact_id for (contact_id,) in cursor.fetchall()]


def rank_stages(
    stages: Sequence[Stage], *, at: datetime, contacts: Sequence[int] | None = None
) -> Sql:
    parts: list[str] = []
    params: list[Any] = []
    for rank, stage in enumerate(stages, start=1):
        found = compile_rule(stage.rule, at=at, contacts=contacts)
        parts.append(f"SELECT m.contact_id, {rank} AS rank FROM ({found.text}) m")
        params += found.params
    return Sql(RANKED.format(stages=" UNION ALL ".join(parts)), tuple(params))


def _find_wakes(stages: Sequence[Stage], ids: list[int], *, at: datetime) -> Sql | None:
    """The earliest moment at which any of the rules may answer otherwise."""
    wakes = [compile_wakes(one.rule, at=at, contacts=ids) for one in stages]
    known = [one for one in wakes if one is not None]
    if not known:
        return None
    united = " UNION ALL ".join(one.text for one in known)
    return Sql(
        "SELECT a.contact_id, min(a.wake_at) AS wake_at "
        f"FROM ({united}) a GROUP BY a.contact_id",
        tuple(param for one in known for param in one.params),
    )


def expire_stages(at: datetime, *, limit: int) -> tuple[int, Moved]:
    """Moves that time alone brings, at their second; how many were looked at."""
    with transaction.atomic():
        pairs = CLOCKS.find_due(at, limit=limit)
        if not pairs:
            return 0, {}
        Contact.objects.lock_in_order(sorted({contact for _, contact in pairs}))
        taken = [contact for _, contact in CLOCKS.take(pairs, at=at)]
        return len(pairs), judge_stages(taken, at=at, reason="time passed")


def build_stages(at: datetime, *, size: int = PIECE) -> tuple[bool, Moved]:
    """The next contacts of a new version; whether there was anything to do."""
    version = Lifecycle.objects.next_to_build()
    if version is None:
        return False, {}
    found = Contact.objects.filter(pk__gt=version.done_to).order_by("pk")
    ids = list(found.values_list("pk", flat=True)[:size])
    if not ids:
        version.finish(at=at)
        return True, {}
    Contact.objects.lock_in_order(ids)
    StageClock.objects.exclude(version=version).filter(contact__in=ids).delete()
    reason = f"the stages were set up (version {version.number})"
    moved = judge_stages(ids, at=at, reason=reason)
    version.note_progress(ids[-1])
    return True, moved


class StageInUse(ValueError):
    """Stages that segments ask for go only on purpose."""

    def __init__(self, uses: list[Use]) -> None:
        super().__init__(f"used by {name_uses(uses)}: say that the stages go")
        self.uses = uses


def find_affected(data: Any, current: Lifecycle | None) -> list[Use]:
    """Segments that would ask for a stage that there is no more."""
    kept = {stage.key for stage in read_stages(data)}
    gone = {stage.key for stage in load_stages(current)} - kept if current else set()
    return list_stage_uses(gone) if gone else []


@transaction.atomic
def save_stages(data: Any, *, actor: Any, confirmed: bool = False) -> Lifecycle:
    """A new version of the stages, built in pieces; RuleError where they are wrong,
    StageInUse where segments ask for one that goes and it was not `confirmed`.

    The same stages again are no new version.
    """
    read_stages(data)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('segments.lifecycle'))")
    current = Lifecycle.objects.current()
    if current is not None and current.stages == data:
        return current
    uses = find_affected(data, current)
    if uses and not confirmed:
        raise StageInUse(uses)
    version = Lifecycle.objects.create(
        number=current.number + 1 if current else 1,
        stages=data,
        goal=Contact.objects.aggregate(last=Max("pk"))["last"] or 0,
        created_by=actor if hasattr(actor, "pk") else None,
    )
    changes: dict[str, Any] = {"version": version.number}
    if uses:
        changes["confirmed_for"] = [str(use) for use in uses]
    record_audit(actor=actor, action="edited", on=version, changes=changes)
    return version
