"""Fixes of data: previewed, applied to events from now on, undone.

Events never change, so a fix maps what comes and rewrites nothing: undone, what came
meanwhile stays as it was taken in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from crm.events.fixes import build_fixes, fix_properties
from crm.events.standing import forget_fixes
from crm.events.words import describe_properties
from crm.models import DataFix, Event
from crm.models.audit import record_audit

# What a preview counts: the events of so many days, up to so many of them.
PREVIEW = timedelta(days=30)
MAX_COUNTED = 100_000
# Newest events in which a preview looks for the property.
MAX_EVENTS = 300
MAX_EXAMPLES = 5
COUNT_EVENTS = """
SELECT count(*), count(DISTINCT contact_id) FROM (
    SELECT contact_id FROM crm_event
    WHERE name = %s AND occurred_at >= %s LIMIT %s) AS found
"""
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('crm_datafix'))"


class FixRefused(Exception):
    """It cannot be applied or undone; the text says why."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What the last 30 days would have met. `touched` of `looked` newest events hold
    the property and would say something else; `examples` shows before and after."""

    events: int
    contacts: int
    looked: int
    touched: int
    examples: Sequence[tuple[str, str]]

    @property
    def is_cut(self) -> bool:
        return self.events >= MAX_COUNTED


def preview_fix(fix: DataFix, *, now: datetime) -> Preview:
    """Two bounded queries over the index of names."""
    since = now - PREVIEW
    with connection.cursor() as cursor:
        cursor.execute(COUNT_EVENTS, [fix.name, since, MAX_COUNTED])
        events, contacts = cursor.fetchone()
    if not fix.key:
        return Preview(events, contacts, 0, 0, ())
    newest = Event.objects.named(fix.name, since=since).order_by("-occurred_at", "-id")
    said = list(newest.values_list("properties", flat=True)[:MAX_EVENTS])
    fixes = build_fixes([(fix.kind, fix.name, fix.key, fix.target)])
    wanted = fixes.properties[fix.name]
    pairs = [(one, fix_properties(one, wanted)) for one in said if fix.key in one]
    changed = [
        (_tell(before, fix), _tell(after, fix))
        for before, after in pairs
        if _differ(before, after, fix.key)
    ]
    examples = list(dict.fromkeys(changed))[:MAX_EXAMPLES]
    return Preview(events, contacts, len(said), len(changed), examples)


def _differ(before: dict[str, Any], after: dict[str, Any], key: str) -> bool:
    """True and 1 are equal to Python, and not the same to anybody else."""
    if key not in after:
        return True
    return type(before[key]) is not type(after[key]) or before[key] != after[key]


def _tell(properties: dict[str, Any], fix: DataFix) -> str:
    if fix.key not in properties:
        return "left out"
    value = properties[fix.key]
    shown = f"“{value}”" if isinstance(value, str) else value
    return describe_properties({fix.key: shown})


@transaction.atomic
def save_fix(fix: DataFix, *, actor: Any) -> DataFix:
    """A draft; raises ValidationError where it cannot be a fix."""
    fix.made_by = actor
    fix.full_clean()
    fix.save(force_insert=True)
    record_audit(actor=actor, action="drafted", on=fix)
    return fix


@transaction.atomic
def apply_fix(pk: int, *, actor: Any, at: datetime) -> DataFix:
    """From now on, in every process within seconds. Raises FixRefused."""
    fix = _lock(pk)
    if fix.state != DataFix.State.DRAFT:
        raise FixRefused(f"This fix is {fix.state} already.")
    if hindrance := find_hindrance(fix):
        raise FixRefused(hindrance)
    fix.applied_at, fix.applied_by = at, actor
    fix.save(update_fields=["applied_at", "applied_by"])
    return _finish(fix, "applied", actor)


@transaction.atomic
def undo_fix(pk: int, *, actor: Any, at: datetime) -> DataFix:
    """Events from now on are taken as they come again. Raises FixRefused."""
    fix = _lock(pk)
    if fix.state != DataFix.State.APPLIED:
        raise FixRefused("Only a fix that is applied can be undone.")
    fix.undone_at, fix.undone_by = at, actor
    fix.save(update_fields=["undone_at", "undone_by"])
    return _finish(fix, "undone", actor)


def _lock(pk: int) -> DataFix:
    """One deed at a time: what stands decides what may be applied."""
    with connection.cursor() as cursor:
        cursor.execute(ONE_AT_A_TIME)
    return DataFix.objects.select_for_update().get(pk=pk)


def _finish(fix: DataFix, action: str, actor: Any) -> DataFix:
    record_audit(actor=actor, action=action, on=fix)
    transaction.on_commit(forget_fixes)
    return fix


def find_hindrance(fix: DataFix) -> str:
    """Why it cannot stand beside what stands; '' where it can."""
    standing = DataFix.objects.standing().exclude(pk=fix.pk)
    same = standing.filter(kind=fix.kind, name=fix.name, key=fix.key)
    if same.exists():
        return "The same is done by another fix; undo that one first."
    if fix.kind != DataFix.Kind.RENAME:
        return ""
    renames = standing.filter(kind=DataFix.Kind.RENAME)
    if renames.filter(target=fix.name).exists():
        return f"Other events are renamed to {fix.name}; a second step is not taken."
    gone = standing.filter(kind__in=(DataFix.Kind.RENAME, DataFix.Kind.BLOCK))
    if gone.filter(name=fix.target).exists():
        return f"{fix.target} is itself renamed or blocked."
    return ""
