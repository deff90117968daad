"""Making, editing and filling segments: each change a version and an audit row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import ProtectedError
from django.utils.text import slugify

from crm.facts.reading import check_text
from crm.models.audit import record_audit
from crm.ports.audiences import SHOWN_USERS, Use, name_uses
from crm.ports.facts import RuleError, Sql
from segments.diff import LOCK_CLASS, Diff, lock_segment, write_diff
from segments.membership import ANALYZE_ROWS, analyze_memberships, pass_on
from segments.models import Segment, SegmentVersion
from segments.rules.compare import is_same_rule
from segments.rules.condition import Rule
from segments.rules.describe import describe
from segments.rules.membership import InSegment, check_references, find_reachable
from segments.rules.validate import parse_rule
from segments.uses import list_uses

SLUG_MAX = 90
NAME_MAX = 200
# What a list does to a static segment.
ADD, REPLACE, REMOVE = "add", "replace", "remove"
THESE = """
SELECT c.id AS contact_id FROM crm_contact c
WHERE c.id = ANY(%s::bigint[]) AND c.canonical_id IS NULL AND c.erased_at IS NULL
"""
NOBODY = "SELECT NULL::bigint AS contact_id WHERE FALSE"


class SegmentInUse(ValueError):
    """A segment that segments or campaigns name cannot be deleted."""


class NotFillable(ValueError):
    """Its people can not be said by hand, or not now."""


class ConfirmationNeeded(ValueError):
    """A rule that live segments or campaigns build on changes only on purpose."""

    def __init__(self, uses: list[Use]) -> None:
        super().__init__(f"used by {name_uses(uses)}: say that the rule changes")
        self.uses = uses


def check_rule(data: Any, *, slug: str = "") -> Rule:
    """The rule in `data`, its references checked too, or RuleError."""
    rule = parse_rule(data)
    wanted = {
        leaf.condition.slug: f"{leaf.path}.segment"
        for leaf in rule.leaves()
        if isinstance(leaf.condition, InSegment)
    }
    check_references(slug, wanted, Segment.objects.reference_map() if wanted else {})
    return rule


def save_segment(
    *,
    name: str,
    rule: Any,
    actor: Any,
    segment: Segment | None = None,
    description: str = "",
    kind: str = Segment.Kind.DYNAMIC,
    confirmed: bool = False,
    origin: Mapping[str, Any] | None = None,
) -> Segment:
    """Create a segment, or edit one; a changed rule becomes a new version.

    The segment is then `building`: `segments.tasks.refresh_segments` or a call of
    `refresh_segment` builds it, while the old members stay. RuleError where the
    rule or the name is wrong, ConfirmationNeeded where others build on a rule that
    changes and it was not `confirmed`; nothing is kept then. `origin` is what the
    audit trail says besides (a version restored, a segment copied).
    Segment.DoesNotExist where it was deleted meanwhile.
    """
    with transaction.atomic():
        created = segment is None
        segment = _take_row(segment, name, kind, actor=actor)
        _check_name(name, segment)
        parsed = check_rule(rule, slug=segment.slug)
        uses = _check_confirmed(segment, parsed, confirmed=confirmed)
        changes = _save_row(segment, name=name, description=description)
        version = _add_version(segment, rule, parsed, actor=actor)
        if version is not None:
            changes["version"] = version.number
        if uses:
            changes["confirmed_for"] = [str(use) for use in uses]
        if changes:
            action = "created" if created else "edited"
            changes |= origin or {}
            record_audit(actor=actor, action=action, on=segment, changes=changes)
        return segment


def _take_row(segment: Segment | None, name: str, kind: str, *, actor: Any) -> Segment:
    if segment is not None:
        return lock_for_edit(segment)
    if kind not in Segment.Kind.values:
        words = f"must be one of {', '.join(Segment.Kind.values)}"
        raise RuleError("kind", "choice", words)
    _lock_references()
    by = actor if hasattr(actor, "pk") else None
    return Segment(slug=make_slug(name), kind=kind, created_by=by)


def _check_confirmed(segment: Segment, rule: Rule, *, confirmed: bool) -> list[Use]:
    """Those who build on the rule that now changes; nobody where it does not."""
    if segment.current_version is None or _keeps_rule(segment, rule):
        return []
    uses = [use for use in list_uses(segment) if use.is_live]
    if uses and not confirmed:
        raise ConfirmationNeeded(uses)
    return uses


def _keeps_rule(segment: Segment, rule: Rule) -> bool:
    """Whether the rule asks what it asked, however it is written."""
    if segment.current_version is None:
        return False
    try:
        return is_same_rule(segment.current_version.parsed(), rule)
    except RuleError:
        return False


def restore_version(
    segment: Segment, number: int, *, actor: Any, confirmed: bool = False
) -> Segment:
    """Make the rule of an older version the rule again, as a new version.

    Raises SegmentVersion.DoesNotExist, and what `save_segment` does: what the old
    rule names may be gone.
    """
    with transaction.atomic():
        lock_for_edit(segment)
        version = segment.versions.get(number=number)
        return save_segment(
            name=segment.name,
            description=segment.description,
            rule=version.rule,
            actor=actor,
            segment=segment,
            confirmed=confirmed,
            origin={"restored": number},
        )


def copy_segment(segment: Segment, *, actor: Any) -> Segment:
    """A new segment with the same rule, under a free name."""
    version = segment.current_version
    if version is None:
        raise ValueError(f"segment {segment.pk} has no version")
    return save_segment(
        name=_name_copy(segment.name),
        description=segment.description,
        rule=version.rule,
        kind=segment.kind,
        actor=actor,
        origin={"copied_from": segment.slug},
    )


def _name_copy(name: str) -> str:
    base = f"Copy of {name}"[: NAME_MAX - 6]
    taken = set(
        Segment.objects.filter(name__startswith=base).values_list("name", flat=True)
    )
    if base not in taken:
        return base
    return next(
        one for n in range(2, len(taken) + 3) if (one := f"{base} {n}") not in taken
    )


def lock_for_edit(segment: Segment) -> Segment:
    """The row as it is now, until commit: edits wait for each other, and each judges
    what the one before it left. Segment.DoesNotExist where that was nothing."""
    _lock_references()
    segment.refresh_from_db()
    return segment


def _lock_references() -> None:
    """One edit at a time: two at once could close a ring neither of them sees."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, -2)", [LOCK_CLASS])


def _check_name(name: str, segment: Segment) -> None:
    if not check_text(name, "name", limit=NAME_MAX).strip():
        raise RuleError("name", "required", "must not be empty")
    if Segment.objects.exclude(pk=segment.pk).filter(name=name).exists():
        raise RuleError("name", "unique", "is the name of another segment")


def make_slug(name: str) -> str:
    """A free slug made of the name."""
    base = slugify(name)[:SLUG_MAX] or "segment"
    taken = set(
        Segment.objects.filter(slug__startswith=base).values_list("slug", flat=True)
    )
    if base not in taken:
        return base
    return next(
        slug for n in range(2, len(taken) + 3) if (slug := f"{base}-{n}") not in taken
    )


def _save_row(segment: Segment, *, name: str, description: str) -> dict[str, Any]:
    """Write what staff call it; answers what changed, nothing for a new one."""
    known = segment.pk is not None
    before = {"name": segment.name, "description": segment.description}
    after = {"name": name, "description": description}
    segment.name, segment.description = name, description
    # What builds and clocks keep on the row is theirs alone.
    segment.save(update_fields=list(after) if known else None)
    changed = [key for key in after if known and before[key] != after[key]]
    return {key: [before[key], after[key]] for key in changed}


def _add_version(
    segment: Segment, data: Any, rule: Rule, *, actor: Any
) -> SegmentVersion | None:
    """The new version, now current; None where the rule asks what it asked."""
    current = segment.current_version
    if _keeps_rule(segment, rule):
        return None
    mentions = rule.mentions()
    version = SegmentVersion.objects.create(
        segment=segment,
        number=current.number + 1 if current else 1,
        rule=data,
        summary=describe(rule),
        event_names=sorted(mentions.events),
        trait_names=sorted(mentions.traits),
        segment_slugs=sorted(mentions.segments),
        created_by=actor if hasattr(actor, "pk") else None,
    )
    segment.current_version = version
    segment.state, segment.failure = Segment.State.BUILDING, ""
    segment.save(update_fields=["current_version", "state", "failure"])
    _set_depths(segment.slug)
    return version


def _set_depths(slug: str) -> None:
    """Depth of this segment and of all that depend on it."""
    known = Segment.objects.reference_map()
    depths: dict[str, int] = {}

    def measure(one: str) -> int:
        if one not in depths:
            inner = [measure(target) for target in known.get(one, ())]
            depths[one] = 1 + max(inner) if inner else 0
        return depths[one]

    for one in known:
        if one == slug or slug in find_reachable(one, known):
            Segment.objects.filter(slug=one).update(depth=measure(one))


def check_fillable(segment: Segment, how: str) -> None:
    """NotFillable where a list can not say, or not now, who is in it."""
    if segment.kind != Segment.Kind.STATIC:
        raise NotFillable("only a static segment is filled by hand")
    if how != REPLACE and segment.state == Segment.State.BUILDING:
        raise NotFillable("its people are still being built: try again later")


def set_members(
    segment: Segment,
    contact_ids: Iterable[int],
    *,
    actor: Any,
    at: datetime,
    how: str = REPLACE,
    reason: str = "changed by hand",
) -> Diff:
    """Fill a static segment by hand; who names it follows.

    These contacts become its members (`replace`), join them (`add`) or go (`remove`).
    Raises what `check_fillable` does, and Segment.DoesNotExist where it is gone.
    """
    ids = sorted(set(contact_ids))
    with transaction.atomic():
        lock_segment(segment.pk, shared=False)
        segment.refresh_from_db(fields=["state"])
        check_fillable(segment, how)
        diff = write_diff(
            segment,
            Sql(NOBODY if how == REMOVE else THESE, () if how == REMOVE else (ids,)),
            at=at,
            reason=reason,
            contacts=None if how == REPLACE else ids,
        )
        segment.finish_build(at=at, size=segment.memberships.count())
        pass_on(segment, diff, at=at)
        changes = {"how": how, "entered": diff.entered, "left": diff.left}
        record_audit(actor=actor, action="filled", on=segment, changes=changes)
    if diff.size >= ANALYZE_ROWS:
        analyze_memberships()
    return diff


def delete_segment(segment: Segment, *, actor: Any) -> None:
    """Delete a segment that nothing names: no other segment, no campaign.

    Segment.DoesNotExist where somebody was quicker.
    """
    with transaction.atomic():
        lock_for_edit(segment)
        naming = Segment.objects.naming(segment.slug)
        if names := ", ".join(naming.values_list("name", flat=True)):
            raise SegmentInUse(f"used by {names}")
        lock_segment(segment.pk, shared=False)
        record_audit(actor=actor, action="deleted", on=segment)
        Segment.objects.filter(pk=segment.pk).update(current_version=None)
        try:
            segment.delete()
        except ProtectedError as error:
            users = sorted({str(user) for user in error.protected_objects})
            raise SegmentInUse(f"used by {', '.join(users[:SHOWN_USERS])}") from error


__all__ = [
    "ADD",
    "REMOVE",
    "REPLACE",
    "ConfirmationNeeded",
    "NotFillable",
    "RuleError",
    "SegmentInUse",
    "check_fillable",
    "check_rule",
    "copy_segment",
    "delete_segment",
    "lock_for_edit",
    "make_slug",
    "restore_version",
    "save_segment",
    "set_members",
]
