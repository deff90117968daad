"""One contact becomes two again: the journal of a merge, replayed backwards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from crm.events.activity import recount_activity
from crm.events.joining import forget_words, part_profiles
from crm.events.merge import MergeRefused
from crm.events.traits import write_addresses
from crm.models import Contact, Merge, MergeJournal
from crm.models.audit import name_actor, record_audit
from crm.models.merge import UNDO_DAYS
from crm.ports.personal_data import personal_data_holders


@transaction.atomic
def undo_merge(merge: Merge, *, actor: Any, at: datetime, reason: str = "") -> Contact:
    """Give `source` back what the merge took from it; answers the source.

    What came since stays with the target, but for what came by an identifier that
    goes back. Raises MergeRefused, and then nothing changed.

    1. lock both in id order  2. every holder gives its rows back, the last one first
    3. part the profiles  4. later merges into the same contact forget them
    """
    rows = Contact.objects.lock_in_order([merge.source_id, merge.target_id])
    people = {row.pk: row for row in rows}
    source, target = people[merge.source_id], people[merge.target_id]
    merge.refresh_from_db()
    check_undoable(merge, target, at=at)
    merge.undone_at, merge.undone_by = at, name_actor(actor)
    merge.save(update_fields=["undone_at", "undone_by"])
    journals = dict(merge.journals.values_list("holder", "moved"))
    for holder in reversed(personal_data_holders()):
        holder.undo_merge(
            source_id=source.pk,
            target_id=target.pk,
            # A holder that came after the merge moved nothing.
            journal=journals.get(type(holder).__name__, {}),
        )
    own = journals[MergeJournal.PROFILE]
    give_back_profile(source, target, own)
    later = Merge.objects.later_than(merge)
    for journal in MergeJournal.objects.of_profiles(later):
        forget_merge(journal, own["changed"])
    changes = {"from": str(target.uuid), "merge": merge.pk}
    record_audit(
        actor=actor, action="unmerged", on=source, changes=changes, reason=reason
    )
    return source


def check_undoable(merge: Merge, target: Contact, *, at: datetime) -> None:
    """Raise MergeRefused with what stands in the way."""
    if merge.undone_at:
        raise MergeRefused("undone", "This merge was undone before.")
    if at > merge.undo_until:
        message = f"A merge can be undone for {UNDO_DAYS} days."
        raise MergeRefused("too_late", message)
    if target.canonical_id:
        message = f"{target} was merged on since: undo that merge first."
        raise MergeRefused("merged", message)
    if target.erased_at or not merge.journals.exists():
        raise MergeRefused("erased", "The contact was erased since.")


def find_hindrance(merge: Merge, *, at: datetime) -> str:
    """Why this merge can not be undone, for staff; '' where it can."""
    try:
        check_undoable(merge, merge.target, at=at)
    except MergeRefused as refused:
        return str(refused)
    return ""


def give_back_profile(
    source: Contact, target: Contact, journal: Mapping[str, Any]
) -> None:
    changed = journal["changed"]
    part_profiles(target, changed)
    # The target first: the external id is unique.
    target.save()
    source.canonical, source.external_id = None, journal["external_id"]
    source.save(update_fields=["canonical", "external_id", "updated_at"])
    if {"email", "phone"} & changed["columns"].keys():
        write_addresses([target])
    write_addresses([source])
    last = journal["last_active_at"]
    recount_activity(
        target.pk, otherwise=datetime.fromisoformat(last) if last else None
    )
    recount_activity(source.pk, otherwise=source.last_active_at)


def forget_merge(journal: MergeJournal, undone: Mapping[str, Any]) -> None:
    journal.moved["changed"] = forget_words(journal.moved["changed"], undone)
    journal.save(update_fields=["moved"])


def forget_journals(*, now: datetime) -> int:
    """Delete what only an undo needs, once it is too late for one."""
    return MergeJournal.objects.too_old(now).delete()[0]
