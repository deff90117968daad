"""Two contacts become one: rows move to the target, the source points at it."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from crm.events.joining import join_profiles
from crm.models import Contact, Merge, MergeJournal
from crm.models.audit import name_actor, record_audit
from crm.ports.personal_data import personal_data_holders


class MergeRefused(ValueError):
    """The two can not become one, or not two again; `code` is for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@transaction.atomic
def merge_contacts(
    *,
    source_id: int,
    target_id: int,
    actor: Any,
    reason: str = "",
    keeps_words: bool = False,
) -> Contact:
    """Fold `source` into `target`; answers the target. Raises MergeRefused.

    Per trait the newest word wins; with `keeps_words`, what the target has stays.

    1. lock both in id order  2. join what the two rows say
    3. every holder re-points its rows, and whatever pointed at the source: one hop
       always leads home  4. keep what each of them moved, for `undo_merge`
    """
    source, target = lock_pair(source_id, target_id)
    merge = Merge.objects.create(
        source=source, target=target, made_by=name_actor(actor), reason=reason
    )
    joined = join_profiles(source, target, keeps_words=keeps_words)
    journals = {MergeJournal.PROFILE: joined}
    for holder in personal_data_holders():
        moved = holder.merge(source_id=source_id, target_id=target_id)
        journals[type(holder).__name__] = dict(moved)
    MergeJournal.objects.bulk_create(
        MergeJournal(merge=merge, holder=name, moved=moved)
        for name, moved in journals.items()
    )
    record_audit(
        actor=actor,
        action="merged",
        on=target,
        changes={"from": str(source.uuid), "merge": merge.pk},
        reason=reason,
    )
    return target


def lock_pair(source_id: int, target_id: int) -> tuple[Contact, Contact]:
    """Both contacts, locked in id order, where they can become one."""
    if source_id == target_id:
        raise MergeRefused("same", "A contact can not be merged into itself.")
    rows = Contact.objects.lock_in_order([source_id, target_id])
    found = {row.pk: row for row in rows}
    for pk in (source_id, target_id):
        contact = found.get(pk)
        if contact is None or contact.erased_at:
            raise MergeRefused("erased", "One of the two was erased.")
        if contact.canonical_id:
            raise MergeRefused("merged", "One of the two was merged away before.")
    return found[source_id], found[target_id]


def count_moving(contact_id: int) -> dict[str, int]:
    """What would follow a merge of this contact, in words for staff."""
    return {
        words: count
        for holder in personal_data_holders()
        for words, count in holder.count(contact_id).items()
    }
